"""Comparison tables: a row for each agent, intervals over its runs, reference rows beside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.comparison.collect import Evaluated
from drivemem.comparison.statistics import (
    MIN_RUNS,
    Interval,
    bootstrap_function,
    interquartile_mean,
    probability_of_improvement,
    rate_interval,
    wilson,
)
from drivemem.errors import DrivememError

SMALL_GAP = 0.05
"""Below this occlusion gap, shares of it say nothing."""
OTHER = ("timeout", "stuck", "wrong_route", "violation", "off_road")
KINDS = ("upper bound", "agent", "sampled", "lesion", "reference")
WORKING = ("reset_every", "span", "freeze", "noise", "swap", "shuffle", "stack")
"""Lesions of working memory; the others cut weights."""
METRICS = {
    "duration_s": "duration, s", "progress_m": "progress, m", "min_ttc": "min TTC, s",
    "share_ttc_below_1_5": "time with TTC < 1.5 s", "pet": "PET, s", "hard_brakes": "hard brakes",
    "max_jerk": "max jerk, m/s³", "exposure": "exposure, decisions",
    "hidden_origin_collision": "hidden-origin collision",
    "reveal_to_contact_s": "reveal to contact, s", "blind_entry_speed": "blind entry, m/s",
}  # fmt: skip
"""Columns of episodes whose means a report shows (docs/metrics.md)."""


@dataclass
class Row:
    """One agent or reference driver on one suite."""

    label: str
    kind: str
    """One of `KINDS`."""
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
    """Against the memoryless agent, in words."""
    members: list[Evaluated] = field(default_factory=list)
    middle: Interval | None = None
    """Interquartile mean of success over runs; None below four runs, where it is the mean."""
    improvement: Interval | None = None
    """Probability that a run succeeds more often than one of the memoryless agent."""
    versus_intact: str = ""
    """A lesion against the same runs without it, in words."""
    metrics: dict[str, float | None] = field(default_factory=dict)

    @property
    def lesion(self) -> str:
        """What was cut, such as `span:4`; `intact` if nothing."""
        return str(self.members[0].first["lesion"])

    @property
    def successes(self) -> list[NDArray[np.float64]]:
        """Success of each run's episodes."""
        return [one.column("success") for one in self.members]


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
    variant: str = ""
    """What tells this suite from others of the scenario, such as `cue_window_s=2.0`."""

    @property
    def title(self) -> str:
        """The scenario, and what tells this suite from others of it."""
        return f"{self.scenario}, {self.variant}" if self.variant else self.scenario

    def named(self, kind: str) -> Row | None:
        """The baseline's row of a kind (agent, upper bound)."""
        return _named(self.rows, kind, self.baseline)

    def best(self) -> Row | None:
        """The learned memory that succeeds most often; None if there is none."""
        found = [row for row in self.rows if row.kind == "agent" and not self._memoryless(row)]
        return max(found, key=lambda row: row.success.estimate, default=None)

    def _memoryless(self, row: Row) -> bool:
        """Whether it is the baseline or a variant of it, also behind a tracker."""
        return bool(row.members[0].first["driver"] == self.baseline)

    def headline(self) -> str:
        """The comparison in one sentence."""
        base, best = self.named("agent"), self.best()
        if base is None:
            return f"{self.title}: no memoryless agent to compare with."
        if best is None:
            return f"{self.title}: no agent with memory to compare with the memoryless one."
        sentence = (
            f"{self.title}: with memory ({best.label}) {best.success.estimate:.0%} of episodes "
            f"succeed, without {base.success.estimate:.0%}"
        )
        if best.gap_closed is not None and best.gap_closed.known:
            sentence += f", which closes {best.gap_closed.estimate:.0%} of the gap to full sensors"
        cut = [r for r in self.rows if r.label.startswith(f"{best.label} / ")]
        cut = [r for r in cut if r.lesion.startswith(WORKING)]
        if cut:
            # Of all cuts the plainest is told: no memory at all; else the one that costs most.
            told = min(cut, key=lambda row: (row.lesion != "reset_every:1", row.success.estimate))
            sentence += f"; the same agent under {told.lesion} {told.success.estimate:.0%}"
        runs = f"{best.runs} training run{'s' if best.runs > 1 else ''}"
        runs += " each" if best.runs == base.runs else f" with memory, {base.runs} without"
        count = sum(row.kind == "agent" and not self._memoryless(row) for row in self.rows)
        chosen = f"the best of {count} agents with memory; " if count > 1 else ""
        return f"{sentence} ({chosen}{runs})."


