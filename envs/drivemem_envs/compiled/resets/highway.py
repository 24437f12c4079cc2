"""The scenes of highway_env's HighwayEnv and ExitEnv: traffic strung along parallel lanes."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivemem_envs._jit import jit
from drivemem_envs.compiled import random
from drivemem_envs.compiled.dynamics.lanes import local_coordinates
from drivemem_envs.compiled.dynamics.spawn import place_on_lane, plan_route, randomize_behavior
from drivemem_envs.compiled.records import NONE, OneWorld
from drivemem_envs.compiled.template import EGO, OTHER, Template

# Params: vehicles besides the ego, the ego's lane or NONE, spacing of the ego and of others,
# exp(-5/40 lanes), the range of speeds of others.
(OTHERS, EGO_LANE, EGO_SPACING, SPACING, CROWDING, SPEED_LOW, SPEED_HIGH, HIGHWAY_PARAMS) = range(8)
# Lane rows: the lanes of the first road. Exit's params go on with running sums of the lanes'
# probabilities.
_EGO_SPEED = 25.0


def highway_params(env: Any) -> list[float]:
    """The params of a HighwayEnv or ExitEnv."""
    config = env.config
    lanes = len(env.road.network.graph["0"]["1"])
    limit = env.road.network.get_lane(("0", "1", 0)).speed_limit
    wished = config["initial_lane_id"]
    return [
        config["vehicles_count"], NONE if wished is None else wished, config["ego_spacing"],
        1 / config["vehicles_density"], np.exp(-5 / 40 * lanes), 0.7 * limit, 0.8 * limit,
    ]  # fmt: skip


def exit_params(env: Any) -> list[float]:
    """The params of an ExitEnv."""
    lanes = np.arange(env.config["lanes_count"])
    sums = (lanes / lanes.sum()).cumsum()
    return [*highway_params(env), *(sums / sums[-1])]


def first_road(env: Any, rows: dict[Any, int]) -> list[int]:
    """The rows of the lanes of the first road."""
    return [rows["0", "1", number] for number in range(len(env.road.network.graph["0"]["1"]))]


@jit
def _create_random(
    one: OneWorld, template: Template, prototype: int, lane: int, speed: float, spacing: float
) -> int:
    """`Vehicle.create_random`, the lane and the speed being chosen: ahead of all others."""
    offset = spacing * (12 + 1.0 * speed) * template.params[CROWDING]
    vehicles = one.world[0].vehicles
    ahead = 3 * offset
    for other in range(vehicles):
        it = one.actors[other]
        longitudinal, _ = local_coordinates(one.lanes[lane], one.points, it.x, it.y)
        ahead = longitudinal if other == 0 else max(ahead, longitudinal)
    ahead += offset * random.uniform(one.stream, 0.9, 1.1)
    return place_on_lane(one, template, prototype, lane, ahead, speed)


@jit
def reset_highway(one: OneWorld, template: Template) -> None:
    """`HighwayEnv._create_vehicles`."""
    params, lanes = template.params, template.lane_rows.shape[0]
    wished = int(params[EGO_LANE])
    number = random.integers(one.stream, lanes) if wished == NONE else wished
    lane = int(template.lane_rows[number])
    one.world[0].ego = _create_random(one, template, EGO, lane, _EGO_SPEED, params[EGO_SPACING])
    for _ in range(int(params[OTHERS])):
        lane = int(template.lane_rows[random.integers(one.stream, lanes)])
        speed = random.uniform(one.stream, params[SPEED_LOW], params[SPEED_HIGH])
        row = _create_random(one, template, OTHER, lane, speed, params[SPACING])
        randomize_behavior(one, template, row)


@jit
def reset_exit(one: OneWorld, template: Template) -> None:
    """`ExitEnv._create_vehicles`: more traffic on the right, which keeps its lanes."""
    params = template.params
    lane = int(template.lane_rows[0])
    one.world[0].ego = _create_random(one, template, EGO, lane, _EGO_SPEED, params[EGO_SPACING])
    for _ in range(int(params[OTHERS])):
        lane = int(template.lane_rows[random.weighted(one.stream, params[HIGHWAY_PARAMS:])])
        speed = one.lanes[lane].speed_limit
        row = _create_random(one, template, OTHER, lane, speed, params[SPACING])
        plan_route(one, template, row, 0)
        one.actors[row].enable_lane_change = False
