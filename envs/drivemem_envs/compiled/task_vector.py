"""A task as the numbers that kernels read: weights of its terms, how they are scaled, its end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from drivemem_envs._jit import Floats
from drivemem_envs.compiled.codes import (
    CENTERING_COST,
    CRASH_ENDS,
    CUSTOM,
    DECISION,
    DURATION,
    END_X,
    EXIT,
    FAMILY,
    GOAL_ENDS,
    GOAL_RADIUS,
    HIGH,
    HIGHWAY,
    INTERSECTION,
    KEEPING,
    LOW,
    MERGE,
    NORMALIZE,
    OFF_ROAD_ENDS,
    PARKING,
    RACETRACK,
    ROUNDABOUT,
    SPEED_HIGH,
    SPEED_LOW,
    SQUARE,
    STEP_LIMIT,
    TASK,
    U_TURN,
    WEIGHT,
)
from drivemem_envs.compiled.families import Family


def task_vector(
    family: Family, config: Mapping[str, Any], *, end_x: float = 0.0, step_limit: int | None = None
) -> Floats:
    """Turn a family and a resolved configuration into the numbers that the kernels read.

    Args:
        family: of the task.
        config: the environment's resolved configuration.
        end_x: where a merge ends, m.
        step_limit: decisions after which Gymnasium's time limit truncates; None: no such limit.

    Returns:
        The task (TASK,).
    """
    code, task = family.code, np.zeros(TASK)
    task[FAMILY] = code
    for i, name in enumerate(family.terms):
        task[WEIGHT + i] = config.get(name, 0)
    if code == HIGHWAY:
        task[WEIGHT + 4] = config.get("survived_reward", 0)
    task[NORMALIZE] = bool(config.get("normalize_reward", code in (MERGE, RACETRACK)))
    task[LOW], task[HIGH] = _reward_range(code, config)
    task[SPEED_LOW], task[SPEED_HIGH] = config.get("reward_speed_range", (0.0, 1.0))
    task[DECISION] = 1 / config["policy_frequency"]
    task[DURATION] = math.inf if family.is_endless else config["duration"]
    task[STEP_LIMIT] = math.inf if step_limit is None else step_limit
    task[CRASH_ENDS] = code != KEEPING
    off_road_ends = "terminate_off_road" if code == RACETRACK else "offroad_terminal"
    task[OFF_ROAD_ENDS] = code in (HIGHWAY, INTERSECTION, RACETRACK) and config[off_road_ends]
    task[GOAL_ENDS] = code in (INTERSECTION, PARKING) or code >= CUSTOM
    task[END_X] = end_x if code == MERGE else math.inf
    # The exponent 2 is data: a compiler turns a literal square into a product, which rounds
    # another last bit than the C library's `pow` that highway-env's numbers call.
    task[SQUARE] = 2.0
    task[CENTERING_COST] = config.get("lane_centering_cost", 0.0)
    if code == PARKING:
        task[WEIGHT] = config["collision_reward"]
        task[GOAL_RADIUS] = config["success_goal_reward"]
    return task


def _reward_range(code: int, config: Mapping[str, Any]) -> tuple[float, float]:
    """The two raw rewards that become 0 and 1."""
    worst = config.get("collision_reward", 0)
    if code == MERGE:
        worst = worst + config["merging_speed_reward"]
    if code in (HIGHWAY, MERGE):
        return worst, config["high_speed_reward"] + config["right_lane_reward"]
    if code == EXIT:
        return worst, config["goal_reward"]
    if code == ROUNDABOUT:
        return worst, config["high_speed_reward"]
    if code == INTERSECTION:
        return worst, config["arrived_reward"]
    if code == U_TURN:
        return worst, config["high_speed_reward"] + config["left_lane_reward"]
    return worst, 1
