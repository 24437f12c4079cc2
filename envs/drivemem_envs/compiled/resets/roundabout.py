"""The scenes of highway_env's RoundaboutEnv and RoundaboutGenericEnv."""

from __future__ import annotations

import math
from typing import Any

from drivemem_envs._jit import jit
from drivemem_envs.compiled import random
from drivemem_envs.compiled.dynamics.lanes import heading_at, position_at
from drivemem_envs.compiled.dynamics.spawn import (
    place,
    place_on_lane,
    plan_route,
    randomize_behavior,
)
from drivemem_envs.compiled.records import NONE, OneWorld
from drivemem_envs.compiled.template import EGO, OTHER, Template

# Routes: to the ego's destination, then to those of others.
DESTINATIONS = ("nxs", "exr", "sxr", "nxr")
GENERIC_DESTINATIONS = (*DESTINATIONS, "wxr")
# Params: the destination of incoming vehicles or NONE; the generic world's vehicles.
INCOMING, OTHERS = range(2)
# Lane rows: the ego's lane, the ring's lanes 1 and 0, the entry. The generic world: the ego's lane,
# then the first lane and the number of lanes of each road on which vehicles are put.
_ROADS = (
    ("we", "sx"), ("sx", "se"), ("ee", "nx"), ("nx", "ne"), ("eer", "ees"), ("ner", "nes"),
    ("wer", "wes"),
)  # fmt: skip
_TRIES, _SAFE = 10, 7.0


def roundabout_params(env: Any) -> list[float]:
    """The params of a RoundaboutEnv."""
    incoming = env.config["incoming_vehicle_destination"]
    return [NONE if incoming is None else incoming % 3]


def generic_params(env: Any) -> list[float]:
    """The params of a RoundaboutGenericEnv."""
    incoming = env.config["incoming_vehicle_destination"]
    return [NONE if incoming is None else min(incoming, 3), env.config["vehicles_count"]]


def roundabout_lane_rows(env: Any, rows: dict[Any, int]) -> list[int]:
    """Rows of the named lanes."""
    named = ("ser", "ses", 0), ("we", "sx", 1), ("we", "sx", 0), ("eer", "ees", 0)
    return [rows[index] for index in named]


def generic_lane_rows(env: Any, rows: dict[Any, int]) -> list[int]:
    """Rows and counts of the lanes on which vehicles are put."""
    found = [rows["ser", "ses", 0]]
    for start, end in _ROADS:
        found += [rows[start, end, 0], len(env.road.network.graph[start][end])]
    return found


@jit
def _spawn(one: OneWorld, template: Template, place_index: int, along: float, wished: int) -> None:
    lane = int(template.lane_rows[place_index])
    longitudinal = along + random.normal(one.stream) * 2.0
    speed = 16.0 + random.normal(one.stream) * 2.0
    row = place_on_lane(one, template, OTHER, lane, longitudinal, speed)
    plan_route(one, template, row, 1 + (random.integers(one.stream, 3) if wished < 0 else wished))
    randomize_behavior(one, template, row)


@jit
def reset_roundabout(one: OneWorld, template: Template) -> None:
    """`RoundaboutEnv._make_vehicles`."""
    lane = int(template.lane_rows[0])
    x, y = position_at(one.lanes[lane], one.points, 125.0, 0.0)
    heading = heading_at(one.lanes[lane], one.points, 140.0)
    one.world[0].ego = place(one, template, EGO, x, y, heading, 8.0)
    plan_route(one, template, one.world[0].ego, 0)
    _spawn(one, template, 1, 5.0, int(template.params[INCOMING]))
    _spawn(one, template, 2, 20.0, NONE)
    _spawn(one, template, 2, -20.0, NONE)
    _spawn(one, template, 3, 50.0, NONE)


@jit
def _is_safe(one: OneWorld, x: float, y: float) -> bool:
    for row in range(int(one.world[0].vehicles)):
        dx, dy = x - one.actors[row].x, y - one.actors[row].y
        if math.sqrt(dx * dx + dy * dy) < _SAFE:
            return False
    return True


@jit
def reset_roundabout_generic(one: OneWorld, template: Template) -> None:
    """`RoundaboutGenericEnv._make_vehicles`."""
    params, lane_rows = template.params, template.lane_rows
    lane = int(lane_rows[0])
    along = one.lanes[lane].length - 2.5
    one.world[0].ego = place_on_lane(one, template, EGO, lane, along, 8.0)
    plan_route(one, template, one.world[0].ego, 0)
    for _ in range(int(params[OTHERS])):
        for _ in range(_TRIES):
            road = random.integers(one.stream, 7)
            lane = int(lane_rows[1 + 2 * road])
            lane += random.integers(one.stream, int(lane_rows[2 + 2 * road]))
            furthest = max(5.0, one.lanes[lane].length - 5.0)
            along = random.uniform(one.stream, 5.0, furthest)
            x, y = position_at(one.lanes[lane], one.points, along, 0.0)
            if _is_safe(one, x, y):
                speed = 14.0 + random.normal(one.stream) * 2.0
                row = place_on_lane(one, template, OTHER, lane, along, speed)
                wished = int(params[INCOMING])
                if wished == NONE:
                    wished = random.integers(one.stream, 4)
                plan_route(one, template, row, 1 + wished)
                randomize_behavior(one, template, row)
                break