def suite_table(group: list[Evaluated], baseline: str, seed: int = 0) -> SuiteTable:
    """The table of evaluations that met the same episodes.

    Args:
        group: from `collect`.
        baseline: `memory=NAME` of the memoryless agent.
        seed: of the resampling.

    Raises:
        DrivememError: a baseline of another form.
    """
    from drivemem.comparison.differences import compare_rows

    name = _baseline_name(baseline)
    generator = np.random.default_rng(seed)
    rows = [_row(label, members, generator) for label, members in _by_agent(group).items()]
    first = next((one for one in group if not one.first["full_sensors"]), group[0])
    table = SuiteTable(
        first.suite["scenario"], first.suite["hash"], len(first.episodes), rows, None, [], name
    )
    base = table.named("agent")
    uppers = [row for row in rows if row.kind == "upper bound"]
    full = table.named("upper bound") or next(iter(uppers), None)
    table.gap = _gaps(table, base, full, generator)
    if base is not None:
        _improvements(rows, base, generator)
        if sum(row.kind == "agent" and _is(row, name) for row in rows) > 1:
            table.notes.append(f"Several agents are {name}: others are compared with {base.label}.")
    table.notes += compare_rows(table, base, generator)
    few = [r.label for r in rows if r.kind in ("agent", "upper bound") and r.runs < MIN_RUNS]
    if few:
        table.notes.append(
            f"Fewer than {MIN_RUNS} training runs for {', '.join(few)}: read the intervals, claim "
            "nothing. A single run's interval is over its episodes and says nothing of other runs."
        )
    _sort(rows)
    return table


def _sort(rows: list[Row]) -> None:
    """By kind, then by success; lesions by agent, lesion and dose."""

    def dose(row: Row) -> tuple[str, float, str]:
        name, _, argument = row.lesion.partition(":")
        try:
            return name, float(argument), ""
        except ValueError:
            return name, 0.0, argument

    def key(row: Row) -> tuple[object, ...]:
        if row.kind == "lesion":
            return KINDS.index(row.kind), row.label.split(" / ")[0], dose(row)
        return KINDS.index(row.kind), -row.success.estimate

    rows.sort(key=key)


def name_suites(tables: list[SuiteTable]) -> None:
    """Say what tells suites of one scenario apart: dials, sensors, stream, number of episodes."""
    for scenario in {table.scenario for table in tables}:
        same = [table for table in tables if table.scenario == scenario]
        facts = [
            {**one, "episodes": t.episodes}
            for one, t in zip(all_conditions(same), same, strict=True)
        ]
        for fact, table in zip(facts, same, strict=True):
            fact["suite"] = table.rows[0].members[0].suite.get("name")
        keys = [
            key for key in sorted(set().union(*facts)) if len({_text(f, key) for f in facts}) > 1
        ]
        for fact, table in zip(facts, same, strict=True):
            table.variant = ", ".join(f"{key}={_text(fact, key)}" for key in keys)


def conditions(table: SuiteTable) -> dict[str, Any]:
    """Dials and sensors of a suite, flat (those of agents under limits, not of the twin)."""
    limited = [row for row in table.rows if row.kind != "upper bound"] or table.rows
    suite = limited[0].members[0].suite
    return {**suite["config"], **suite["sensors"]}


def all_conditions(tables: Sequence[SuiteTable]) -> list[dict[str, Any]]:
    """Conditions of suites of one scenario; a dial that one leaves alone has its default."""
    found = [conditions(table) for table in tables]
    turned = set().union(*(table.rows[0].members[0].suite["config"] for table in tables))
    defaults = _defaults(tables[0].scenario) if turned else {}
    return [{**{key: defaults.get(key) for key in turned}, **one} for one in found]


def _defaults(scenario: str) -> dict[str, Any]:
    import drivemem_envs

    try:
        return drivemem_envs.scenario(scenario).resolved_config()
    except (ValueError, LookupError):  # a scenario of another version, or of somebody else's
        return {}


def _text(fact: dict[str, Any], key: str) -> str:
    value = fact.get(key)
    return value if isinstance(value, str) else json.dumps(value)


def _by_agent(group: list[Evaluated]) -> dict[str, list[Evaluated]]:
    """Runs by what was trained: runs that differ in more than their seed are other agents."""
    by_label: dict[str, list[Evaluated]] = {}
    for one in group:
        by_label.setdefault(one.label(), []).append(one)
    rows: dict[str, list[Evaluated]] = {}
    for label, members in by_label.items():
        keys = sorted(set().union(*(one.settings for one in members)) - {"seed", "driver"})
        differing = [k for k in keys if len({_setting(one, k) for one in members}) > 1]
        for one in members:
            variant = ", ".join(_setting(one, key) for key in differing)
            rows.setdefault(one.label(variant) if variant else label, []).append(one)
    return rows


