"""Comparison tables: a row for each agent, intervals over its runs, reference rows beside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from drivemem.comparison.baseline import Baseline, decisions, unlike
from drivemem.comparison.collect import StoredEvaluation
from drivemem.comparison.differences import compare_rows
from drivemem.comparison.front import note_front, travel_s
from drivemem.comparison.gaps import fill_in_gaps
from drivemem.comparison.rows import KINDS, OTHER, About, Judged, Row, SuiteTable
from drivemem.comparison.statistics import (
    MIN_RUNS,
    interquartile_mean,
    probability_of_improvement,
    rate_interval,
    share_interval,
)
from drivemem.lesions import INTACT, split_dose
from drivemem.schemas import MEASURES


def suite_table(
    group: list[StoredEvaluation], baseline: Baseline, unequal: bool = False, seed: int = 0
) -> SuiteTable:
    """The table of evaluations that met the same episodes.

    Args:
        group: from `collect`.
        baseline: whom others are compared with.
        unequal: compare with it also agents that were trained for longer, or on something else.
        seed: of the resampling.
    """
    generator = np.random.default_rng(seed)
    judged = _judged(group)
    rows = [
        _row(members, variant, judged, generator) for members, variant in _by_agent(group, baseline)
    ]
    first = next((one for one in group if not one.first["full_sensors"]), group[0])
    table = SuiteTable(
        first.suite["scenario"], first.suite["hash"], len(first.episodes), rows, [], baseline
    )
    _choose_base(table)
    _keep_apart(table, unequal)
    fill_in_gaps(table, generator)
    if table.base is not None:
        _improvements(rows, table.base, generator)
    compare_rows(table, generator)
    note_front(table)
    _note_submissions(table)
    few = [row.label for row in rows if row.is_trained and row.runs < MIN_RUNS]
    if few:
        table.note(
            About.FEW_RUNS,
            f"Fewer than {MIN_RUNS} training runs for {', '.join(few)}: read the intervals, claim "
            "nothing. A single run's interval is over its episodes and says nothing of other runs.",
        )
    _sort(rows)
    return table


_REASONS = (
    "most agents were trained as it was",
    "it was trained for most decisions",
    "nothing is added to it",
    "it has most runs",
    "it comes first by name",
)
"""Why one of several rows is the baseline, in the order in which they decide."""


def _choose_base(table: SuiteTable) -> None:
    """Set the row that others are compared with, and why it is this one."""

    def rank(row: Row) -> tuple[int, int, int, int, str]:
        one = row.members[0]
        others = [other for other in table.rows if other.kind in ("agent", "upper bound")]
        alike = sum(not unlike(other.members[0], one) for other in others)
        return -alike, -decisions(one), len(one.agent()), -row.runs, row.label

    kinds = ("agent", "submitted", "upper bound", "reference")
    found = sorted(
        (row for row in table.rows
         if row.kind in kinds and table.baseline.names(row.members[0], row.label)),
        key=rank,
    )  # fmt: skip
    if not found:
        return
    base = table.base = found[0]
    if len(found) == 1:
        table.chosen = f"the only {table.baseline.noun} here"
        return
    pairs = zip(rank(base), rank(found[1]), _REASONS, strict=True)
    table.chosen = next(why for mine, theirs, why in pairs if mine != theirs)
    table.note(
        About.BASELINE,
        f"There are {len(found)} rows of the {table.baseline.noun}: others are compared with "
        f"{base.label}, since {table.chosen}.",
    )


def _keep_apart(table: SuiteTable, unequal: bool) -> None:
    """Mark rows that were trained otherwise than the baseline, and say so."""
    if table.base is None:
        return
    told = []
    for row in table.rows:
        why = unlike(row.members[0], table.base.members[0])
        row.apart = "" if unequal else why
        if why and row.is_trained:
            told.append(f"{row.label} ({why})")
    if told:
        how = "Compared as asked, although" if unequal else "Not compared, as"
        way = "" if unequal else " `--unequal` compares them all the same."
        table.note(
            About.UNLIKE,
            f"{how} trained otherwise than {table.base.label}: {', '.join(told)}.{way}",
        )


def _note_submissions(table: SuiteTable) -> None:
    """Say who submitted what, and what it saw, in the words of its submission."""
    members = [one for row in table.rows for one in row.members]
    said = [one.submission.manifest.told() for one in members if one.submission is not None]
    if said:
        table.note(About.SUBMITTED, " ".join(dict.fromkeys(said)))


def _sort(rows: list[Row]) -> None:
    """By kind, then by score; lesions by agent, lesion and dose."""
    kinds = list(KINDS)

    def key(row: Row) -> tuple[object, ...]:
        place = kinds.index(row.kind)
        if row.kind != "lesion":
            return place, -row.score.estimate
        name, dose = split_dose(row.lesion)
        return place, row.intact, name, *((0.0, row.lesion) if dose is None else (dose, ""))

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


def _by_agent(
    group: list[StoredEvaluation], baseline: Baseline
) -> list[tuple[list[StoredEvaluation], str]]:
    """Runs by what was trained and cut, with the settings that tell agents of one name apart.

    Runs that differ in more than their seed are other agents, whether or not they were cut; a
    single run that is the baseline stands alone.
    """
    by_name: dict[str, list[StoredEvaluation]] = {}
    by_label: dict[str, list[StoredEvaluation]] = {}
    for one in group:
        by_name.setdefault(one.agent(), []).append(one)
        by_label.setdefault(one.label(), []).append(one)
    differing = {name: _differing(members) for name, members in by_name.items()}
    rows: dict[tuple[str, str], list[StoredEvaluation]] = {}
    for label, members in by_label.items():
        for one in members:
            parts = [_setting(one, key) for key in differing[one.agent()]]
            parts += [f"run {one.run.name}"] if baseline.is_run(one) and not one.is_driver else []
            variant = ", ".join(parts)
            rows.setdefault((label, variant), []).append(one)
    return [(members, variant) for (_, variant), members in rows.items()]


def _differing(members: list[StoredEvaluation]) -> list[str]:
    """Settings other than the seed in which runs differ."""
    keys = sorted(set().union(*(one.settings for one in members)) - {"seed", "driver"})
    return [key for key in keys if len({_setting(one, key) for one in members}) > 1]


def _setting(one: StoredEvaluation, key: str) -> str:
    value = one.settings.get(key)
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or f"no {key}"
    return f"{key}={value if isinstance(value, str) else json.dumps(value)}"


def _judged(group: list[StoredEvaluation]) -> Judged:
    """On time, where that is known of all episodes."""
    known = all(np.isfinite(one.column(Judged.ON_TIME)).all() for one in group)
    return Judged.ON_TIME if known else Judged.SUCCESS


def _row(
    members: list[StoredEvaluation], variant: str, judged: Judged, generator: np.random.Generator
) -> Row:
    first = members[0]
    facts = first.first
    successes = [one.column(Judged.SUCCESS) for one in members]
    success = score = share_interval(successes, generator)
    middle = None
    if len(members) >= 4:
        middle = rate_interval([successes], generator, interquartile_mean)
    if judged is not Judged.SUCCESS:
        score = share_interval([one.column(judged) for one in members], generator)
    names = ("success", "collision", *OTHER)
    outcomes = {name: float(np.mean([one.share(name) for one in members])) for name in names}
    return Row(
        label=first.label(variant), kind=_kind(first), intact=first.label(variant, lesion=INTACT),
        driver=facts["driver"], lesion=facts["lesion"], tracker=facts["tracker"],
        runs=len(members), episodes=len(first.episodes), success=success, judged=judged,
        score=score, travel_s=travel_s(members, generator), collision=outcomes["collision"],
        other=sum(outcomes[name] for name in OTHER), mean_return=_mean(members, "return") or 0.0,
        mean_speed=_mean(members, "mean_speed") or 0.0, outcomes=outcomes, members=members,
        metrics={name: _mean(members, name) for name in MEASURES}, middle=middle,
    )  # fmt: skip


def _kind(one: StoredEvaluation) -> str:
    if one.is_submitted:
        return "submitted"
    if one.is_driver:
        return "reference"
    if one.first["lesion"] != INTACT:
        return "lesion"
    if not one.first["deterministic"]:
        return "sampled"
    return "upper bound" if one.first["full_sensors"] else "agent"


def _mean(members: list[StoredEvaluation], column: str) -> float | None:
    """Mean over runs of each run's mean over the episodes where the column is defined."""
    columns = [one.column(column) for one in members]
    means = [float(np.nanmean(one)) for one in columns if np.isfinite(one).any()]
    return float(np.mean(means)) if means else None


def _improvements(rows: list[Row], base: Row, generator: np.random.Generator) -> None:
    for row in rows:
        if row is not base and row.is_trained and not row.apart:
            row.improvement = probability_of_improvement(row.scores, base.scores, generator)
