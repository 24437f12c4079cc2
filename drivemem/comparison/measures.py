"""Measures of memory over compared suites: curves of lesions, delays and size, and transfer.

Each is computed from the rows of `drivemem.comparison`, so it has the same intervals over runs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from drivemem.comparison.collect import StoredEvaluation, bare
from drivemem.comparison.rows import Row, SuiteTable
from drivemem.comparison.statistics import Interval, bootstrap
from drivemem.comparison.tables import all_conditions
from drivemem.errors import DrivememError
from drivemem.lesions import lesion_info, lesions, split_dose, split_lesion
from drivemem.runs import Run


@dataclass(frozen=True)
class Point:
    """The score (success, or on time) at one value of what is varied."""

    x: float
    score: Interval
    runs: int


@dataclass(frozen=True)
class Curve:
    """The score of one agent against what is varied, in rising order."""

    label: str
    points: tuple[Point, ...]
    intact: Interval | None = None
    """The score without the lesion; None where nothing is cut."""


@dataclass(frozen=True)
class Size:
    """What an agent's memory costs, and what it achieves."""

    label: str
    state_bytes: int
    parameters: int
    score: Interval
    runs: int


@dataclass(frozen=True)
class Transfer:
    """Success of agents by the scenario that they were trained on and the one they met."""

    trained: tuple[str, ...]
    met: tuple[str, ...]
    scores: dict[tuple[str, str], tuple[Interval, int]]
    """(trained, met) to the score there (success, or being on time) and the number of runs; pairs
    that were not driven are absent."""


@dataclass(frozen=True)
class Generalisation:
    """Score of the same runs on the episodes that they were trained on, and on unseen ones."""

    label: str
    runs: int
    trained: float
    unseen: float
    loss: Interval
    """Score on trained episodes less that on unseen ones, runs paired."""


@dataclass(frozen=True)
class Forgetting:
    """Score on the first scenario before and after the same agents learned a second one."""

    label: str
    """The agent before."""
    second: str
    """The scenario learned since."""
    consolidation: float
    """Weight of the penalty that held its weights meanwhile; 0: none."""
    runs: int
    before: float
    after: float
    loss: Interval
    """Before less after, each run paired with the one that started from it."""


def forgetting(table: SuiteTable) -> list[Forgetting]:
    """What agents forgot of this suite by training on another scenario (`train --start-from`).

    Args:
        table: of a suite that the agents were trained for first.
    """
    generator = np.random.default_rng(0)
    rows = [row for row in table.rows if row.kind == "agent"]
    before = {one.run.folder.resolve(): (row, one) for row in rows for one in row.members}
    pairs: dict[tuple[str, str, float], list[tuple[float, float]]] = {}
    for one in (one for row in rows for one in row.members if one.start is not None):
        found = before.get(one.start.resolve()) if one.start is not None else None
        if found is None or one.trained_on == bare(table.scenario):
            continue
        held = float(one.settings.get("consolidation_coef") or 0.0)
        key = (found[0].label, str(one.trained_on), held)
        means = [float(which.column(table.judged).mean()) for which in (found[1], one)]
        pairs.setdefault(key, []).append((means[0], means[1]))
    return [
        Forgetting(
            label, second, held, len(of), float(np.mean([a for a, _ in of])),
            float(np.mean([b for _, b in of])),
            bootstrap([np.array([[a - b] for a, b in of])], generator),
        )
        for (label, second, held), of in sorted(pairs.items())
    ]  # fmt: skip


def generalisation(table: SuiteTable, training: Sequence[StoredEvaluation]) -> list[Generalisation]:
    """How much of the score is lost on unseen episodes: what an agent has learned by heart.

    Args:
        table: of a suite of unseen episodes.
        training: evaluations of its runs with `--suite train`.
    """
    generator = np.random.default_rng(0)
    found = []
    for row in table.rows:
        pairs = [
            (own.column(table.judged).mean(), one.column(table.judged).mean())
            for one in row.members
            for own in training
            if own.run.folder == one.run.folder
            and own.label() == one.label()
            and own.suite["scenario"] == table.scenario
        ]
        pairs = [pair for pair in pairs if np.isfinite(pair).all()]  # older ones lack `on_time`
        if pairs and row.kind != "reference":
            trained, unseen = np.array(pairs).T
            loss = bootstrap([(trained - unseen)[:, None]], generator)
            means = float(trained.mean()), float(unseen.mean())
            found.append(Generalisation(row.label, len(pairs), *means, loss))
    return found


def lesion_curves(table: SuiteTable, lesion: str) -> list[Curve]:
    """Dose-response of a lesion: span curve, curves of pruning, of noise and so on.

    A lesion that passes, such as a burst of foreign observations, has a recovery curve: its age
    at the end of an intact episode (the median) in place of its dose.

    Args:
        table: of one suite.
        lesion: name of one that is registered with an axis; with what is no dose behind it, such
            as `contaminate:x3`.

    Returns:
        A curve for each agent that met at least two doses.

    Raises:
        DrivememError: a lesion without a dose.
    """
    info = lesion_info(lesion)
    if info is None or not info.axis:
        doses = ", ".join(name for name, one in lesions().items() if one.axis)
        raise DrivememError(f"lesion '{lesion}' has no dose (one of: {doses})")
    intact = {row.label: row for row in table.rows}
    points: dict[str, list[Point]] = {}
    for row in table.rows:
        if row.dose is not None and split_dose(row.lesion)[0] == lesion:
            x = _place(row, intact.get(row.intact))
            if x is not None:
                points.setdefault(row.intact, []).append(Point(x, row.score, row.runs))
    return [
        Curve(label, _rising(of_label), intact[label].score if label in intact else None)
        for label, of_label in points.items()
        if len(of_label) > 1
    ]


