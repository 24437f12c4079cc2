"""Differences: against the baseline, the same agent intact, and the best tracker.

All are paired on the same episodes; tests over runs are corrected for their number (Holm).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from drivemem.comparison.baseline import MEMORYLESS
from drivemem.comparison.rows import About, Difference, Row, SuiteTable
from drivemem.comparison.statistics import (
    Interval,
    holm,
    mcnemar,
    paired_difference,
    welch,
)


def difference(row: Row, other: Row, generator: np.random.Generator) -> Difference:
    """Pair two rows; if they hold the same runs (before and after a lesion), pair the runs."""
    mine = {one.run.folder: one for one in row.members}
    theirs = {one.run.folder: one for one in other.members}
    common = [folder for folder in mine if folder in theirs]
    same_runs = bool(common) and row.kind == "lesion"
    a = np.array([mine[f].column(row.judged) for f in (common if same_runs else mine)])
    b = np.array([theirs[f].column(row.judged) for f in (common if same_runs else theirs)])
    estimate = float(a.mean() - b.mean())
    trained = [len(x) for x, one in ((a, row), (b, other)) if one.kind != "reference"]
    runs = min(trained, default=1)
    if len(a) == 1 and len(b) == 1:
        p = mcnemar(a[0], b[0])
        return Difference(estimate, Interval(estimate, -math.inf, math.inf), p, runs, True, p)
    interval = paired_difference(a, b, generator, same_runs=same_runs)
    p = welch((a - b).mean(axis=1, keepdims=True), [[0.0]]) if same_runs else welch(a, b)
    return Difference(estimate, interval, p, runs, False, p)


def differences(
    pairs: Sequence[tuple[Row, Row]], generator: np.random.Generator
) -> list[Difference]:
    """The difference of each pair, its p corrected for the number of pairs."""
    found = [difference(row, other, generator) for row, other in pairs]
    adjusted = np.array([one.p for one in found])
    defined = np.isfinite(adjusted)
    adjusted[defined] = holm(adjusted[defined])
    return [replace(one, adjusted=float(p)) for one, p in zip(found, adjusted, strict=True)]


def compare_rows(table: SuiteTable, generator: np.random.Generator) -> None:
    """Fill in what the rows of a table say against each other, and note what the reader needs."""
    base = table.base
    if base is not None:
        compared = [row for row in table.rows if row is not base and not row.apart]
        for kind in ("upper bound", "agent", "submitted", "lesion", "reference"):
            others = [row for row in compared if row.kind == kind]
            found = differences([(row, base) for row in others], generator)
            for row, one in zip(others, found, strict=True):
                row.versus = one
    by_label = {row.label: row for row in table.rows}
    cut = [row for row in table.rows if row.kind == "lesion" and row.intact in by_label]
    found = differences([(row, by_label[row.intact]) for row in cut], generator)
    for row, one in zip(cut, found, strict=True):
        row.versus_intact = one
    _compare_trackers(table, generator)


def _compare_trackers(table: SuiteTable, generator: np.random.Generator) -> None:
    """Note whether learning to remember beats filling in what was last seen."""
    trackers = [
        row
        for row in table.rows
        if row.kind in ("agent", "reference") and not row.apart and table.is_engineered(row)
    ]
    best = table.best()
    if not trackers or best is None or best.driver == MEMORYLESS:
        return
    tracker = max(trackers, key=lambda row: row.score.estimate)
    table.note(
        About.TRACKER,
        f"The best learned memory ({best.label}) against the best engineered one "
        f"({tracker.label}): {difference(best, tracker, generator).words}.",
    )
