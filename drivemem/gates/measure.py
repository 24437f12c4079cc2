"""From evaluated runs to what the gates compare."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivemem.comparison.baseline import DEFAULT, Baseline
from drivemem.comparison.collect import collect
from drivemem.comparison.rows import Judged, Row, SuiteTable
from drivemem.comparison.tables import suite_table
from drivemem.gates.verdicts import ORACLE, Arm
from drivemem.studies.plan import Plan
from drivemem.studies.state import state_of
from drivemem_envs import Scenario
from drivemem_envs.metrics import judge_on_time


def measured(plan: Plan, scenario: Scenario) -> SuiteTable:
    """The table of all that is done of the study.

    Who was on time is judged by the speed that the scenario states now: its author may have moved
    it since the episodes were driven.

    Args:
        plan: the study of the gates.
        scenario: whose gates these are.

    Raises:
        DrivememError: nothing is done yet.
    """
    done = [cell for cell in plan.cells if state_of(plan.run(cell), cell).stage == "done"]
    names = {cell.name: cell.agent for cell in done}
    collection = collect([plan.run(cell).folder for cell in done], names)
    group = max(collection.groups, key=len)
    for one in group:
        outcomes = [str(row["outcome"]) for row in one.episodes]
        judged = judge_on_time(scenario.on_time_mps, outcomes, one.column("mean_speed"))
        for row, value in zip(one.episodes, judged, strict=True):
            row["on_time"] = float(value)
    return suite_table(group, Baseline.parse(DEFAULT))


def arms_in(table: SuiteTable, oracle: str | None) -> dict[str, Arm]:
    """The arms of a table by name, the oracle's whatever driver it is."""
    rows = {str(row.members[0].name): row for row in table.rows}
    by_time = table.times_differ and table.judged is not Judged.ON_TIME
    return {
        ORACLE if name == oracle else name: _arm(name, row, by_time) for name, row in rows.items()
    }


def _arm(name: str, row: Row, by_time: bool) -> Arm:
    members = row.members
    return Arm(
        name,
        tuple(float(scores.mean()) for scores in row.scores),
        tuple(float(one.column("collision").mean()) for one in members),
        tuple(_time(one, by_time) for one in members),
        row.episodes,
    )


def _time(one: Any, by_time: bool) -> float:
    """Travel time of a run's successful episodes, s; where all take equally long, s for a metre."""
    if not by_time:
        speed = float(np.nanmean(one.column("mean_speed")))
        return 1.0 / speed if speed > 0 else float("nan")
    times = one.column("duration_s")[one.column("success") > 0]
    return float(times.mean()) if len(times) else float("nan")