def _place(row: Row, intact: Row | None) -> float | None:
    """Where a lesion's row stands on its curve's axis; None if that is not known."""
    if row.cut is None or row.cut.over is None:
        return row.dose
    if intact is None:
        return None
    lengths = np.concatenate([one.column("length") for one in intact.members])
    return float(np.median(lengths)) - row.cut.over(split_lesion(row.lesion)[1])


def swept_lesions(table: SuiteTable) -> dict[str, list[Curve]]:
    """All lesions of a table that were given in at least two doses, with their curves."""
    given = {split_dose(row.lesion)[0] for row in table.rows if row.dose is not None}
    order = list(lesions())
    names = sorted(given, key=lambda name: (order.index(split_lesion(name)[0]), name))
    curves = {name: lesion_curves(table, name) for name in names}
    return {name: found for name, found in curves.items() if found}


def retention_curves(tables: Sequence[SuiteTable]) -> dict[str, list[Curve]]:
    """Success against how long something must be remembered, or how much is hidden.

    Suites of one scenario that differ in a single number (a dial such as the delay of a cue, or
    a limit of the sensors such as the mean length of a blackout) are points of one curve.

    Args:
        tables: one for each suite.

    Returns:
        "scenario: what is varied" to a curve for each agent that met at least two values.
    """
    by_scenario: dict[str, list[SuiteTable]] = {}
    for table in tables:
        by_scenario.setdefault(table.scenario, []).append(table)
    found: dict[str, list[Curve]] = {}
    for scenario, suites in by_scenario.items():
        varied = _varied(all_conditions(suites))
        if varied is None:
            continue
        key, values = varied
        points: dict[str, list[Point]] = {}
        # Several suites of one value differ in their number of episodes: the fullest counts.
        fullest: dict[float, SuiteTable] = {}
        for table, value in zip(suites, values, strict=True):
            kept = fullest.setdefault(value, table)
            if (len(table.rows), table.episodes) > (len(kept.rows), kept.episodes):
                fullest[value] = table
        for value, table in fullest.items():
            for row in table.rows:
                if row.kind != "lesion":
                    point = Point(value, row.score, row.runs)
                    points.setdefault(row.label, []).append(point)
        curves = [Curve(label, _rising(p)) for label, p in points.items() if len(p) > 1]
        if curves:
            found[f"{scenario}: {key}"] = curves
    return found


def memory_sizes(table: SuiteTable) -> list[Size]:
    """The capacity curve: bytes of memory state carried against success, a point per agent.

    Agents whose runs have no manifest, or differ in size among themselves, are left out.
    """
    sizes = []
    for row in table.rows:
        if row.kind != "agent":
            continue
        facts = {_facts(one.run) for one in row.members}
        if len(facts) == 1 and (found := facts.pop()) is not None:
            sizes.append(Size(row.label, *found, row.score, row.runs))
    return sorted(sizes, key=lambda size: size.state_bytes)


def transfer_matrix(tables: Sequence[SuiteTable], memory: str) -> Transfer | None:
    """Zero-shot transfer: agents of one memory trained on A, evaluated on A and on B.

    Args:
        tables: one for each suite.
        memory: name of the memory, such as `gru`.

    Returns:
        The matrix; None unless some agent met a scenario that it was not trained on. Where
        several agents of the memory share a cell, it holds one of those that were trained for the
        most decisions, of these the best, so that no cell flatters.
    """
    cells: dict[tuple[str, str], Row] = {}
    for table in tables:
        for row in table.rows:
            if row.kind != "agent" or row.driver != memory:
                continue
            if any(one.start is not None for one in row.members):
                continue  # it knows two scenarios: see `forgetting`
            trained = {one.trained_on for one in row.members}
            home = trained.pop()
            if trained or home is None:
                continue
            pair = (home, bare(table.scenario))
            cells[pair] = max(cells.get(pair, row), row, key=_trained_and_good)
    if all(trained == met for trained, met in cells):
        return None
    return Transfer(
        tuple(sorted({pair[0] for pair in cells})),
        tuple(sorted({pair[1] for pair in cells})),
        {pair: (row.score, row.runs) for pair, row in cells.items()},
    )


def _trained_and_good(row: Row) -> tuple[float, float]:
    """Decisions trained for, and the score."""
    return min(float(one.settings.get("steps") or 0) for one in row.members), row.score.estimate


def _rising(points: list[Point]) -> tuple[Point, ...]:
    return tuple(sorted(points, key=lambda point: point.x))


def _varied(conditions: list[dict[str, Any]]) -> tuple[str, list[float]] | None:
    """The only key whose values differ, if they are numbers."""
    keys = sorted(set().union(*conditions))
    texts = {key: [json.dumps(one.get(key)) for one in conditions] for key in keys}
    differing = [key for key, values in texts.items() if len(set(values)) > 1]
    if len(differing) != 1:
        return None
    values = [one.get(differing[0]) for one in conditions]
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        return None
    return differing[0], [float(value) for value in values if value is not None]


def _facts(run: Run) -> tuple[int, int] | None:
    try:
        facts = run.manifest()
        return int(facts["memory_state_bytes"]), int(facts["parameters"])
    except (DrivememError, KeyError, TypeError, ValueError):
        return None
