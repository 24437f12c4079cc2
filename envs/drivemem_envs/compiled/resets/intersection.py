"""The scenes of highway_env's IntersectionEnv: 3 s of traffic, then a challenger and the ego."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from drivemem_envs._jit import jit
from drivemem_envs.compiled import random
from drivemem_envs.compiled.dynamics.lanes import heading_at, position_at
from drivemem_envs.compiled.dynamics.neighbours import list_members
from drivemem_envs.compiled.dynamics.spawn import ARMS, place, plan_route, remove, spawn_vehicle
from drivemem_envs.compiled.dynamics.step import forget_all, frame
from drivemem_envs.compiled.records import NONE, OneWorld
from drivemem_envs.compiled.template import EGO, Template

# Params: the ego's destination (arm) or NONE, frames before it appears, then where the first
# vehicles are tried.
DESTINATION, FRAMES, TRIED = range(3)
_SECONDS, _DEFAULT_PROBABILITY, _EARLY_M = 3, 0.6, 20.0


def intersection_params(env: Any) -> list[float]:
    """The params of an IntersectionEnv."""
    wished, count = env.config["destination"], env.config["initial_vehicle_count"]
    return [
        int(wished[1:]) if wished else NONE,
        _SECONDS * env.config["simulation_frequency"],
        *np.linspace(0, 80, count)[: max(count - 1, 0)],
    ]


def intersection_lane_rows(env: Any, rows: dict[Any, int]) -> list[int]:
    """The lane that enters from each arm, then all that lead away."""
    enter = [rows[f"o{arm}", f"ir{arm}", 0] for arm in range(ARMS)]
    return [*enter, *(row for index, row in rows.items() if "il" in index[0] and "o" in index[1])]


@jit
def reset_intersection(one: OneWorld, template: Template) -> None:
    """`IntersectionEnv._make_vehicles`."""
    world, params = one.world[0], template.params
    world.ego = NONE
    for tried in range(TRIED, params.shape[0]):
        spawn_vehicle(one, template, params[tried], _DEFAULT_PROBABILITY, False, 1.0, 1.0)
    forget_all(one)
    list_members(one)
    for _ in range(int(params[FRAMES])):
        frame(one, one.world[0].vehicles > 0)  # True, but no constant: it would compile anew
    spawn_vehicle(one, template, 60.0, 1.0, True, 0.1, 0.0)
    destination = int(params[DESTINATION])
    if destination == NONE:
        destination = 1 + random.integers(one.stream, 3)
    lane = int(template.lane_rows[0])
    along = 60.0 + 5.0 * (1.0 + random.normal(one.stream))
    x, y = position_at(one.lanes[lane], one.points, along, 0.0)
    heading = heading_at(one.lanes[lane], one.points, 60.0)
    ego = place(one, template, EGO, x, y, heading, one.lanes[lane].speed_limit)
    plan_route(one, template, ego, destination)
    world.ego = ego
    row = 0
    while row < world.vehicles:  # prevent early collisions
        dx, dy = one.actors[row].x - x, one.actors[row].y - y
        if row != world.ego and math.sqrt(dx * dx + dy * dy) < _EARLY_M:
            remove(one, row)
        else:
            row += 1
