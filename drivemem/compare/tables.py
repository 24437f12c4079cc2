"""Comparison tables: a row for each agent, intervals over its runs, reference rows beside."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.compare.collect import Evaluated
from drivemem.errors import DrivememError
from drivemem.statistics import (
    MIN_RUNS,
    Interval,
    bootstrap,
    bootstrap_function,
    clipped,
    mcnemar,
    paired_difference,
    verdict,
    welch,
    wilson,
)

SMALL_GAP = 0.05
"""Below this occlusion gap, shares of it say nothing."""
OTHER = ("timeout", "stuck", "wrong_route", "off_road")


@dataclass
class Row:
    """One agent or reference driver on one suite."""

    label: str
    kind: str
    """agent, lesion, upper bound or reference."""
    runs: int
    episodes: int
    success: Interval
    collision: float
    other: float
    mean_return: float
    mean_speed: float
    gap_closed: Interval | None = None
    outcomes: dict[str, float] = field(default_factory=dict)
    versus: str = ""
    members: list[Evaluated] = field(default_factory=list)


@dataclass
class SuiteTable:
    """All rows of one suite."""

    scenario: str
    suite_hash: str
    episodes: int
    rows: list[Row]
    gap: Interval | None
    notes: list[str]
    baseline: str

    def headline(self) -> str:
        """The comparison in one sentence."""
        agents = [row for row in self.rows if row.kind == "agent"]
        base = _named(self.rows, "agent", self.baseline)
        if base is None:
            return f"{self.scenario}: no memoryless agent to compare with."
        remembering = [row for row in agents if not _memoryless(row, self.baseline)]
        if not remembering:
            return f"{self.scenario}: no agent with memory to compare with the memoryless one."
        best = max(remembering, key=lambda row: row.success.estimate)
        sentence = (
            f"{self.scenario}: with memory ({best.label}) {best.success.estimate:.0%} of episodes "
            f"succeed, without {base.success.estimate:.0%}"
        )
        cut = [r for r in self.rows if r.kind == "lesion" and r.label.startswith(best.label + " /")]
        if cut:
            worst = min(cut, key=lambda row: row.success.estimate)
            sentence += (
                f"; the same agent with {worst.label.split('/ ')[1]} {worst.success.estimate:.0%}"
            )
        fewest = min(best.runs, base.runs)
        return sentence + (f" ({fewest} training run{'s' if fewest > 1 else ''} each).")


def suite_table(group: list[Evaluated], baseline: str, seed: int = 0) -> SuiteTable:
    """The table of evaluations that met the same episodes.

    Args:
        group: from `collect`.
        baseline: `memory=NAME` of the memoryless agent.
        seed: of the resampling.

    Raises:
        DrivememError: a baseline of another form.
    """
    name = _baseline_name(baseline)
    generator = np.random.default_rng(seed)
    by_label: dict[str, list[Evaluated]] = {}
    for one in group:
        by_label.setdefault(one.label(), []).append(one)
    rows = [_row(label, members, generator) for label, members in by_label.items()]
    base = _named(rows, "agent", name)
    full = _named(rows, "upper bound", name) or next(
        (row for row in rows if row.kind == "upper bound"), None
    )
    notes: list[str] = []
    gap = _gaps(rows, base, full, generator, notes)
    if base is not None:
        for row in rows:
            if row is not base:
                row.versus = _versus(row, base, generator)
    trained = [row for row in rows if row.kind in ("agent", "upper bound")]
    few = [row.label for row in trained if row.runs < MIN_RUNS]
    if few:
        notes.append(
            f"Fewer than {MIN_RUNS} training runs for {', '.join(few)}: read the intervals, claim "
            "nothing. A single run's interval is over its episodes and says nothing of other runs."
        )
    for row in trained:
        differing = _differing_settings(row)
        if differing:
            notes.append(
                f"Runs of {row.label} differ in {', '.join(differing)}, yet share a row: to tell "
                "them apart, compare them in turn."
            )
    order = {"upper bound": 0, "agent": 1, "lesion": 2, "reference": 3}
    rows.sort(key=lambda row: (order[row.kind], -row.success.estimate))
    first = next((one for one in group if not one.first["full_sensors"]), group[0])
    return SuiteTable(
        first.suite["scenario"], first.suite["hash"], len(first.episodes), rows, gap, notes, name
    )


def _baseline_name(baseline: str) -> str:
    key, _, name = baseline.partition("=")
    if key != "memory" or not name:
        raise DrivememError(
            f"baseline is '{baseline}': give it as memory=NAME, such as memory=none"
        )
    return name


def _named(rows: list[Row], kind: str, name: str) -> Row | None:
    """The row of a memory: the plain one if there is one, else one of its variants."""
    found = [row for row in rows if row.kind == kind and row.members[0].first["driver"] == name]
    found = [row for row in found if row.members[0].first["tracker"] == "none"]
    return min(found, key=lambda row: len(row.label), default=None)


def _memoryless(row: Row, baseline: str) -> bool:
    """Whether it is a variant of the memoryless agent; a tracker in front is a memory."""
    first = row.members[0].first
    return bool(first["driver"] == baseline and first["tracker"] == "none")


def _differing_settings(row: Row) -> list[str]:
    """Settings, besides the seed, in which the runs of a row are not alike."""
    settings = [one.settings for one in row.members]
    keys = sorted(set().union(*settings) - {"seed"})
    return [key for key in keys if any(s.get(key) != settings[0].get(key) for s in settings)]


def _row(label: str, members: list[Evaluated], generator: np.random.Generator) -> Row:
    first = members[0]
    successes = [one.column("success") for one in members]
    episodes = len(first.episodes)
    if len(members) > 1:
        success = clipped(bootstrap([successes], generator), 0.0, 1.0)
    else:
        success = wilson(int(successes[0].sum()), episodes)
    names = ("success", "collision", *OTHER)
    outcomes = {name: float(np.mean([one.share(name) for one in members])) for name in names}
    if first.is_driver:
        kind = "reference"
    elif first.first["lesion"] != "intact":
        kind = "lesion"
    else:
        kind = "upper bound" if first.first["full_sensors"] else "agent"
    return Row(
        label, kind, len(members), episodes, success, outcomes["collision"],
        sum(outcomes[name] for name in OTHER), _mean(members, "return"),
        _mean(members, "mean_speed"), None, outcomes, "", members,
    )  # fmt: skip


def _mean(members: list[Evaluated], column: str) -> float:
    return float(np.mean([np.nanmean(one.column(column)) for one in members]))


def _gaps(
    rows: list[Row],
    base: Row | None,
    full: Row | None,
    generator: np.random.Generator,
    notes: list[str],
) -> Interval | None:
    """Fill in the share of the occlusion gap that each agent closes; returns the gap."""
    if base is None or full is None:
        missing = "memoryless agent" if base is None else "full-sensor agent (--full-sensors)"
        notes.append(f"No {missing} among the runs: the share of the gap closed is not defined.")
        return None
    top, bottom = _successes(full), _successes(base)
    gap = bootstrap_function([top, bottom], generator, lambda a, b: a - b)
    if gap.estimate < SMALL_GAP:
        notes.append(
            f"The occlusion gap is {gap.estimate:.3f}, below {SMALL_GAP}: nothing to close here."
        )
        return gap
    for row in rows:
        if row is base:
            row.gap_closed = Interval(0.0, 0.0, 0.0)  # by definition, whatever the runs
        elif row.kind in ("agent", "lesion"):
            row.gap_closed = bootstrap_function(
                [_successes(row), top, bottom], generator, lambda x, a, b: (x - b) / (a - b)
            )
    return gap


def _successes(row: Row) -> list[NDArray[np.float64]]:
    return [one.column("success") for one in row.members]


def _versus(row: Row, base: Row, generator: np.random.Generator) -> str:
    """The paired comparison with the memoryless agent on common episodes, in words."""
    a = np.array([one.column("success") for one in row.members])
    b = np.array([one.column("success") for one in base.members])
    if a.shape[1] != b.shape[1]:
        return ""
    if len(a) == 1 and len(b) == 1:
        p = mcnemar(a[0], b[0])
        return f"{a.mean() - b.mean():+.3f} on the same episodes (McNemar p = {p:.2g}; single runs)"
    difference = paired_difference(a, b, generator)
    runs = min(len(a), len(b)) if row.kind != "reference" else len(b)
    words = verdict(difference, runs, welch(a, b))
    return f"{difference.estimate:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]: {words}"


def interval_text(interval: Interval | None) -> str:
    """`0.912 [0.881, 0.934]`, without brackets where nothing is known of other runs."""
    if interval is None:
        return ""
    if not math.isfinite(interval.low):
        return f"{interval.estimate:.3f}"
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


HEADER = (
    "agent", "runs", "success [95 %]", "collision", "timeout, stuck, other", "return",
    "speed m/s", "gap closed",
)  # fmt: skip


def cells(row: Row) -> tuple[str, ...]:
    """A row as text, in the order of `HEADER`."""
    return (
        row.label, str(row.runs), interval_text(row.success), f"{row.collision:.3f}",
        f"{row.other:.3f}", f"{row.mean_return:.2f}", f"{row.mean_speed:.1f}",
        interval_text(row.gap_closed),
    )  # fmt: skip


def to_records(tables: list[SuiteTable]) -> list[dict[str, Any]]:
    """All rows as flat records, for CSV and Parquet."""
    records = []
    for table in tables:
        for row in table.rows:
            gap = row.gap_closed
            records.append(
                {
                    "scenario": table.scenario, "suite_hash": table.suite_hash, "agent": row.label,
                    "kind": row.kind, "runs": row.runs, "episodes": row.episodes,
                    "success": row.success.estimate, "success_low": row.success.low,
                    "success_high": row.success.high, "collision": row.collision,
                    "other": row.other, "return": row.mean_return, "mean_speed": row.mean_speed,
                    "gap_closed": gap.estimate if gap else None,
                    "gap_closed_low": gap.low if gap else None,
                    "gap_closed_high": gap.high if gap else None, "versus_baseline": row.versus,
                }
            )  # fmt: skip
    return records
