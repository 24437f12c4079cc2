"""Over all scenarios: stratified means of the agents that met every suite."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivemem.comparison.rows import Row, SuiteTable
from drivemem.comparison.statistics import (
    Interval,
    interquartile_mean,
    probability_of_improvement,
    rate_interval,
)


@dataclass(frozen=True)
class Overall:
    """One agent over all suites; a run counts once in each."""

    label: str
    runs: int
    """Fewest runs in any suite."""
    score: Interval
    """Share of episodes that succeed, or are on time where a scenario states a speed."""
    middle: Interval
    """Interquartile mean of the score over runs and suites."""
    improvement: float | None
    """Mean over suites of the probability of improvement over the baseline."""


def overall(tables: list[SuiteTable], seed: int = 0) -> list[Overall]:
    """Agents that met every scenario, best first.

    Empty with fewer than two scenarios, and where a scenario has several suites: full-sensor
    runs would count once in each.

    Args:
        tables: one for each suite.
        seed: of the resampling.
    """
    if len(tables) < 2 or len({table.scenario for table in tables}) < len(tables):
        return []
    generator = np.random.default_rng(seed)
    by_label = [{row.label: row for row in table.rows if row.is_trained} for table in tables]
    common = [label for label in by_label[0] if all(label in rows for rows in by_label)]
    found = []
    for label in common:
        rows = [rows[label] for rows in by_label]
        strata = [row.scores for row in rows]
        found.append(
            Overall(
                label, min(row.runs for row in rows),
                rate_interval(strata, generator),
                rate_interval(strata, generator, interquartile_mean),
                _improvement(rows, [table.base for table in tables], generator),
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: -one.score.estimate)


def _improvement(
    rows: list[Row], bases: list[Row | None], generator: np.random.Generator
) -> float | None:
    shares = []
    for row, base in zip(rows, bases, strict=True):
        if base is None or base is row or row.apart:
            return None
        found = probability_of_improvement(row.scores, base.scores, generator, repetitions=1)
        shares.append(found.estimate)
    return float(np.mean(shares))
