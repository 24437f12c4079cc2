"""Lanes of the whole network: highway_env.road.road.RoadNetwork.

An actor's coordinates in a lane are computed once per frame and kept; `forget` drops them when
actors move.
"""

from __future__ import annotations

from drivemem_envs._jit import jit
from drivemem_envs.compiled.dynamics.lanes import (
    heading_at,
    lane_distance,
    lane_distance_with_heading,
    local_coordinates,
    position_at,
)
from drivemem_envs.compiled.records import NONE, ROUTE_LANE, ROUTE_ROAD, OneWorld

# Far above rounding errors of distances, far below any difference that matters for speed.
_ROUNDING = 1e-6


@jit
def forget(one: OneWorld, actor: int) -> None:
    """Drop what is known about an actor that has moved."""
    for lane in range(int(one.world[0].lanes)):
        one.known[actor, lane] = 0


@jit
def _project(one: OneWorld, actor: int, lane: int) -> None:
    it = one.actors[actor]
    longitudinal, lateral = local_coordinates(one.lanes[lane], one.points, it.x, it.y)
    one.coordinates[actor, lane, 0] = longitudinal
    one.coordinates[actor, lane, 1] = lateral
    one.known[actor, lane] = 1


@jit(inline="always")
def coordinates(one: OneWorld, actor: int, lane: int) -> tuple[float, float]:
    """An actor's longitudinal and lateral coordinates in a lane, m."""
    if one.known[actor, lane] == 0:
        _project(one, actor, lane)
    return one.coordinates[actor, lane, 0], one.coordinates[actor, lane, 1]


@jit
def _weighted_distance(one: OneWorld, actor: int, lane: int) -> float:
    longitudinal, lateral = coordinates(one, actor, lane)
    heading = one.actors[actor].heading
    return lane_distance_with_heading(one.lanes[lane], one.points, longitudinal, lateral, heading)


@jit
def closest_lane(one: OneWorld, actor: int) -> int:
    """`RoadNetwork.get_closest_lane_index`: the first of the lanes at the least distance.

    Lanes whose centre line is further away than the best one so far, as the crow flies, are
    skipped: `distance` is at least that (one way to the centre line is across, then along).
    """
    it = one.actors[actor]
    x, y = it.x, it.y
    best = max(int(it.lane), 0)
    least = _weighted_distance(one, actor, best)
    bound = (least + _ROUNDING) * (least + _ROUNDING)
    guess = best
    for index in range(int(one.world[0].lanes)):
        lane = one.lanes[index]
        dx = max(lane.left - x, x - lane.right, 0.0)
        dy = max(lane.bottom - y, y - lane.top, 0.0)
        if dx * dx + dy * dy > bound or index == guess:
            continue
        distance = _weighted_distance(one, actor, index)
        if distance < least or (distance == least and index < best):
            best, least = index, distance
            bound = (least + _ROUNDING) * (least + _ROUNDING)
    return best


@jit
def _distance_to(one: OneWorld, lane: int, x: float, y: float) -> float:
    longitudinal, lateral = local_coordinates(one.lanes[lane], one.points, x, y)
    return lane_distance(one.lanes[lane], longitudinal, lateral)


@jit
def _lane_of_next_road(
    one: OneWorld, lane: int, road: int, number: int, x: float, y: float
) -> tuple[int, float]:
    """`RoadNetwork.next_lane_given_next_road`: the lane to take on a road, and how far it is."""
    here = one.lanes[lane]
    there = one.roads[road]
    if one.roads[here.road].lanes == there.lanes:
        kept = there.first_lane + (here.number if number == NONE else number)
        return kept, _distance_to(one, kept, x, y)
    # A lane number wished by the route does not count here, as in highway-env.
    best, least = there.first_lane, _distance_to(one, there.first_lane, x, y)
    for candidate in range(there.first_lane + 1, there.first_lane + there.lanes):
        distance = _distance_to(one, candidate, x, y)
        if distance < least:
            best, least = candidate, distance
    return best, least


@jit
def next_lane(one: OneWorld, actor: int, lane: int) -> int:
    """`RoadNetwork.next_lane`: what follows a lane along the actor's route, or the closest one.

    A route's first step is dropped once it is the road just driven.
    """
    it = one.actors[actor]
    here = one.lanes[lane]
    road = number = NONE
    if it.route_start < it.route_end:
        if one.routes[actor, it.route_start, ROUTE_ROAD] == here.road:
            it.route_start += 1
        if it.route_start < it.route_end:
            wished = one.routes[actor, it.route_start, ROUTE_ROAD]
            first = one.roads[here.road].first_next
            if first <= wished < first + one.roads[here.road].nexts:
                road = wished
                number = one.routes[actor, it.route_start, ROUTE_LANE]
    longitudinal, _ = coordinates(one, actor, lane)
    x, y = position_at(here, one.points, longitudinal, 0.0)
    if road != NONE:
        return _lane_of_next_road(one, lane, road, number, x, y)[0]
    best, least = lane, 0.0
    first = one.roads[here.road].first_next
    for candidate in range(first, first + one.roads[here.road].nexts):
        following, distance = _lane_of_next_road(one, lane, candidate, NONE, x, y)
        if candidate == first or distance < least:
            best, least = following, distance
    return best


@jit
def pose_along_route(one: OneWorld, actor: int, longitudinal: float) -> tuple[float, float, float]:
    """`RoadNetwork.position_heading_along_route`: x, y and heading on the centre line.

    The coordinate counts from the route's first road even where the actor is on another one, and
    a route that leaves the lane open is followed on the present lane's number: as in highway-env.
    """
    it = one.actors[actor]
    step = int(it.route_start)
    lane = int(it.lane)
    if step < it.route_end:
        lane = _lane_of_step(one, actor, step)
    while step + 1 < it.route_end and longitudinal > one.lanes[lane].length:
        longitudinal -= one.lanes[lane].length
        step += 1
        lane = _lane_of_step(one, actor, step)
    x, y = position_at(one.lanes[lane], one.points, longitudinal, 0.0)
    return x, y, heading_at(one.lanes[lane], one.points, longitudinal)


@jit
def _lane_of_step(one: OneWorld, actor: int, step: int) -> int:
    road = one.roads[one.routes[actor, step, ROUTE_ROAD]]
    number = int(one.routes[actor, step, ROUTE_LANE])
    if number == NONE:
        number = int(one.lanes[one.actors[actor].lane].number)
    # highway-env raises an IndexError for a number beyond the road; kernels cannot.
    return int(road.first_lane) + min(number, int(road.lanes) - 1)
