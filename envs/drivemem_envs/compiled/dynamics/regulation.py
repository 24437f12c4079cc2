"""Right of way: highway_env.road.regulation.RegulatedRoad.

Every half second all pairs are predicted for three seconds; where two would meet, one yields.
"""

from __future__ import annotations

import math

from drivemem_envs._jit import Floats, jit
from drivemem_envs.compiled.dynamics.control import follows_lanes
from drivemem_envs.compiled.dynamics.kinematics import move
from drivemem_envs.compiled.dynamics.network import coordinates, pose_along_route
from drivemem_envs.compiled.records import MDP, PREDICTIONS, OneWorld, Record

_STEP = 0.25
# Predicted rectangles are longer and narrower than the vehicles.
_LONGER, _NARROWER = 1.5, 0.9


@jit
def regulate(one: OneWorld) -> None:
    """The first half of `RegulatedRoad.step`."""
    world = one.world[0]
    world.road_steps += 1
    if world.road_steps % world.regulation_period == 0:
        _enforce_road_rules(one)


@jit
def _enforce_road_rules(one: OneWorld) -> None:
    """`RegulatedRoad.enforce_road_rules`."""
    world = one.world[0]
    for actor in range(int(world.vehicles)):
        it = one.actors[actor]
        if it.yielding:
            if it.yield_timer >= world.yield_duration:
                it.target_speed = one.lanes[it.lane].speed_limit
                it.yielding = False
            else:
                it.yield_timer += 1
        # highway-env predicts anew for each pair; nothing that it reads changes in between.
        _predict(one, actor)
    for actor in range(world.vehicles - 1):
        for other in range(actor + 1, world.vehicles):
            if _is_conflict_possible(one, actor, other):
                it = one.actors[_who_yields(one, actor, other)]
                # The agent's vehicle never yields.
                if follows_lanes(it) and it.kind != MDP:
                    it.target_speed = 0.0
                    it.yielding = True
                    it.yield_timer = 0


@jit
def _predict(one: OneWorld, actor: int) -> None:
    """`predict_trajectory_constant_speed`: along the route, or on with the present steering."""
    it = one.actors[actor]
    table = one.predicted[actor]
    if follows_lanes(it):
        start, _ = coordinates(one, actor, int(it.lane))
        for k in range(PREDICTIONS):
            x, y, heading = pose_along_route(one, actor, start + it.speed * (_STEP * (k + 1)))
            _note(table, k, x, y, heading)
        return
    _predict_by_steps(one, actor, table)


@jit
def _predict_by_steps(one: OneWorld, actor: int, table: Floats) -> None:
    """`Vehicle.predict_trajectory_constant_speed`: let a copy of the vehicle move."""
    it = one.actors[actor]
    x, y, heading, speed = it.x, it.y, it.heading, it.speed
    cos_heading, sin_heading = it.cos_heading, it.sin_heading
    lateral_speed, yaw_rate = it.lateral_speed, it.yaw_rate
    steering, acceleration = it.steering, it.acceleration
    crashed, has_impact = it.crashed, it.has_impact
    it.acceleration = 0.0
    if it.predicts_straight:
        it.steering = 0.0
    for k in range(PREDICTIONS):
        move(it, one.drivers[it.driver], _STEP)
        _note(table, k, it.x, it.y, it.heading)
    it.x, it.y, it.heading, it.speed = x, y, heading, speed
    it.cos_heading, it.sin_heading = cos_heading, sin_heading
    it.lateral_speed, it.yaw_rate = lateral_speed, yaw_rate
    it.steering, it.acceleration = steering, acceleration
    it.crashed, it.has_impact = crashed, has_impact


@jit
def _note(table: Floats, k: int, x: float, y: float, heading: float) -> None:
    table[k, 0], table[k, 1] = x, y
    table[k, 2], table[k, 3] = math.cos(heading), math.sin(heading)


@jit
def _is_conflict_possible(one: OneWorld, actor: int, other: int) -> bool:
    """`RegulatedRoad.is_conflict_possible`."""
    it, its = one.actors[actor], one.actors[other]
    for k in range(PREDICTIONS):
        dx = one.predicted[other, k, 0] - one.predicted[actor, k, 0]
        dy = one.predicted[other, k, 1] - one.predicted[actor, k, 1]
        if math.sqrt(dx * dx + dy * dy) > it.length:
            continue
        here, there = one.predicted[actor, k], one.predicted[other, k]
        if _has_corner_inside(it, here, its, there) or _has_corner_inside(its, there, it, here):
            return True
    return False


@jit
def _has_corner_inside(it: Record, here: Floats, its: Record, there: Floats) -> bool:
    """`utils.has_corner_inside`: of the first rectangle's corners, edge middles and centre.

    The points are turned by the other's heading instead of back by it, as in highway-env: the
    test is exact only for headings that are multiples of a right angle.
    """
    half_length, half_width = _LONGER * it.length / 2, _NARROWER * it.width / 2
    length, width = _LONGER * its.length / 2, _NARROWER * its.width / 2
    for along in range(-1, 2):
        for across in range(-1, 2):
            ahead, aside = along * half_length, across * half_width
            x = here[2] * ahead + -here[3] * aside + here[0]
            y = here[3] * ahead + here[2] * aside + here[1]
            dx, dy = x - there[0], y - there[1]
            turned_x = there[2] * dx + -there[3] * dy
            turned_y = there[3] * dx + there[2] * dy
            if -length <= turned_x <= length and -width <= turned_y <= width:
                return True
    return False


@jit
def _who_yields(one: OneWorld, actor: int, other: int) -> int:
    """`RegulatedRoad.respect_priorities`: the lower priority, else the one behind."""
    it, its = one.actors[actor], one.actors[other]
    mine, theirs = one.lanes[it.lane].priority, one.lanes[its.lane].priority
    if mine != theirs:
        return other if mine > theirs else actor
    dx, dy = its.x - it.x, its.y - it.y
    to_other = it.cos_heading * dx + it.sin_heading * dy
    to_actor = its.cos_heading * -dx + its.sin_heading * -dy
    return actor if to_other > to_actor else other
