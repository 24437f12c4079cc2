"""Worlds that the facts of `facts` do not suffice for; each has a file of its own, see `worlds`.

To add one: write its file as `exit_recall` is written, and a line in `WORLDS` and in each function
here that it needs. A world of drivemem's own names its terms, and writes the facts FIRST_TERM …,
RIGHT_GOAL, WRONG_GOAL and GOAL; reward, end and outcome follow from these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled.records import OneWorld
from drivemem_envs.compiled.tasks import exit_recall, lane_keeping, parking
from drivemem_envs.compiled.tasks import reward as tasks
from drivemem_envs.compiled.tasks import single_decision as commitment
from drivemem_envs.compiled.tasks.facts import Task

Lanes = dict[tuple[str, str, int], int]


class OwnWorld(NamedTuple):
    """What such a world gives its kernels."""

    family: float
    """Its code in `tasks`."""
    path: str
    """`module:Class`."""
    numbers_of: Callable[[Any, Lanes], list[float]]
    """Parameters of a live world (P,), given the row of each lane in the network's table."""
    hidden_of: Callable[[Any], list[int]]
    """What a live world remembers in an episode (H,), after a reset."""


WORLDS = (
    OwnWorld(
        tasks.EXIT_RECALL,
        "drivemem_envs.scenarios.exit_recall:ExitRecallWorld",
        exit_recall.numbers_of,
        lambda env: [int(each) for each in exit_recall.hidden_of(env.latent()[None])[0]],
    ),
    OwnWorld(
        tasks.COMMITMENT,
        "drivemem_envs.scenarios._shared.single_decision:SingleDecisionWorld",
        commitment.numbers_of,
        lambda env: [int(each) for each in commitment.hidden_of(env.latent()[None])[0]],
    ),
    OwnWorld(
        tasks.PARKING,
        "highway_env.envs.parking_env:ParkingEnv",
        lambda env, _: parking.numbers_of(env),
        parking.hidden_of,
    ),
    OwnWorld(
        tasks.KEEPING,
        "highway_env.envs.lane_keeping_env:LaneKeepingEnv",
        lambda _, lanes: lane_keeping.numbers_of(lanes),
        lane_keeping.hidden_of,
    ),
)


def numbers_of(family: float, env: Any, lanes: Lanes) -> Floats:
    """Parameters of a live world (P,); none for families without a file.

    Args:
        family: a code of `tasks`.
        env: the reference environment.
        lanes: row of each lane in the network's table.
    """
    known = [
        each for world in WORLDS if world.family == family for each in world.numbers_of(env, lanes)
    ]
    return np.array(known, dtype=np.float64)


def hidden_of(env: Any, family: float) -> Ints:
    """What a live world remembers in an episode (H,), after a reset.

    Args:
        env: the reference environment.
        family: its task's code.
    """
    known = [each for world in WORLDS if world.family == family for each in world.hidden_of(env)]
    return np.array(known, dtype=np.int64)


def from_latent(world: type[Any]) -> Callable[[Floats], Ints]:
    """What worlds of a class remember after a reset (R, H), given what they hide (R, L)."""
    known = {"ExitRecallWorld": exit_recall.hidden_of, "SingleDecisionWorld": commitment.hidden_of}
    return known.get(world.__name__, lambda latent: np.zeros((len(latent), 0), np.int64))


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
    family = task.vector[tasks.FAMILY]
    if family == tasks.EXIT_RECALL:
        return exit_recall.before(task.hidden[index], action[0])
    if family == tasks.COMMITMENT:
        return commitment.before(one, task.numbers, task.hidden[index], action[0])
    if family == tasks.KEEPING:
        lane_keeping.steer(one, task.numbers, task.hidden[index], action)
    return float(action[0])


@jit(inner=True)
def after(one: OneWorld, task: Task, index: int) -> None:
    """What a world does when a decision is simulated, before it is perceived; see `before`."""
    if task.vector[tasks.FAMILY] == tasks.EXIT_RECALL:
        exit_recall.after(one, task.numbers, task.hidden[index])


@jit(inner=True)
def find_facts(one: OneWorld, task: Task, index: int, facts: Floats) -> None:
    """Write what a world knows besides the facts that all worlds have.

    Args:
        one: the world, after a decision.
        task: of all worlds.
        index: which world it is.
        facts: (FACTS,) with the facts that all worlds have; some are overwritten.
    """
    family = task.vector[tasks.FAMILY]
    if family == tasks.EXIT_RECALL:
        exit_recall.find_facts(one, task.numbers, task.hidden[index], facts)
    elif family == tasks.COMMITMENT:
        commitment.find_facts(one, task.numbers, task.hidden[index], facts)
    elif family == tasks.PARKING:
        parking.find_facts(one, task.numbers, task.hidden[index], task.vector, facts)
    elif family == tasks.KEEPING:
        lane_keeping.find_facts(one, task.numbers, task.hidden[index], facts)
