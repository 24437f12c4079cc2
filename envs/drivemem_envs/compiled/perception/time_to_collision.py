"""highway-env's TimeToCollision observation: predicted collisions by speed, lane and time.

`TimeToCollisionObservation.observe` and `finite_mdp.compute_ttc_grid`, for the three speeds and
lanes around the ego's.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, jit
from drivemem_envs.compiled.dynamics.control import not_zero
from drivemem_envs.compiled.dynamics.lanes import local_coordinates
from drivemem_envs.compiled.perception.percept_poses import (
    POSE_COS,
    POSE_EGO,
    POSE_LANE,
    POSE_LENGTH,
    POSE_SIN,
    POSE_SPEED,
    POSE_X,
    POSE_Y,
)
from drivemem_envs.compiled.records import ROUTE_ROAD, OneWorld

ROWS = 3
"""Speeds and lanes shown."""

Cells = NDArray[np.float32]


@jit
def _touch(one: OneWorld, road: int, other: int) -> bool:
    """Whether a road is another one, or the other one leads to it."""
    first = one.roads[other].first_next
    return bool(road == other or first <= road < first + one.roads[other].nexts)


@jit
def _following(one: OneWorld, actor: int, road: int, step: int) -> tuple[int, int, int]:
    """The roads to search after one: the first, how many, and the route's next step."""
    end = one.actors[actor].route_end
    while step < end and one.routes[actor, step, ROUTE_ROAD] == road:
        step += 1
    first, nexts = int(one.roads[road].first_next), int(one.roads[road].nexts)
    if step < end and first <= one.routes[actor, step, ROUTE_ROAD] < first + nexts:
        return int(one.routes[actor, step, ROUTE_ROAD]), 1, step + 1
    return first, nexts, step


@jit
def is_connected(one: OneWorld, actor: int, road: int, other: int) -> bool:
    """`RoadNetwork.is_connected_road(…, depth=3)` along an actor's route.

    Args:
        one: the world.
        actor: whose route is followed where it fits.
        road: where to begin.
        other: the road to meet.
    """
    if _touch(one, road, other):
        return True
    first, count, step = _following(one, actor, road, int(one.actors[actor].route_start))
    for second in range(first, first + count):
        if _touch(one, second, other):
            return True
        first_2, count_2, step_2 = _following(one, actor, second, step)
        for third in range(first_2, first_2 + count_2):
            if _touch(one, third, other):
                return True
            first_3, count_3, _ = _following(one, actor, third, step_2)
            for fourth in range(first_3, first_3 + count_3):
                if _touch(one, fourth, other):
                    return True
    return False


@jit
def _mark(cells: Cells, seconds: float, quantum: float, cost: float) -> None:
    """Enter a cost at a time, rounded both down and up (T,)."""
    share = seconds / quantum
    for time in (math.floor(share), math.ceil(share)):
        if 0 <= time < cells.shape[0]:
            cells[int(time)] = max(cells[int(time)], np.float32(cost))


@jit
def _enter(one: OneWorld, pose: Floats, quantum: float, grid: Cells) -> None:
    """Enter the collisions with one other vehicle."""
    world = one.world[0]
    ego = one.actors[world.ego]
    own, its = one.lanes[ego.lane], one.lanes[int(pose[POSE_LANE])]
    if not is_connected(one, world.ego, int(own.road), int(its.road)):
        return
    lanes = int(one.roads[own.road].lanes)
    same = one.roads[its.road].lanes == lanes
    there = local_coordinates(own, one.points, pose[POSE_X], pose[POSE_Y])[0]
    away = there - local_coordinates(own, one.points, ego.x, ego.y)[0]
    margin = pose[POSE_LENGTH] / 2 + ego.length / 2
    towards = pose[POSE_COS] * ego.cos_heading + pose[POSE_SIN] * ego.sin_heading
    projected = pose[POSE_SPEED] * towards
    for row in range(ROWS):
        chosen = min(max(ego.speed_index - 1 + row, 0), world.speeds - 1)
        speed = one.speeds[chosen]
        if speed == pose[POSE_SPEED]:
            continue
        for point in range(3):
            offset = 0.0
            if point > 0:
                offset = -margin if point == 1 else margin
            seconds = (away + offset) / not_zero(speed - projected)
            if seconds < 0:
                continue
            for column in range(ROWS):
                number = int(own.number) - 1 + column
                if 0 <= number < lanes and (not same or number == its.number):
                    _mark(grid[row, column], seconds, quantum, 1.0 if point == 0 else 0.5)


@jit
def show(one: OneWorld, poses: Floats, count: int, quantum: float, grid: Cells) -> None:
    """Write the observation.

    Args:
        one: the world; its ego drives by meta actions.
        poses: the vehicles on the road (P, POSE_COLUMNS), the ego among them.
        count: how many.
        quantum: decision period, s.
        grid: written (3, 3, T): likelihood of a collision by speed, lane and time.
    """
    world = one.world[0]
    ego = one.actors[world.ego]
    own = one.lanes[ego.lane]
    for column in range(ROWS):
        number = int(own.number) - 1 + column
        there = 0 <= number < one.roads[own.road].lanes
        grid[:, column] = np.float32(0.0 if there else 1.0)
    for row in range(count):
        if poses[row, POSE_EGO] == 0.0:
            _enter(one, poses[row], quantum, grid)