def _setting(one: Evaluated, key: str) -> str:
    value = one.settings.get(key)
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or f"no {key}"
    return f"{key}={value if isinstance(value, str) else json.dumps(value)}"


def _baseline_name(baseline: str) -> str:
    key, _, name = baseline.partition("=")
    if key != "memory" or not name:
        raise DrivememError(
            f"baseline is '{baseline}': give it as memory=NAME, such as memory=none"
        )
    return name


def _is(row: Row, name: str) -> bool:
    first = row.members[0].first
    return bool(first["driver"] == name and first["tracker"] == "none")


def _named(rows: list[Row], kind: str, name: str) -> Row | None:
    """The row of a memory: the plain one if there is one, else one of its variants."""
    found = [row for row in rows if row.kind == kind and _is(row, name)]
    return min(found, key=lambda row: len(row.label), default=None)


def _row(label: str, members: list[Evaluated], generator: np.random.Generator) -> Row:
    first = members[0]
    successes = [one.column("success") for one in members]
    episodes = len(first.episodes)
    if len(members) > 1:
        success = rate_interval([successes], generator)
    else:
        success = wilson(int(successes[0].sum()), episodes)
    middle = None
    if len(members) >= 4:
        middle = rate_interval([successes], generator, interquartile_mean)
    names = ("success", "collision", *OTHER)
    outcomes = {name: float(np.mean([one.share(name) for one in members])) for name in names}
    if first.is_driver:
        kind = "reference"
    elif first.first["lesion"] != "intact":
        kind = "lesion"
    elif not first.first["deterministic"]:
        kind = "sampled"
    else:
        kind = "upper bound" if first.first["full_sensors"] else "agent"
    return Row(
        label, kind, len(members), episodes, success, outcomes["collision"],
        sum(outcomes[name] for name in OTHER), _mean(members, "return") or 0.0,
        _mean(members, "mean_speed") or 0.0, outcomes=outcomes, members=members, middle=middle,
        metrics={name: _mean(members, name) for name in METRICS},
    )  # fmt: skip


def _mean(members: list[Evaluated], column: str) -> float | None:
    """Mean over runs of each run's mean over the episodes where the column is defined."""
    columns = [one.column(column) for one in members]
    means = [float(np.nanmean(one)) for one in columns if np.isfinite(one).any()]
    return float(np.mean(means)) if means else None


def _gaps(
    table: SuiteTable, base: Row | None, full: Row | None, generator: np.random.Generator
) -> Interval | None:
    """Fill in the share of the occlusion gap that each agent closes; returns the gap."""
    if base is None or full is None:
        missing = "memoryless agent" if base is None else "full-sensor agent (--full-sensors)"
        table.notes.append(
            f"No {missing} among the runs: the share of the gap closed is not defined."
        )
        return None
    top, bottom = full.successes, base.successes
    gap = bootstrap_function([top, bottom], generator, lambda a, b: a - b)
    if gap.estimate < SMALL_GAP:
        table.notes.append(
            f"The occlusion gap is {gap.estimate:.3f}, below {SMALL_GAP}: nothing to close here."
        )
        return gap
    certain = gap.known and gap.low > 0
    if not certain:
        extent = f"[{gap.low:.3f}, {gap.high:.3f}]" if gap.known else "unknown with a single run"
        table.notes.append(
            f"The occlusion gap is {gap.estimate:.3f}, its interval {extent}: not surely above 0, "
            "so shares of it have no interval."
        )
    for row in table.rows:
        if row is base:
            row.gap_closed = Interval(0.0, 0.0, 0.0)  # by definition, whatever the runs
        elif row.kind in ("agent", "lesion"):
            row.gap_closed = bootstrap_function(
                [row.successes, top, bottom], generator, lambda x, a, b: (x - b) / (a - b)
            )
            width = row.gap_closed.high - row.gap_closed.low
            if not certain or width == 0.0:  # runs that tie say nothing of their spread
                row.gap_closed = Interval(row.gap_closed.estimate, -np.inf, np.inf)
    return gap


def _improvements(rows: list[Row], base: Row, generator: np.random.Generator) -> None:
    for row in rows:
        if row is not base and row.kind in ("agent", "upper bound"):
            row.improvement = probability_of_improvement(row.successes, base.successes, generator)
