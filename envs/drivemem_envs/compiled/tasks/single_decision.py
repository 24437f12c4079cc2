"""Worlds with a single decision in kernels: the world's script as a table of numbers, its reset.

The model is `SingleDecisionWorld` of `drivemem_envs.scenarios`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled import codes, random
from drivemem_envs.compiled.dynamics.spawn import place_on_lane
from drivemem_envs.compiled.records import IDLE, NONE, OneWorld
from drivemem_envs.compiled.template import EGO, Template
from drivemem_envs.scenarios.shared.single_decision import (
    ANY,
    LIMIT_TOLERANCE,
    along_at_start,
    slip_of,
)

# What a world remembers in an episode, in whole numbers.
KIND, CHOICE, CLOCK = range(3)
STATE = 3

# Parameters: the choice's decision, the way's direction, goal and rule zone (m), and how many
# kinds, events, phases and rules follow, as rows of DEADLINE … RULE columns each.
RELEASE, DIRECTION_X, DIRECTION_Y, GOAL_M, ZONE_FROM, ZONE_TO, KINDS, EVENTS, PHASES, RULES = range(
    10
)
HEAD = 10
# An event: its kind, when, whose row, whether it moves (else accelerates), three params.
EVENT_KIND, EVENT_AT, EVENT_ROW, EVENT_MOVES, EVENT_A, EVENT_B, EVENT_C = range(7)
EVENT = 7
# A phase: after which choice, when, speed m/s, the row of a lane or NONE.
PHASE_CHOICE, PHASE_AT, PHASE_SPEED, PHASE_LANE = range(4)
PHASE = 4
# A rule: its kind, from and to which decision, limit m/s.
RULE_KIND, RULE_FROM, RULE_TO, RULE_LIMIT = range(4)
RULE = 4


def params_of(env: Any, lanes: dict[tuple[str, str, int], int]) -> list[float]:
    """Parameters of a live world.

    Args:
        env: the live world after a reset.
        lanes: row of each lane in the network's table.
    """
    script, course = env._script, env.course()
    cars = len(env.cars())
    head = [
        script.decision_step, *course.direction, course.goal_m, *course.zone_m,
        len(script.deadlines), len(script.events), len(script.plans), len(script.rules),
        *script.deadlines,
    ]  # fmt: skip
    for kind, at, actor, moves, *rest in script.events:
        # Cars come behind the ego; signs count from -1 down, for where objects begin is not known.
        row = actor + 1 if actor < cars else cars - actor - 1
        head += [kind, at, row, moves, *rest]
    for choice, at, speed, lane in script.plans:
        head += [choice, at, speed, NONE if lane is None else lanes[lane]]
    for rule in script.rules:
        head += rule
    return [float(each) for each in head]


def task_state_of(kinds: Floats) -> Ints:
    """What worlds remember after a reset (R, STATE).

    Args:
        kinds: the one-hot kinds of scenes (R, K).
    """
    task_state = np.zeros((len(kinds), STATE), dtype=np.int64)
    task_state[:, KIND] = kinds.argmax(axis=1)
    task_state[:, CHOICE] = ANY
    return task_state


@jit
def _happen(one: OneWorld, params: Floats, task_state: Ints, first: int) -> None:
    """Let happen to cars and signs what is due."""
    for event in range(int(params[EVENTS])):
        at = first + EVENT * event
        kind = params[at + EVENT_KIND]
        if params[at + EVENT_AT] != task_state[CLOCK] or (kind != ANY and kind != task_state[KIND]):
            continue
        row = int(params[at + EVENT_ROW])
        it = one.actors[row if row > 0 else one.world[0].first_object - 1 - row]
        if params[at + EVENT_MOVES] > 0.0:
            it.x, it.y = params[at + EVENT_A], params[at + EVENT_B]
            it.speed = params[at + EVENT_C]
        else:
            it.steering, it.acceleration = 0.0, params[at + EVENT_A]


@jit
def before(one: OneWorld, params: Floats, task_state: Ints, action: float) -> float:
    """`_simulate`, up to highway-env's: what is planned and what happens in this decision.

    Args:
        one: the world.
        params: the script, see `params_of`.
        task_state: (STATE,) of this world.
        action: what the agent chose.

    Returns:
        The action that is simulated.
    """
    if task_state[CLOCK] == params[RELEASE]:
        task_state[CHOICE] = int(action)
    first = HEAD + int(params[KINDS])
    _happen(one, params, task_state, first)
    first += EVENT * int(params[EVENTS])
    ego = one.actors[one.world[0].ego]
    for phase in range(int(params[PHASES])):
        at = first + PHASE * phase
        choice = params[at + PHASE_CHOICE]
        if params[at + PHASE_AT] == task_state[CLOCK] and (
            choice == ANY or choice == task_state[CHOICE]
        ):
            ego.target_speed = params[at + PHASE_SPEED]
            if params[at + PHASE_LANE] != NONE:
                ego.target_lane = int(params[at + PHASE_LANE])
    task_state[CLOCK] += 1
    return float(IDLE)


@jit
def _violates(params: Floats, task_state: Ints, way: float, speed: float) -> bool:
    """`is_violation`."""
    if way < params[ZONE_FROM] or way > params[ZONE_TO]:
        return False
    first = HEAD + int(params[KINDS]) + EVENT * int(params[EVENTS]) + PHASE * int(params[PHASES])
    for rule in range(int(params[RULES])):
        at = first + RULE * rule
        kind = params[at + RULE_KIND]
        if (
            (kind == ANY or kind == task_state[KIND])
            and params[at + RULE_FROM] <= task_state[CLOCK]
            and task_state[CLOCK] < params[at + RULE_TO]
            and speed > params[at + RULE_LIMIT] + LIMIT_TOLERANCE
        ):
            return True
    return False


@jit
def find_facts(one: OneWorld, params: Floats, task_state: Ints, facts: Floats) -> None:
    """`is_violation`, `is_success` and `is_late`, as facts."""
    ego = one.actors[one.world[0].ego]
    way = params[DIRECTION_X] * ego.x + params[DIRECTION_Y] * ego.y
    violation = _violates(params, task_state, way, ego.speed)
    success = way >= params[GOAL_M] and not violation
    due = params[RELEASE] + params[HEAD + task_state[KIND]]
    late = task_state[CLOCK] >= due and not success and not violation
    intact = facts[codes.CRASHED] == 0.0
    facts[codes.GOAL] = 1.0 if success or violation or late else 0.0
    facts[codes.RIGHT_GOAL] = 1.0 if success else 0.0
    facts[codes.VIOLATION] = 1.0 if violation else 0.0
    facts[codes.FIRST_TERM] = facts[codes.CRASHED]
    facts[codes.FIRST_TERM + 1] = 1.0 if success and intact else 0.0
    facts[codes.FIRST_TERM + 2] = 1.0 if late and intact else 0.0
    facts[codes.FIRST_TERM + 3] = 1.0 if violation and intact else 0.0


# ---- reset ------------------------------------------------------------------------------------

# Parameters of the reset: as named here; then, for each car, where it is measured (m along its
# lane), windows of its arrival for each kind and windows of its speed for each kind. Lane rows: the
# lanes of the ego and of each car.
RESET_KINDS, RESET_RELEASE_S, RESET_EGO_ALONG, RESET_PACE = range(4)
RESET_HEAD = 4

_along_at_start = jit(along_at_start)
_slip_of = jit(slip_of)


def reset_params(env: Any) -> list[float]:
    """Parameters of a SingleDecisionWorld."""
    params = [
        env.latent_classes(),
        env.decision_time_s(),
        env.ego_start()[1],
        env.config["approach_speed"],
    ]
    for car in env.cars():
        params.append(car.at_m)
        params += [each for window in car.arrival_s for each in window]
        params += [each for window in car.speed for each in window]
    return [float(each) for each in params]


def reset_lane_rows(env: Any, rows: dict[Any, int]) -> list[int]:
    """The lanes of the ego and the cars."""
    return [rows[env.ego_start()[0]], *(rows[car.lane] for car in env.cars())]


@jit
def reset_scene(one: OneWorld, template: Template) -> int:
    """`SingleDecisionWorld._reset`; returns the kind of scene."""
    params, lane_rows = template.params, template.lane_rows
    kinds = int(params[RESET_KINDS])
    kind = random.integers(one.stream, kinds)
    one.world[0].ego = place_on_lane(
        one, template, EGO, int(lane_rows[0]), params[RESET_EGO_ALONG], params[RESET_PACE]
    )
    for car in range(1, lane_rows.shape[0]):
        at = RESET_HEAD + (1 + 4 * kinds) * (car - 1)
        window = at + 1 + 2 * kind
        arrival = random.uniform(one.stream, params[window], params[window + 1])
        window += 2 * kinds
        speed = random.uniform(one.stream, params[window], params[window + 1])
        start = _along_at_start(params[at], speed, arrival, params[RESET_RELEASE_S])
        it = one.actors[place_on_lane(one, template, car, int(lane_rows[car]), start, speed)]
        if it.steering != 0.0:  # its prototype steers along a circle
            it.heading -= _slip_of(it.steering)
            it.cos_heading, it.sin_heading = math.cos(it.heading), math.sin(it.heading)
    return kind
