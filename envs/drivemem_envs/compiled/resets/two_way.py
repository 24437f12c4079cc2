"""The scenes of highway_env's TwoWayEnv: three vehicles ahead, two oncoming."""

from __future__ import annotations

from typing import Any

from drivemem_envs._jit import jit
from drivemem_envs.compiled import random
from drivemem_envs.compiled.dynamics.lanes import position_at
from drivemem_envs.compiled.dynamics.spawn import place, place_on_lane
from drivemem_envs.compiled.records import OneWorld
from drivemem_envs.compiled.template import EGO, OTHER, Template


def two_way_lane_rows(env: Any, rows: dict[Any, int]) -> list[int]:
    """The ego's lane and the oncoming one."""
    return [rows["a", "b", 1], rows["b", "a", 0]]


def two_way_params(env: Any) -> list[float]:
    """None."""
    return [0.0]


@jit
def reset_two_way(one: OneWorld, template: Template) -> None:
    """`TwoWayEnv._make_vehicles`."""
    lane, oncoming = int(template.lane_rows[0]), int(template.lane_rows[1])
    x, y = position_at(one.lanes[lane], one.points, 30.0, 0.0)
    one.world[0].ego = place(one, template, EGO, x, y, 0.0, 30.0)
    for i in range(3):
        along = 70.0 + 40.0 * float(i) + 10.0 * random.normal(one.stream)
        speed = 24.0 + 2.0 * random.normal(one.stream)
        row = place_on_lane(one, template, OTHER, lane, along, speed)
        one.actors[row].enable_lane_change = False
    for i in range(2):
        along = 200.0 + 100.0 * float(i) + 10.0 * random.normal(one.stream)
        speed = 20.0 + 5.0 * random.normal(one.stream)
        row = place_on_lane(one, template, OTHER, oncoming, along, speed)
        one.actors[row].enable_lane_change = False
        one.actors[row].target_lane = oncoming
