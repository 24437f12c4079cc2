"""Who drives ahead and behind on a lane: highway_env.road.road.Road.neighbour_vehicles.

highway-env projects every vehicle on the lane for every question; here each lane has a list of
the actors on it, made once per frame.
"""

from __future__ import annotations

import numpy as np

from drivemem_envs._jit import jit
from drivemem_envs.compiled.dynamics.lanes import is_on_lane
from drivemem_envs.compiled.dynamics.network import coordinates
from drivemem_envs.compiled.records import LANDMARK, NONE, OneWorld

# Vehicles count as on a lane up to 1 m beyond its edge, so that one can be on two lanes.
_MARGIN = 1.0


@jit
def list_members(one: OneWorld) -> None:
    """Write who is on each lane, in the order of highway-env's `vehicles + objects`."""
    world = one.world[0]
    for lane in range(int(world.lanes)):
        one.member_counts[lane] = 0
    for actor in range(int(world.vehicles)):
        _enter(one, actor)
    for actor in range(int(world.first_object), int(world.first_object + world.objects)):
        if one.actors[actor].kind != LANDMARK:
            _enter(one, actor)


@jit
def _enter(one: OneWorld, actor: int) -> None:
    """Add an actor to the lanes that it is on."""
    x, y = one.actors[actor].x, one.actors[actor].y
    for index in range(int(one.world[0].lanes)):
        lane = one.lanes[index]
        one.on_lane[actor, index] = 0
        if lane.on_left <= x <= lane.on_right and lane.on_bottom <= y <= lane.on_top:
            longitudinal, lateral = coordinates(one, actor, index)
            if is_on_lane(lane, one.points, longitudinal, lateral, _MARGIN):
                one.on_lane[actor, index] = 1
                one.members[index, one.member_counts[index]] = actor
                one.member_counts[index] += 1


@jit
def neighbours(one: OneWorld, actor: int, lane: int) -> tuple[int, int]:
    """`Road.neighbour_vehicles`: the actors ahead of and behind one, were it on a lane.

    Among several at the same coordinate the last one listed is ahead, the first one behind.

    Returns:
        Indices of actors, or NONE.
    """
    front = rear = NONE
    front_at = rear_at = 0.0
    here, _ = coordinates(one, actor, lane)
    for k in range(one.member_counts[lane]):
        other = int(one.members[lane, k])
        if other == actor:
            continue
        at = one.coordinates[other, lane, 0]
        if here <= at:
            if front == NONE or at <= front_at:
                front, front_at = other, at
        elif rear == NONE or at > rear_at:
            rear, rear_at = other, at
    if one.world[0].connected:
        return _search_links(one, actor, lane, front, rear)
    return front, rear


@jit
def _search_links(one: OneWorld, actor: int, lane: int, front: int, rear: int) -> tuple[int, int]:
    """`neighbour_vehicles_connected_lanes`: search the following and preceding lanes as well.

    An actor counts on the first of these lanes that it is on. highway-env asks actor by actor,
    so ties between lanes are decided by the actors' order.
    """
    here, _ = coordinates(one, actor, lane)
    front_at = one.coordinates[front, lane, 0] if front != NONE else np.inf
    rear_at = one.coordinates[rear, lane, 0] if rear != NONE else -np.inf
    first = one.lanes[lane].first_link
    for link in range(first, first + one.lanes[lane].links):
        there = one.links[link].lane
        for k in range(one.member_counts[there]):
            other = int(one.members[there, k])
            if other == actor or _is_listed(one, other, lane, first, link):
                continue
            at = one.coordinates[other, there, 0] + one.links[link].offset
            if here <= at:
                if at < front_at or (at == front_at and other > front):
                    front, front_at = other, at
            elif at > rear_at or (at == rear_at and other < rear):
                rear, rear_at = other, at
    return front, rear


@jit
def _is_listed(one: OneWorld, actor: int, lane: int, first: int, link: int) -> bool:
    """Whether the actor was found on the lane itself or on an earlier link."""
    if one.on_lane[actor, lane] != 0:
        return True
    for earlier in range(first, link):  # noqa: SIM110  plain loops compile everywhere
        if one.on_lane[actor, one.links[earlier].lane] != 0:
            return True
    return False
