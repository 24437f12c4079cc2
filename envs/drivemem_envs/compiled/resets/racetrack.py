"""The scenes of highway_env's RacetrackEnv, RacetrackEnvLarge and RacetrackEnvOval."""

from __future__ import annotations

import math
from typing import Any

from drivemem_envs._jit import jit
from drivemem_envs.compiled import random
from drivemem_envs.compiled.dynamics.spawn import place_on_lane
from drivemem_envs.compiled.records import OneWorld
from drivemem_envs.compiled.template import EGO, OTHER, Template

# Params: lanes on which the ego may begin; the most other vehicles, without the one ahead.
EGO_LANES, OTHERS = range(2)
# Lane rows: the first lanes of the ego's road and of the next one; then, for each node from which
# roads lead away, the first of these roads and their number.
_NODES = 2
_CLEARANCE_M = 20.0


def racetrack_params(env: Any) -> list[float]:
    """The params of a RacetrackEnv and of a large one, which begins on the same two lanes."""
    return [2, env.config["other_vehicles"]]


def oval_params(env: Any) -> list[float]:
    """The params of a RacetrackEnvOval."""
    return [env.config["no_lanes"], env.config["other_vehicles"]]


def racetrack_lane_rows(env: Any, rows: dict[Any, int]) -> list[int]:
    """Rows of lanes and of roads, in the order of highway-env's graph."""
    found = [rows["a", "b", 0], rows["b", "c", 0]]
    first = 0
    for ends in env.road.network.graph.values():
        found += [first, len(ends)]
        first += len(ends)
    return found


@jit
def _put(one: OneWorld, template: Template, lane: int, length: float) -> int:
    """A vehicle anywhere on a lane."""
    along = random.uniform(one.stream, 0.0, length)
    speed = 6.0 + random.uniform(one.stream, 0.0, 3.0)
    return place_on_lane(one, template, OTHER, lane, along, speed)


@jit
def _random_lane(one: OneWorld, template: Template) -> int:
    """`RoadNetwork.random_lane_index`."""
    node = _NODES + 2 * random.integers(one.stream, (template.lane_rows.shape[0] - _NODES) // 2)
    road = int(template.lane_rows[node])
    road += random.integers(one.stream, int(template.lane_rows[node + 1]))
    lane = int(one.roads[road].first_lane)
    return lane + random.integers(one.stream, int(one.roads[road].lanes))


@jit
def _is_clear(one: OneWorld, row: int) -> bool:
    """Whether a vehicle is away from all those put before it."""
    for other in range(row):
        dx = one.actors[row].x - one.actors[other].x
        dy = one.actors[row].y - one.actors[other].y
        if math.sqrt(dx * dx + dy * dy) < _CLEARANCE_M:
            return False
    return True


@jit
def reset_racetrack(one: OneWorld, template: Template) -> None:
    """`RacetrackEnv._make_vehicles` with one agent."""
    world, params, lane_rows = one.world[0], template.params, template.lane_rows
    number = random.integers(one.stream, int(params[EGO_LANES]))
    lane = int(lane_rows[0]) + number
    along = random.uniform(one.stream, 20.0, 50.0)
    world.ego = place_on_lane(one, template, EGO, lane, along, one.lanes[lane].speed_limit)
    others = int(params[OTHERS])
    if others <= 0:
        return
    ahead = int(lane_rows[1])
    _put(one, template, ahead + number, one.lanes[ahead].length)
    for _ in range(random.integers(one.stream, others)):
        lane = _random_lane(one, template)
        row = _put(one, template, lane, one.lanes[lane].length)
        if not _is_clear(one, row):
            world.vehicles -= 1
