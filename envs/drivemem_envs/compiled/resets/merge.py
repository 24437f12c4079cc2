"""The scenes of highway_env's MergeEnv and MergeGenericEnv."""

from __future__ import annotations

from typing import Any

from drivemem_envs._jit import jit
from drivemem_envs.compiled import random
from drivemem_envs.compiled.dynamics.lanes import position_at
from drivemem_envs.compiled.dynamics.spawn import place
from drivemem_envs.compiled.records import OneWorld
from drivemem_envs.compiled.template import EGO, OTHER, Template

# Lane rows: the lane that merges, then those of the main road. Params of the generic world:
OTHERS, FURTHEST = range(2)
_EGO_AT, _MERGING_AT, _TRIES, _SAFE = 30.0, 110.0, 10, 15.0


def merge_params(env: Any) -> list[float]:
    """The params of a MergeEnv: none."""
    return [0.0]


def generic_params(env: Any) -> list[float]:
    """The params of a MergeGenericEnv."""
    config = env.config
    parts = ("before_merge_length", "converge_merge_length", "parallel_merge_length")
    return [config["vehicles_count"], sum(config[part] for part in parts)]


def merge_lane_rows(env: Any, rows: dict[Any, int]) -> list[int]:
    """The merging lane and the lanes of the main road."""
    lanes = len(env.road.network.graph["a"]["b"])
    return [rows["j", "k", 0], *(rows["a", "b", number] for number in range(lanes))]


@jit
def _place(
    one: OneWorld, template: Template, prototype: int, lane: int, longitudinal: float, speed: float
) -> int:
    """A vehicle heading east, whatever its lane."""
    row = int(template.lane_rows[lane])
    x, y = position_at(one.lanes[row], one.points, longitudinal, 0.0)
    return place(one, template, prototype, x, y, 0.0, speed)


@jit
def reset_merge(one: OneWorld, template: Template) -> None:
    """`MergeEnv._make_vehicles`."""
    one.world[0].ego = _place(one, template, EGO, 2, _EGO_AT, 30.0)
    for longitudinal, speed in ((90.0, 29.0), (70.0, 31.0), (5.0, 31.5)):
        lane = 1 + random.integers(one.stream, 2)
        along = longitudinal + random.uniform(one.stream, -5.0, 5.0)
        _place(one, template, OTHER, lane, along, speed + random.uniform(one.stream, -1.0, 1.0))
    merging = _place(one, template, OTHER, 0, _MERGING_AT, 20.0)
    one.actors[merging].target_speed = 30.0


@jit
def _is_free(one: OneWorld, template: Template, lane: int, longitudinal: float) -> bool:
    """Whether no vehicle was put near a coordinate of a lane (kept in `bounds` by row)."""
    for row in range(int(one.world[0].vehicles)):
        if one.bounds[row, 0] == lane and abs(longitudinal - one.bounds[row, 1]) <= _SAFE:
            return False
    return True


@jit
def reset_merge_generic(one: OneWorld, template: Template) -> None:
    """`MergeGenericEnv._make_vehicles`."""
    world, params, lanes = one.world[0], template.params, template.lane_rows.shape[0] - 1
    one.bounds[0, 0], one.bounds[0, 1] = lanes, _EGO_AT
    world.ego = _place(one, template, EGO, lanes, _EGO_AT, 30.0)
    for _ in range(int(params[OTHERS])):
        for _ in range(_TRIES):
            lane = 1 + random.integers(one.stream, lanes)
            along = random.uniform(one.stream, 0.0, params[FURTHEST])
            if _is_free(one, template, lane, along):
                one.bounds[world.vehicles, 0], one.bounds[world.vehicles, 1] = lane, along
                speed = 30.0 + random.uniform(one.stream, -2.0, 2.0)
                _place(one, template, OTHER, lane, along, speed)
                break
    merging = _place(one, template, OTHER, 0, _EGO_AT + 30, 20.0)
    one.actors[merging].target_speed = 30.0
