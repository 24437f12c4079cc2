"""Contacts: highway_env.vehicle.objects.RoadObject.handle_collisions and the polygons of `utils`.

Rectangles are tested on the axes of their edges (separating axes), now and one frame ahead.
"""

from __future__ import annotations

import math

import numpy as np

from drivemem_envs._jit import jit
from drivemem_envs.compiled.records import OBSTACLE, OneWorld, Record

Point = tuple[float, float]
Polygon = tuple[Point, Point, Point, Point]


@jit
def handle_collisions(one: OneWorld) -> None:
    """The second half of `Road.step`: each pair of vehicles, then vehicles against objects.

    Push-outs are assigned, not added up: the last contact of a frame counts.
    """
    world = one.world[0]
    vehicles, first, objects = world.vehicles, world.first_object, world.objects
    reach = 0.0
    checking = False
    for actor in range(vehicles):
        it = one.actors[actor]
        one.bounds[actor, 0], one.bounds[actor, 1] = it.x, it.y
        reach = max(reach, it.diagonal_m)
        checking |= it.check_collisions
    for actor in range(first, first + objects):
        it = one.actors[actor]
        one.bounds[actor, 0], one.bounds[actor, 1] = it.x, it.y
    for actor in range(vehicles):
        it = one.actors[actor]
        if checking:
            widest = (it.diagonal_m + reach) / 2 + it.speed * world.dt
            _check_against(one, actor, actor + 1, vehicles, widest)
        for other in range(first, first + objects):
            _check_pair(one, actor, other)


@jit
def _check_against(one: OneWorld, actor: int, first: int, end: int, widest: float) -> None:
    """Check an actor against those of a range that are near enough for any contact."""
    x, y = one.bounds[actor, 0], one.bounds[actor, 1]
    for other in range(first, end):
        if abs(one.bounds[other, 0] - x) > widest or abs(one.bounds[other, 1] - y) > widest:
            continue
        _check_pair(one, actor, other)


@jit
def _check_pair(one: OneWorld, actor: int, other: int) -> None:
    """`handle_collisions` of one pair."""
    it, its = one.actors[actor], one.actors[other]
    if not (it.check_collisions or its.check_collisions):
        return
    if not (it.collidable and its.collidable):
        return
    dx, dy = its.x - it.x, its.y - it.y
    # Only the first one's speed counts here: a fast one later in the list is seen later.
    near = (it.diagonal_m + its.diagonal_m) / 2 + it.speed * one.world[0].dt
    if abs(dx) > near or abs(dy) > near or math.sqrt(dx * dx + dy * dy) > near:
        return
    touching, will_touch, push_x, push_y = _intersect(it, its, one.world[0].dt)
    solid = it.solid and its.solid
    if will_touch and solid:
        if its.kind == OBSTACLE:
            _push(it, push_x, push_y)
        else:
            _push(it, push_x / 2, push_y / 2)
            _push(its, -push_x / 2, -push_y / 2)
    if touching:
        if solid:
            it.crashed = its.crashed = True
        if not it.solid:
            it.hit = True
        if not its.solid:
            its.hit = True


@jit
def _push(it: Record, x: float, y: float) -> None:
    it.impact_x, it.impact_y = x, y
    it.has_impact = True


@jit
def _corner(it: Record, along: float, across: float) -> Point:
    x = it.cos_heading * along + -it.sin_heading * across
    y = it.sin_heading * along + it.cos_heading * across
    return x + it.x, y + it.y


@jit
def _polygon(it: Record) -> Polygon:
    """`RoadObject.polygon`, without the repeated first corner."""
    half_length, half_width = it.length / 2, it.width / 2
    return (
        _corner(it, -half_length, -half_width),
        _corner(it, -half_length, half_width),
        _corner(it, half_length, half_width),
        _corner(it, half_length, -half_width),
    )


@jit
def _project(polygon: Polygon, x: float, y: float) -> tuple[float, float]:
    """`utils.project_polygon`: the interval that a polygon covers on an axis."""
    low = high = polygon[0][0] * x + polygon[0][1] * y
    for k in range(1, 4):
        value = polygon[k][0] * x + polygon[k][1] * y
        low, high = min(low, value), max(high, value)
    return low, high


@jit
def _interval_distance(low_a: float, high_a: float, low_b: float, high_b: float) -> float:
    """`utils.interval_distance`: negative when the intervals overlap."""
    return low_b - high_a if low_a < low_b else low_a - high_b


@jit
def _centre(polygon: Polygon) -> Point:
    x = (polygon[0][0] + polygon[1][0] + polygon[2][0] + polygon[3][0]) / 4
    y = (polygon[0][1] + polygon[1][1] + polygon[2][1] + polygon[3][1]) / 4
    return x, y


@jit
def _intersect(it: Record, its: Record, dt: float) -> tuple[bool, bool, float, float]:
    """`utils.are_polygons_intersecting`: touching, about to touch, and the push-out.

    Once neither holds nothing later can change it, so that further axes are left out. Among
    equally good push-out axes the first one counts: one last bit decides, as in highway-env.
    """
    a, b = _polygon(it), _polygon(its)
    (ax, ay), (bx, by) = _centre(a), _centre(b)
    moved_x = it.speed * it.cos_heading * dt - its.speed * its.cos_heading * dt
    moved_y = it.speed * it.sin_heading * dt - its.speed * its.sin_heading * dt
    touching = will_touch = True
    least = np.inf
    axis_x = axis_y = 0.0
    for edge in range(8):
        polygon = a if edge < 4 else b
        (x1, y1), (x2, y2) = polygon[edge % 4], polygon[(edge + 1) % 4]
        x, y = -y2 + y1, x2 - x1
        norm = math.sqrt(x * x + y * y)
        x, y = x / norm, y / norm
        low_a, high_a = _project(a, x, y)
        low_b, high_b = _project(b, x, y)
        if _interval_distance(low_a, high_a, low_b, high_b) > 0:
            touching = False
        moved = x * moved_x + y * moved_y
        if moved < 0:
            low_a += moved
        else:
            high_a += moved
        distance = _interval_distance(low_a, high_a, low_b, high_b)
        if distance > 0:
            will_touch = False
        if not touching and not will_touch:
            return False, False, 0.0, 0.0
        if abs(distance) < least:
            least = abs(distance)
            outward = (ax - bx) * x + (ay - by) * y > 0
            axis_x, axis_y = (x, y) if outward else (-x, -y)
    return touching, will_touch, least * axis_x, least * axis_y
