"""From a world's records to what its ego perceives: `reference.perception.Perception` in arrays.

Actors stand in the order in which the reference backend looks at them: ego, traffic, objects.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled.dynamics.lanes import (
    heading_at,
    local_coordinates,
    position_at,
    wrap_to_pi,
)
from drivemem_envs.compiled.parallel_for import scratch_rows
from drivemem_envs.compiled.records import (
    LANDMARK,
    OBSTACLE,
    ROUTE_LANE,
    ROUTE_ROAD,
    OneWorld,
)
from drivemem_envs.sensing import layout
from drivemem_envs.sensing.pipeline import sense
from drivemem_envs.sensing.rows import ALL_COLUMNS, ANG_OFF, COS_D, LAT_OFF, LONG_OFF, SIN_D


class Sight(NamedTuple):
    """The sensors of N worlds with room for A actors, and working memory of T threads."""

    limits: Floats
    """(LIMITS,)"""
    occluders: Floats
    """(N, K, 5)"""
    seeds: Ints
    """(N,) sensor seed of the running episode."""
    decisions: Ints
    """(N,) decisions perceived in the running episode."""
    counts: Ints
    """(N,) actors present."""
    actors: Floats
    """(N, A, C) columns as in `layout`, C more with features of lanes."""
    ids: Ints
    """(N, A)"""
    speeds: Floats
    """(N, A) m/s."""
    crashed: Ints
    """(N, A) 0 or 1."""
    report: Floats
    """(N, A, REPORT_COLUMNS)"""
    frames: Floats
    """(N, R, I, C + TRACK_COLUMNS) tables of tracks; I ids can be remembered."""
    status: Ints
    """(N, R + 1)"""
    percepts: Floats
    """(T, I, C + PERCEPT_COLUMNS)"""
    scratch: Floats
    """(T, A, SCRATCH_COLUMNS)"""


def make_sight(
    limits: Floats, worlds: int, actors: int, ids: int, occluders: int, lanes: bool, threads: int
) -> Sight:
    """Room for the sensors of N worlds.

    Args:
        limits: see `layout.limit_vector`.
        worlds: N.
        actors: A, most actors present at once.
        ids: I, most actors of one episode.
        occluders: K.
        lanes: whether actors carry the features of their lanes.
        threads: T.
    """
    columns = ALL_COLUMNS if lanes else layout.COLUMNS
    ring = int(limits[layout.LATENCY]) + 1
    return Sight(
        limits=limits,
        occluders=np.zeros((worlds, occluders, layout.OCCLUDER_COLUMNS)),
        seeds=np.zeros(worlds, dtype=np.int64),
        decisions=np.zeros(worlds, dtype=np.int64),
        counts=np.zeros(worlds, dtype=np.int64),
        actors=np.zeros((worlds, actors, columns)),
        ids=np.zeros((worlds, actors), dtype=np.int64),
        speeds=np.zeros((worlds, actors)),
        crashed=np.zeros((worlds, actors), dtype=np.int64),
        report=np.zeros((worlds, actors, layout.REPORT_COLUMNS)),
        frames=np.zeros((worlds, ring, ids, columns + layout.TRACK_COLUMNS)),
        status=np.zeros((worlds, ring + 1), dtype=np.int64),
        percepts=np.zeros((scratch_rows(threads), ids, columns + layout.PERCEPT_COLUMNS)),
        scratch=np.zeros((scratch_rows(threads), actors, layout.SCRATCH_COLUMNS)),
    )


@jit
def _lane_features(one: OneWorld, actor: int, row: Floats) -> None:
    """`Vehicle.destination_direction` and `Vehicle.lane_offset`; nothing for objects."""
    it = one.actors[actor]
    row[COS_D], row[SIN_D] = 0.0, 0.0
    row[LONG_OFF], row[LAT_OFF], row[ANG_OFF] = np.nan, np.nan, np.nan
    if it.kind in (OBSTACLE, LANDMARK):
        return
    lane = one.lanes[it.lane]
    longitudinal, lateral = local_coordinates(lane, one.points, it.x, it.y)
    row[LONG_OFF], row[LAT_OFF] = longitudinal, lateral
    row[ANG_OFF] = wrap_to_pi(it.heading - heading_at(lane, one.points, longitudinal))
    if not it.has_route or it.route_start >= it.route_end:
        return
    road = one.roads[one.routes[actor, it.route_end - 1, ROUTE_ROAD]]
    number = max(int(one.routes[actor, it.route_end - 1, ROUTE_LANE]), 0)
    last = one.lanes[road.first_lane + number]
    x, y = position_at(last, one.points, last.length, 0.0)
    dx, dy = x - it.x, y - it.y
    away = math.sqrt(dx * dx + dy * dy)
    if away > 0.0:
        row[COS_D], row[SIN_D] = dx / away, dy / away


@jit
def _take_in(one: OneWorld, sight: Sight, index: int, place: int, actor: int) -> None:
    """Write one actor's columns."""
    it = one.actors[actor]
    row = sight.actors[index, place]
    row[layout.X], row[layout.Y], row[layout.HEADING] = it.x, it.y, it.heading
    row[layout.LENGTH], row[layout.WIDTH] = it.length, it.width
    row[layout.VX], row[layout.VY] = 0.0, 0.0
    if it.kind == OBSTACLE or it.kind == LANDMARK:
        row[layout.KIND] = layout.OBSTACLE if it.solid else layout.LANDMARK
    else:
        row[layout.KIND] = layout.VEHICLE
        row[layout.VX], row[layout.VY] = it.speed * it.cos_heading, it.speed * it.sin_heading
    sight.ids[index, place] = it.id
    sight.speeds[index, place] = it.speed
    sight.crashed[index, place] = 1 if it.crashed else 0
    if row.shape[0] > layout.COLUMNS:
        _lane_features(one, actor, row)


@jit
def look(one: OneWorld, sight: Sight, index: int, scratch_row: int) -> int:
    """Perceive a world at its next decision.

    Args:
        one: the world.
        sight: the sensors of all worlds, written.
        index: which world it is.
        scratch_row: the row of working memory to use.

    Returns:
        Number of percepts in `sight.percepts[scratch_row]`.
    """
    world = one.world[0]
    _take_in(one, sight, index, 0, world.ego)
    count = 1
    for actor in range(int(world.vehicles)):
        if actor != world.ego:
            _take_in(one, sight, index, count, actor)
            count += 1
    for actor in range(int(world.first_object), int(world.first_object + world.objects)):
        _take_in(one, sight, index, count, actor)
        count += 1
    sight.counts[index] = count
    given = sense(
        sight.actors[index][:count], sight.ids[index][:count], 0, sight.occluders[index],
        sight.limits, sight.decisions[index], sight.seeds[index], sight.frames[index],
        sight.status[index], sight.percepts[scratch_row], sight.report[index][:count],
        sight.scratch[scratch_row][:count],
    )  # fmt: skip
    sight.decisions[index] += 1
    return given
