"""Exit recall in kernels: its reset, the gate, the committed choice, which exit is taken."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled import codes, random
from drivemem_envs.compiled.dynamics.spawn import place_on_lane
from drivemem_envs.compiled.records import IDLE, OneWorld
from drivemem_envs.compiled.tasks.world_edits import put_ego, take_traffic_away
from drivemem_envs.compiled.template import EGO, OTHER, Template
from drivemem_envs.scenarios.exit_recall import COMMIT_M, GATE_LATERAL_M, GATE_M, SPEED

# What a world remembers in an episode, in whole numbers.
EXIT, PASSED_GATE, CHOICES_LEFT = range(3)
STATE = 3

# Parameters: where the gate takes hold, its pose (m, m) and lane, and where an exit is taken, m.
GATE_FROM_X, GATE_X, GATE_Y, GATE_LANE, TAKEN_X = range(5)


def params_of(env: Any, lanes: dict[tuple[str, str, int], int]) -> list[float]:
    """Parameters of a live world.

    Args:
        env: the live world after a reset.
        lanes: row of each lane in the network's table.
    """
    gate = ("c", "d", env.middle)
    x, y = env.road.network.get_lane(gate).position(GATE_M, GATE_LATERAL_M)
    begin = env.fork_x - SPEED / env.config["policy_frequency"]
    return [begin, float(x), float(y), float(lanes[gate]), env.fork_x + COMMIT_M]


def task_state_of(signs: Floats) -> Ints:
    """What worlds remember after a reset (R, STATE).

    Args:
        signs: the one-hot signs (R, K).
    """
    task_state = np.zeros((len(signs), STATE), dtype=np.int64)
    task_state[:, EXIT] = signs.argmax(axis=1)
    task_state[:, CHOICES_LEFT] = signs.shape[1] // 2
    return task_state


@jit
def before(task_state: Ints, choice: float) -> float:
    """The action that is simulated: after the gate only the first ones count."""
    if task_state[PASSED_GATE] == 0:
        return choice
    committed = task_state[CHOICES_LEFT] == 0
    task_state[CHOICES_LEFT] = max(task_state[CHOICES_LEFT] - 1, 0)
    return float(IDLE) if committed else choice


@jit
def after(one: OneWorld, params: Floats, task_state: Ints) -> None:
    """`_gate`: fix what the ego could have stored a bit in, and take the traffic away."""
    ego = one.actors[one.world[0].ego]
    if task_state[PASSED_GATE] > 0 or ego.crashed or ego.x < params[GATE_FROM_X]:
        return
    task_state[PASSED_GATE] = 1
    put_ego(one, int(params[GATE_LANE]), params[GATE_X], params[GATE_Y], 0.0, SPEED)
    take_traffic_away(one)


@jit
def find_facts(one: OneWorld, params: Floats, task_state: Ints, facts: Floats) -> None:
    """`taken_exit`, as facts."""
    ego = one.actors[one.world[0].ego]
    taken = task_state[CHOICES_LEFT] == 0 and ego.x >= params[TAKEN_X]
    right = taken and one.lanes[ego.target_lane].number == task_state[EXIT]
    facts[codes.GOAL] = 1.0 if taken else 0.0
    facts[codes.RIGHT_GOAL] = 1.0 if right else 0.0
    facts[codes.WRONG_GOAL] = 1.0 if taken and not right else 0.0
    facts[codes.FIRST_TERM] = facts[codes.CRASHED]
    facts[codes.FIRST_TERM + 1] = facts[codes.RIGHT_GOAL]
    facts[codes.FIRST_TERM + 2] = facts[codes.WRONG_GOAL]


# ---- reset ------------------------------------------------------------------------------------

# Parameters of the reset. Lane rows: the lanes of the first road.
EXITS, TRUCKS, TRUCK_SPEED = range(3)
_START, _SPEED = 10.0, 20.0


def reset_params(env: Any) -> list[float]:
    """Parameters of an ExitRecallWorld."""
    config = env.config
    return [config["exits_count"], config["trucks_count"], config["truck_speed"]]


def reset_lane_rows(env: Any, rows: dict[Any, int]) -> list[int]:
    """The lanes of the first road."""
    return [rows["a", "b", number] for number in range(env.config["exits_count"])]


@jit(allocates=True)
def reset_scene(one: OneWorld, template: Template) -> int:
    """`ExitRecallWorld._reset`; returns the exit that the sign names."""
    params = template.params
    exits = int(params[EXITS])
    named = random.integers(one.stream, exits)
    lane = int(template.lane_rows[exits // 2])
    one.world[0].ego = place_on_lane(one, template, EGO, lane, _START, _SPEED)
    order = np.zeros(exits, np.int64)
    random.permutation(one.stream, order)
    for number in range(min(int(params[TRUCKS]), exits - 1)):
        along = 40.0 + 6.0 * number + random.uniform(one.stream, 0.0, 4.0)
        speed = params[TRUCK_SPEED]
        row = place_on_lane(
            one, template, OTHER, int(template.lane_rows[order[number]]), along, speed
        )
        one.actors[row].enable_lane_change = False
    return named
