"""highway-env's parking lots: the goal, how far it is, and the KinematicsGoal observation.

A world's task state (1,) is the row of the goal among its objects. Parameters (12,) are the
scales of `ParkingEnv.PARKING_OBS` and the weights of the reward.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled import codes
from drivemem_envs.compiled.export.supported import refuse
from drivemem_envs.compiled.records import OneWorld, Record

# Features of the goal and of the ego, by code.
FEATURES = ("x", "y", "vx", "vy", "cos_h", "sin_h")
_X, _Y, _VX, _VY, _COS_H, _SIN_H = range(6)

# Rows of the observation (ROWS, F), by the names of its parts.
PARTS = ("observation", "achieved_goal", "desired_goal")


def feature_codes(features: Any) -> Ints:
    """Codes of the features of a KinematicsGoal (F,).

    Raises:
        CompiledUnsupported: a feature that the kernel does not know.
    """
    unknown = sorted(set(features) - set(FEATURES))
    refuse(bool(unknown), f"a KinematicsGoal with {', '.join(unknown)}")
    return np.array([FEATURES.index(name) for name in features], dtype=np.int64)


def task_state_of(env: Any) -> list[int]:
    """The task state of a live world."""
    goal = env.vehicle.goal
    return [next(row for row, thing in enumerate(env.road.objects) if thing is goal)]


def params_of(env: Any) -> list[float]:
    """The params of a live world.

    Raises:
        CompiledUnsupported: the reward looks at other features than highway-env's.
    """
    looked_at = env.PARKING_OBS["observation"]
    refuse(tuple(looked_at["features"]) != FEATURES, "a parking reward of other features")
    return [float(each) for each in (*looked_at["scales"], *env.config["reward_weights"])]


@jit
def _feature(it: Record, code: int, moves: bool) -> float:
    """One of `FEATURES` of a vehicle, or of the goal, which has no velocity."""
    if code == _X:
        return float(it.x)
    if code == _Y:
        return float(it.y)
    if code == _VX:
        return float(it.speed * it.cos_heading) if moves else 0.0
    if code == _VY:
        return float(it.speed * it.sin_heading) if moves else 0.0
    return math.cos(it.heading) if code == _COS_H else math.sin(it.heading)


@jit
def show(one: OneWorld, task_state: Ints, codes: Ints, scales: Floats, parts: Floats) -> None:
    """Write the observation.

    Args:
        one: the world.
        task_state: its task_state number (1,).
        codes: of the features (F,).
        scales: what they are divided by (F,).
        parts: written (3, F), in the order of `PARTS`.
    """
    world = one.world[0]
    ego, goal = one.actors[world.ego], one.actors[world.first_object + task_state[0]]
    for column in range(codes.shape[0]):
        own = _feature(ego, codes[column], True) / scales[column]
        parts[0, column], parts[1, column] = own, own
        parts[2, column] = _feature(goal, codes[column], False) / scales[column]


@jit
def find_facts(
    one: OneWorld, params: Floats, task_state: Ints, vector: Floats, facts: Floats
) -> None:
    """Write how far the goal is, and whether that counts as parked.

    Args:
        one: the world.
        params: see the module (12,).
        task_state: its task_state number (1,).
        vector: the task (TASK,).
        facts: written (FACTS,).
    """
    world = one.world[0]
    ego, goal = one.actors[world.ego], one.actors[world.first_object + task_state[0]]
    distance = 0.0
    for code in range(6):
        scale = params[code]
        away = abs(_feature(ego, code, True) / scale - _feature(goal, code, False) / scale)
        distance += away * params[6 + code]
    facts[codes.GOAL_DISTANCE] = distance
    near = -(distance**0.5) > -vector[codes.GOAL_RADIUS]
    facts[codes.GOAL] = 1.0 if near else 0.0
