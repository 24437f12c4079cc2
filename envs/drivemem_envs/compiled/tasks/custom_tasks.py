"""What tasks do besides `facts`: the kernels of those that have a file of their own.

To add one: write its file as `exit_recall` is written, give it a code in `codes` and a row in
`families.FAMILIES`, and a line in each function here that it needs. A task from CUSTOM on writes
the facts FIRST_TERM …, RIGHT_GOAL, WRONG_GOAL and GOAL; reward, end and outcome follow from these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, jit
from drivemem_envs.compiled.codes import (
    EXIT_RECALL,
    FAMILY,
    KEEPING,
    PARKING,
    SINGLE_DECISION,
)
from drivemem_envs.compiled.records import OneWorld
from drivemem_envs.compiled.tasks import exit_recall, lane_keeping, parking, single_decision
from drivemem_envs.compiled.tasks.facts import Task


@jit
def before(one: OneWorld, task: Task, index: int, action: NDArray[np.float32]) -> float:
    """What a world does before it simulates a decision.

    Args:
        one: the world.
        task: of all worlds.
        index: which world it is.
        action: (2,) what the agent chose.

    Returns:
        The choice that is simulated.
    """
    family = task.vector[FAMILY]
    if family == EXIT_RECALL:
        return exit_recall.before(task.task_state[index], action[0])
    if family == SINGLE_DECISION:
        return single_decision.before(one, task.params, task.task_state[index], action[0])
    if family == KEEPING:
        lane_keeping.steer(one, task.params, task.task_state[index], action)
    return float(action[0])


@jit
def after(one: OneWorld, task: Task, index: int) -> None:
    """What a world does when a decision is simulated, before it is perceived; see `before`."""
    if task.vector[FAMILY] == EXIT_RECALL:
        exit_recall.after(one, task.params, task.task_state[index])


@jit
def find_facts(one: OneWorld, task: Task, index: int, facts: Floats) -> None:
    """Write what a world knows besides the facts that all worlds have.

    Args:
        one: the world, after a decision.
        task: of all worlds.
        index: which world it is.
        facts: (FACTS,) with the facts that all worlds have; some are overwritten.
    """
    family = task.vector[FAMILY]
    if family == EXIT_RECALL:
        exit_recall.find_facts(one, task.params, task.task_state[index], facts)
    elif family == SINGLE_DECISION:
        single_decision.find_facts(one, task.params, task.task_state[index], facts)
    elif family == PARKING:
        parking.find_facts(one, task.params, task.task_state[index], task.vector, facts)
    elif family == KEEPING:
        lane_keeping.find_facts(one, task.params, task.task_state[index], facts)
