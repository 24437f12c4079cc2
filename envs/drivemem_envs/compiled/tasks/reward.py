"""What each family of tasks rewards and when it ends, as one kernel over facts about the ego.

Sums and products run in highway-env's order, so rewards are equal to the last bit.
"""

from __future__ import annotations

import math

import numpy as np

from drivemem_envs._jit import Floats, jit
from drivemem_envs.compiled.codes import (
    ACTION_NORM,
    CENTERING_COST,
    CRASH_ENDS,
    CRASHED,
    CUSTOM,
    DURATION,
    END_X,
    EXIT,
    FAMILY,
    FIRST_TERM,
    GOAL,
    GOAL_DISTANCE,
    GOAL_ENDS,
    HEADING,
    HIGH,
    HIGHWAY,
    INTERSECTION,
    KEEPING,
    LANE,
    LANE_CHANGE,
    LANE_WIDTH,
    LANES,
    LATERAL,
    LOW,
    MERGE,
    MERGING,
    NORMALIZE,
    OFF_ROAD_ENDS,
    ON_ROAD,
    ON_STRAIGHT,
    PARKING,
    RACETRACK,
    ROUNDABOUT,
    SPEED,
    SPEED_HIGH,
    SPEED_INDEX,
    SPEED_LOW,
    SPEEDS,
    SQUARE,
    STEP_LIMIT,
    SURVIVED,
    TERMS,
    TWO_WAY,
    U_TURN,
    WEIGHT,
    X,
)

# DEFAULT_TARGET_SPEEDS.size - 1 of highway-env's MDPVehicle, which the roundabout divides by.
_DEFAULT_SPEED_STEPS = 2.0


@jit
def _scale(value: float, low: float, high: float) -> float:
    """`utils.lmap(value, [low, high], [0, 1])`."""
    return (value - low) / (high - low)


@jit
def _unit(value: float) -> float:
    """`np.clip(value, 0, 1)`."""
    return min(max(value, 0.0), 1.0)


@jit
def _terms_of_lanes(task: Floats, facts: Floats, terms: Floats) -> None:
    """`_rewards` of the highway, exit, u-turn and two-way families."""
    family = task[FAMILY]
    if family == TWO_WAY:
        terms[0] = facts[SPEED_INDEX] / (facts[SPEEDS] - 1.0)
        terms[1] = (facts[LANES] - 1.0 - facts[LANE]) / (facts[LANES] - 1.0)
        return
    speed = facts[SPEED]
    if family == HIGHWAY:
        speed = speed * math.cos(facts[HEADING])
    fast = _unit(_scale(speed, task[SPEED_LOW], task[SPEED_HIGH]))
    terms[0] = facts[CRASHED]
    if family == EXIT:
        terms[1] = facts[GOAL]
        terms[2] = fast
        terms[3] = facts[LANE]
        return
    terms[1] = facts[LANE] / max(facts[LANES] - 1.0, 1.0)
    terms[2] = fast
    terms[3] = facts[ON_ROAD]
    if family == HIGHWAY:
        terms[4] = facts[SURVIVED]


