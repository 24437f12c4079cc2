"""Differences in words: against the memoryless agent, the uncut agent, and the best tracker.

All are paired on the same episodes; tests over runs are corrected for their number (Holm).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from drivemem.comparison.statistics import (
    Interval,
    holm,
    mcnemar,
    p_words,
    paired_difference,
    verdict,
    welch,
)

if TYPE_CHECKING:
    from drivemem.comparison.tables import Row, SuiteTable


class Difference:
    """Success of one row less that of another on the same episodes."""

    def __init__(self, row: Row, other: Row, generator: np.random.Generator) -> None:
        """Pair two rows; if they hold the same runs (before and after a lesion), pair the runs."""
        mine = {one.run.folder: one for one in row.members}
        theirs = {one.run.folder: one for one in other.members}
        common = [folder for folder in mine if folder in theirs]
        self.same_runs = bool(common) and row.kind == "lesion"
        a = np.array([mine[f].column("success") for f in (common if self.same_runs else mine)])
        b = np.array([theirs[f].column("success") for f in (common if self.same_runs else theirs)])
        self.estimate = float(a.mean() - b.mean())
        self.single = len(a) == 1 and len(b) == 1
        trained = [len(x) for x, one in ((a, row), (b, other)) if one.kind != "reference"]
        self.runs = min(trained, default=1)
        self.interval = Interval(self.estimate, -math.inf, math.inf)
        if self.single:
            self.p = mcnemar(a[0], b[0])
            return
        self.interval = paired_difference(a, b, generator, same_runs=self.same_runs)
        if self.same_runs:
            self.p = welch((a - b).mean(axis=1, keepdims=True), [[0.0]])
        else:
            self.p = welch(a, b)

    def words(self, adjusted: float) -> str:
        """The difference, and what it allows to say.

        Args:
            adjusted: p, corrected for the number of comparisons.
        """
        if self.single:
            return (
                f"{self.estimate:+.3f} on the same episodes (McNemar {p_words(adjusted)}; "
                "single runs)"
            )
        low, high = self.interval.low, self.interval.high
        call = verdict(self.interval, self.runs, adjusted)
        return f"{self.estimate:+.3f} [{low:+.3f}, {high:+.3f}]: {call}"


def compare_rows(table: SuiteTable, base: Row | None, generator: np.random.Generator) -> list[str]:
    """Fill in what the rows of a table say against each other; returns notes for the reader."""
    if base is not None:
        for kind in ("upper bound", "agent", "lesion", "reference"):
            others = [row for row in table.rows if row.kind == kind and row is not base]
            words = _words([Difference(row, base, generator) for row in others])
            for row, text in zip(others, words, strict=True):
                row.versus = text
    pairs = []
    for row in table.rows:
        if row.kind == "lesion":
            label = row.label.replace(f" / {row.lesion}", "", 1)
            intact = next((one for one in table.rows if one.label == label), None)
            pairs += [(row, intact)] if intact is not None else []
    words = _words([Difference(row, intact, generator) for row, intact in pairs])
    for (row, _), text in zip(pairs, words, strict=True):
        row.versus_intact = text
    return _trackers(table, generator)


def _trackers(table: SuiteTable, generator: np.random.Generator) -> list[str]:
    """Whether learning to remember beats filling in what was last seen."""
    trackers = [
        row for row in table.rows
        if row.kind in ("agent", "reference") and row.members[0].first["tracker"] != "none"
        and (row.kind == "reference" or row.members[0].first["driver"] == table.baseline)
    ]  # fmt: skip
    best = table.best()
    if not trackers or best is None:
        return []
    tracker = max(trackers, key=lambda row: row.success.estimate)
    difference = Difference(best, tracker, generator)
    return [
        f"The best learned memory ({best.label}) against the best engineered one "
        f"({tracker.label}): {difference.words(difference.p)}."
    ]


def _words(differences: Sequence[Difference]) -> list[str]:
    """Each in words, its p corrected for the number of them."""
    adjusted = np.array([difference.p for difference in differences])
    defined = np.isfinite(adjusted)
    adjusted[defined] = holm(adjusted[defined])
    return [d.words(float(p)) for d, p in zip(differences, adjusted, strict=True)]
