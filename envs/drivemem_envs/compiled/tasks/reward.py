"""What each highway-env family rewards and when it ends, as one kernel over facts about the ego.

A task is a vector of numbers made from the family and its resolved config; sums and products run
in highway-env's order, so rewards are equal to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from drivemem_envs._jit import Floats, jit

# Families, in the order of `FAMILIES`.
HIGHWAY, EXIT, MERGE, ROUNDABOUT, INTERSECTION, TWO_WAY, U_TURN, RACETRACK, KEEPING, PARKING = (
    0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0
)  # fmt: skip
# drivemem's own worlds that are more than a subclass of those: codes from OWN on; see `own`.
OWN = 10.0
EXIT_RECALL, COMMITMENT = OWN, OWN + 1.0

# Facts about the ego after a step (FACTS,). Flags are 0 or 1; speeds m/s, angles rad, lengths m.
# LANE is the id of the lane that the task looks at (the target lane for drivers with one), LANES
# how many lie beside the ego; LATERAL the offset from the ego's lane as a share of nothing, m;
# MERGING the sum over merging cars; GOAL whether the goal is reached (exit lane, far end of the
# intersection, parked); RIGHT_GOAL and WRONG_GOAL which of several was reached; VIOLATION
# whether a rule is broken; SURVIVED whether the time is over without a crash (a term of drivemem's
# highways); TIME simulated s; FIRST_TERM … FIRST_TERM + TERMS the terms of a world of drivemem's
# own, which its file finds itself.
(
    CRASHED, ON_ROAD, SPEED, HEADING, X, LANE, LANES, SPEED_INDEX, SPEEDS, LATERAL, LANE_WIDTH,
    LANE_CHANGE, ACTION_NORM, MERGING, GOAL, GOAL_DISTANCE, ON_STRAIGHT, RIGHT_GOAL, WRONG_GOAL,
    VIOLATION, SURVIVED, TIME, FIRST_TERM,
) = range(23)  # fmt: skip

TERMS = 5
FACTS = FIRST_TERM + TERMS

# A task (TASK,): family, weights of its terms, and how the sum becomes the reward and the end.
FAMILY = 0
WEIGHT = 1  # … WEIGHT + TERMS
(
    NORMALIZE, LOW, HIGH, SPEED_LOW, SPEED_HIGH, DURATION, DECISION, OFF_ROAD_ENDS, GOAL_ENDS,
    END_X, CENTERING_COST, GOAL_RADIUS, CRASH_ENDS, STEP_LIMIT, SQUARE,
) = range(WEIGHT + TERMS, WEIGHT + TERMS + 15)  # fmt: skip
TASK = WEIGHT + TERMS + 15

# Names of the reward terms of each family, in highway-env's order.
TERM_NAMES: dict[float, tuple[str, ...]] = {
    HIGHWAY: ("collision_reward", "right_lane_reward", "high_speed_reward", "on_road_reward"),
    EXIT: ("collision_reward", "goal_reward", "high_speed_reward", "right_lane_reward"),
    MERGE: (
        "collision_reward", "right_lane_reward", "high_speed_reward", "lane_change_reward",
        "merging_speed_reward",
    ),
    ROUNDABOUT: (
        "collision_reward", "high_speed_reward", "lane_change_reward", "on_road_reward",
    ),
    INTERSECTION: (
        "collision_reward", "high_speed_reward", "arrived_reward", "on_road_reward",
    ),
    TWO_WAY: ("high_speed_reward", "left_lane_reward"),
    U_TURN: ("collision_reward", "left_lane_reward", "high_speed_reward", "on_road_reward"),
    RACETRACK: (
        "lane_centering_reward", "action_reward", "collision_reward", "on_road_reward",
    ),
    KEEPING: (),
    PARKING: (),
    EXIT_RECALL: ("collision_reward", "right_exit_reward", "wrong_exit_reward"),
    COMMITMENT: ("collision_reward", "success_reward", "late_reward", "violation_reward"),
}  # fmt: skip


class Family(NamedTuple):
    """A highway-env class whose task is known."""

    code: float
    path: str
    """`module:Class`; subclasses that do not override its task belong to it as well."""


FAMILIES = (
    Family(EXIT, "highway_env.envs.exit_env:ExitEnv"),
    Family(HIGHWAY, "highway_env.envs.highway_env:HighwayEnv"),
    Family(MERGE, "highway_env.envs.merge_env:MergeGenericEnv"),
    Family(MERGE, "highway_env.envs.merge_env:MergeEnv"),
    Family(ROUNDABOUT, "highway_env.envs.roundabout_env:RoundaboutEnv"),
    Family(INTERSECTION, "highway_env.envs.intersection_env:IntersectionEnv"),
    Family(TWO_WAY, "highway_env.envs.two_way_env:TwoWayEnv"),
    Family(U_TURN, "highway_env.envs.u_turn_env:UTurnEnv"),
    Family(RACETRACK, "highway_env.envs.racetrack_env:RacetrackEnv"),
    Family(KEEPING, "highway_env.envs.lane_keeping_env:LaneKeepingEnv"),
    Family(PARKING, "highway_env.envs.parking_env:ParkingEnv"),
)

# DEFAULT_TARGET_SPEEDS.size - 1 of highway-env's MDPVehicle, which the roundabout divides by.
_DEFAULT_SPEED_STEPS = 2.0


def is_endless(family: float) -> bool:
    """Whether worlds of a family have no time limit of their own."""
    return family in (MERGE, TWO_WAY, KEEPING) or family >= OWN


def task_vector(
    family: float, config: Mapping[str, Any], *, end_x: float = 0.0, step_limit: int | None = None
) -> Floats:
    """Turn a family and a resolved config into the numbers that the kernels read.

    Args:
        family: one of this module's codes.
        config: the environment's resolved configuration.
        end_x: where a merge ends, m.
        step_limit: decisions after which Gymnasium's time limit truncates; None: no such limit.

    Returns:
        The task (TASK,).
    """
    task = np.zeros(TASK)
    task[FAMILY] = family
    for i, name in enumerate(TERM_NAMES[family]):
        task[WEIGHT + i] = config.get(name, 0)
    if family == HIGHWAY:
        task[WEIGHT + 4] = config.get("survived_reward", 0)
    task[NORMALIZE] = bool(config.get("normalize_reward", family in (MERGE, RACETRACK)))
    task[LOW], task[HIGH] = _reward_range(family, config)
    task[SPEED_LOW], task[SPEED_HIGH] = config.get("reward_speed_range", (0.0, 1.0))
    task[DECISION] = 1 / config["policy_frequency"]
    task[DURATION] = math.inf if is_endless(family) else config["duration"]
    task[STEP_LIMIT] = math.inf if step_limit is None else step_limit
    task[CRASH_ENDS] = family != KEEPING
    off_road_ends = "terminate_off_road" if family == RACETRACK else "offroad_terminal"
    task[OFF_ROAD_ENDS] = family in (HIGHWAY, INTERSECTION, RACETRACK) and config[off_road_ends]
    task[GOAL_ENDS] = family in (INTERSECTION, PARKING) or family >= OWN
    task[END_X] = end_x if family == MERGE else math.inf
    # The exponent 2 is data: a compiler turns a literal square into a product, which rounds
    # another last bit than the C library's `pow` that highway-env's numbers call.
    task[SQUARE] = 2.0
    task[CENTERING_COST] = config.get("lane_centering_cost", 0.0)
    if family == PARKING:
        task[WEIGHT] = config["collision_reward"]
        task[GOAL_RADIUS] = config["success_goal_reward"]
    return task


def _reward_range(family: float, config: Mapping[str, Any]) -> tuple[float, float]:
    """The two raw rewards that become 0 and 1."""
    worst = config.get("collision_reward", 0)
    if family == MERGE:
        worst = worst + config["merging_speed_reward"]
    if family in (HIGHWAY, MERGE):
        return worst, config["high_speed_reward"] + config["right_lane_reward"]
    if family == EXIT:
        return worst, config["goal_reward"]
    if family == ROUNDABOUT:
        return worst, config["high_speed_reward"]
    if family == INTERSECTION:
        return worst, config["arrived_reward"]
    if family == U_TURN:
        return worst, config["high_speed_reward"] + config["left_lane_reward"]
    return worst, 1


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
        terms: written (TERMS,), in the order of `TERM_NAMES`.
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
    elif family >= OWN:
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