@jit
def reward_terms(task: Floats, facts: Floats, terms: Floats) -> None:
    """`_rewards` of every family.

    Args:
        task: the task (TASK,).
        facts: about the ego (FACTS,).
        terms: written (TERMS,), in the order of the family's `terms`.
    """
    family = task[FAMILY]
    if family == MERGE:
        terms[0] = facts[CRASHED]
        terms[1] = facts[LANE] / 1.0
        terms[2] = _scale(facts[SPEED], task[SPEED_LOW], task[SPEED_HIGH])
        terms[3] = facts[LANE_CHANGE]
        terms[4] = facts[MERGING]
    elif family == ROUNDABOUT:
        terms[0] = facts[CRASHED]
        terms[1] = facts[SPEED_INDEX] / _DEFAULT_SPEED_STEPS
        terms[2] = facts[LANE_CHANGE]
        terms[3] = facts[ON_ROAD]
    elif family == INTERSECTION:
        terms[0] = facts[CRASHED]
        terms[1] = _unit(_scale(facts[SPEED], task[SPEED_LOW], task[SPEED_HIGH]))
        terms[2] = facts[GOAL]
        terms[3] = facts[ON_ROAD]
    elif family == RACETRACK:
        lateral = facts[LATERAL]
        terms[0] = 1.0 / (1.0 + task[CENTERING_COST] * lateral ** task[SQUARE])
        terms[1] = facts[ACTION_NORM]
        terms[2] = facts[CRASHED]
        terms[3] = facts[ON_ROAD]
    elif family >= CUSTOM:
        for i in range(TERMS):
            terms[i] = facts[FIRST_TERM + i]
    elif family not in (KEEPING, PARKING):
        _terms_of_lanes(task, facts, terms)


@jit
def _racetrack_reward(task: Floats, facts: Floats, terms: Floats) -> float:
    """`RacetrackEnv._reward`, with the precision that NumPy's promotion happens to give it.

    The norm of a float32 action is float32, and so is its product with a Python number. On a
    straight lane the centring term is a Python number as well, and their sum is rounded to
    float32 before the rest; on a curved one it is a float64.
    """
    steering = np.float32(task[WEIGHT + 1]) * np.float32(terms[1])
    centering = task[WEIGHT] * terms[0]
    crash = task[WEIGHT + 2] * terms[2]
    if facts[ON_STRAIGHT] > 0.0:
        total = float(np.float32(centering) + steering + np.float32(crash))
    else:
        total = centering + float(steering) + crash
    return float(_scale(total, task[LOW], task[HIGH]) * facts[ON_ROAD])


@jit
def reward(task: Floats, facts: Floats, terms: Floats) -> float:
    """`_reward` of every family.

    Args:
        task: the task (TASK,).
        facts: about the ego (FACTS,).
        terms: what `reward_terms` wrote (TERMS,).
    """
    family = task[FAMILY]
    if family == KEEPING:
        share = facts[LATERAL] / facts[LANE_WIDTH]
        return float(1.0 - share ** task[SQUARE])
    if family == PARKING:
        return float(-(facts[GOAL_DISTANCE] ** 0.5) + task[WEIGHT] * facts[CRASHED])
    if family == RACETRACK:
        return _racetrack_reward(task, facts, terms)
    total = 0.0
    for i in range(TERMS):
        total += task[WEIGHT + i] * terms[i]
    if family == INTERSECTION:
        # highway-env's order: arriving replaces the sum, the road gates it, then it is scaled.
        if facts[GOAL] > 0.0:
            total = task[WEIGHT + 2]
        total *= facts[ON_ROAD]
    if task[NORMALIZE] > 0.0:
        total = _scale(total, task[LOW], task[HIGH])
        if family == EXIT:
            total = _unit(total)
    if family in (HIGHWAY, ROUNDABOUT, U_TURN):
        total *= facts[ON_ROAD]
    return total


@jit
def is_terminated(task: Floats, facts: Floats) -> bool:
    """`_is_terminated` of every family."""
    if task[CRASH_ENDS] > 0.0 and facts[CRASHED] > 0.0:
        return True
    if task[OFF_ROAD_ENDS] > 0.0 and facts[ON_ROAD] == 0.0:
        return True
    if task[GOAL_ENDS] > 0.0 and facts[GOAL] > 0.0:
        return True
    return bool(facts[X] > task[END_X])


@jit
def is_truncated(task: Floats, time_s: float, decisions: int) -> bool:
    """`_is_truncated` of every family, and Gymnasium's time limit.

    Args:
        task: the task (TASK,).
        time_s: simulated time, s, summed up decision by decision as highway-env does.
        decisions: decisions taken.
    """
    return bool(time_s >= task[DURATION] or decisions >= task[STEP_LIMIT])
