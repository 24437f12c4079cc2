"""The scenes of highway_env's UTurnEnv: two vehicles on each of the three roads."""

from __future__ import annotations

from typing import Any

from drivemem_envs._jit import jit
from drivemem_envs.compiled import random
from drivemem_envs.compiled.dynamics.lanes import position_at
from drivemem_envs.compiled.dynamics.spawn import (
    place,
    place_on_lane,
    plan_route,
    randomize_behavior,
)
from drivemem_envs.compiled.records import OneWorld
from drivemem_envs.compiled.template import EGO, OTHER, Template

_DEVIATION = 2.0


def u_turn_lane_rows(env: Any, rows: dict[Any, int]) -> list[int]:
    """The ego's lane, then those of the others in order."""
    named = (
        ("a", "b", 0), ("a", "b", 0), ("a", "b", 1), ("b", "c", 1), ("b", "c", 0), ("c", "d", 0),
        ("c", "d", 1),
    )  # fmt: skip
    return [rows[index] for index in named]


def u_turn_params(env: Any) -> list[float]:
    """None."""
    return [0.0]


@jit
def _spawn(one: OneWorld, template: Template, which: int, along: float, speed: float) -> int:
    longitudinal = along + random.normal(one.stream) * _DEVIATION
    driven = speed + random.normal(one.stream) * _DEVIATION
    lane = int(template.lane_rows[which])
    row = place_on_lane(one, template, OTHER, lane, longitudinal, driven)
    plan_route(one, template, row, 0)
    return row


@jit
def reset_u_turn(one: OneWorld, template: Template) -> None:
    """`UTurnEnv._make_vehicles`. Only the first of the others gets a character of its own."""
    lane = int(template.lane_rows[0])
    x, y = position_at(one.lanes[lane], one.points, 0.0, 0.0)
    one.world[0].ego = place(one, template, EGO, x, y, 0.0, 16.0)
    plan_route(one, template, one.world[0].ego, 0)
    randomize_behavior(one, template, _spawn(one, template, 1, 25.0, 13.5))
    _spawn(one, template, 2, 56.0, 14.5)
    _spawn(one, template, 3, 0.5, 4.5)
    _spawn(one, template, 4, 17.5, 5.5)
    _spawn(one, template, 5, 1.0, 3.5)
    _spawn(one, template, 6, 30.0, 5.5)
