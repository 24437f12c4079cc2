"""`scenarios.exit_recall.ExitRecallWorld` in kernels: the gate, the commitment, which exit."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled.records import IDLE, OneWorld
from drivemem_envs.compiled.tasks import reward as tasks
from drivemem_envs.compiled.tasks.world_edits import put_ego, take_traffic_away
from drivemem_envs.scenarios.exit_recall import COMMIT_M, GATE_LATERAL_M, GATE_M, SPEED

# What a world remembers in an episode, in whole numbers.
EXIT, PASSED_GATE, CHOICES_LEFT = range(3)
HIDDEN = 3

# Parameters: where the gate takes hold, its pose (m, m) and lane, and where an exit is taken, m.
GATE_FROM_X, GATE_X, GATE_Y, GATE_LANE, TAKEN_X = range(5)


def numbers_of(env: Any, lanes: dict[tuple[str, str, int], int]) -> list[float]:
    """Parameters of a live world.

    Args:
        env: the live world after a reset.
        lanes: row of each lane in the network's table.
    """
    gate = ("c", "d", env.middle)
    x, y = env.road.network.get_lane(gate).position(GATE_M, GATE_LATERAL_M)
    begin = env.fork_x - SPEED / env.config["policy_frequency"]
    return [begin, float(x), float(y), float(lanes[gate]), env.fork_x + COMMIT_M]


def hidden_of(signs: Floats) -> Ints:
    """What worlds remember after a reset (R, HIDDEN).

    Args:
        signs: the one-hot signs (R, K).
    """
    hidden = np.zeros((len(signs), HIDDEN), dtype=np.int64)
    hidden[:, EXIT] = signs.argmax(axis=1)
    hidden[:, CHOICES_LEFT] = signs.shape[1] // 2
    return hidden


@jit
def before(hidden: Ints, choice: float) -> float:
    """The action that is simulated: after the gate only the first ones count."""
    if hidden[PASSED_GATE] == 0:
        return choice
    committed = hidden[CHOICES_LEFT] == 0
    hidden[CHOICES_LEFT] = max(hidden[CHOICES_LEFT] - 1, 0)
    return float(IDLE) if committed else choice


@jit(inner=True)
def after(one: OneWorld, numbers: Floats, hidden: Ints) -> None:
    """`_gate`: fix what the ego could have stored a bit in, and take the traffic away."""
    ego = one.actors[one.world[0].ego]
    if hidden[PASSED_GATE] > 0 or ego.crashed or ego.x < numbers[GATE_FROM_X]:
        return
    hidden[PASSED_GATE] = 1
    put_ego(one, int(numbers[GATE_LANE]), numbers[GATE_X], numbers[GATE_Y], 0.0, SPEED)
    take_traffic_away(one)


@jit(inner=True)
def find_facts(one: OneWorld, numbers: Floats, hidden: Ints, facts: Floats) -> None:
    """`taken_exit`, as facts."""
    ego = one.actors[one.world[0].ego]
    taken = hidden[CHOICES_LEFT] == 0 and ego.x >= numbers[TAKEN_X]
    right = taken and one.lanes[ego.target_lane].number == hidden[EXIT]
    facts[tasks.GOAL] = 1.0 if taken else 0.0
    facts[tasks.RIGHT_GOAL] = 1.0 if right else 0.0
    facts[tasks.WRONG_GOAL] = 1.0 if taken and not right else 0.0
    facts[tasks.FIRST_TERM] = facts[tasks.CRASHED]
    facts[tasks.FIRST_TERM + 1] = facts[tasks.RIGHT_GOAL]
    facts[tasks.FIRST_TERM + 2] = facts[tasks.WRONG_GOAL]
