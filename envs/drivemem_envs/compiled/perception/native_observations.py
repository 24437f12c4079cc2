"""highway-env's own observations beside the rows, in kernels: `DriverView._native_parts`.

TimeToCollision and OccupancyGrid fill cells; KinematicsGoal and AttributesObservation are a few
named vectors. Any other type is refused.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from highway_env.vehicle.controller import MDPVehicle
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled import codes
from drivemem_envs.compiled.export.supported import refuse
from drivemem_envs.compiled.parallel_for import scratch_rows
from drivemem_envs.compiled.perception import occupancy_grid, percept_poses, time_to_collision
from drivemem_envs.compiled.perception.sight import Sight
from drivemem_envs.compiled.records import OneWorld
from drivemem_envs.compiled.tasks import lane_keeping, parking
from drivemem_envs.compiled.tasks.facts import Task
from drivemem_envs.scenario_spec import Scenario

# Types of native observation.
NO_NATIVE, TIME_TO_COLLISION, GRID, GOAL, ATTRIBUTES = range(5)

# Types that any task can have, and those that belong to one.
_TYPES = {
    "TimeToCollision": TIME_TO_COLLISION,
    "OccupancyGrid": GRID,
    "KinematicsGoal": GOAL,
    "AttributesObservation": ATTRIBUTES,
}
_ONLY = {GOAL: codes.PARKING, ATTRIBUTES: codes.KEEPING}


class Native(NamedTuple):
    """What N worlds show beside the rows; without such an observation all is empty."""

    kind: Ints
    """(1,) the type."""
    codes: Ints
    """(F,) of layers, features or attributes; see the type's file."""
    scales: Floats
    """(F, 2) or (9, 2): ranges of layers, scales of features or noises of attributes."""
    settings: Floats
    """(GRID_NUMBERS,) of a grid, or (1,) the time of a cell, s."""
    cells: NDArray[np.float32]
    """(N, F, H, W) written."""
    parts: Floats
    """(N, P, D) written."""
    poses: Floats
    """(T, I, POSE_COLUMNS) scratch."""


def native_kind(scenario: Scenario, family: float) -> int:
    """The type of a scenario's native observation.

    Raises:
        CompiledUnsupported: the kernels do not know it.
    """
    native = scenario.observation.native
    if native is None:
        return NO_NATIVE
    refuse(native["type"] not in _TYPES, f"{scenario.name} observes {native['type']}")
    kind = _TYPES[native["type"]]
    foreign = _ONLY.get(kind, family) != family
    refuse(foreign, f"{native['type']} outside of its own task")
    return kind


def make_native(
    scenario: Scenario, family: float, env: Any, worlds: int, percepts: int, threads: int
) -> Native:
    """Room for the native observations of N worlds.

    Args:
        scenario: the resolved scenario.
        family: its task's code.
        env: a live environment of it, after a reset.
        worlds: N.
        percepts: I, most percepts at once.
        threads: T.

    Raises:
        CompiledUnsupported: the kernels do not know the observation, or some part of it.
    """
    kind = native_kind(scenario, family)
    codes, scales = np.zeros(0, dtype=np.int64), np.zeros((0, 2))
    settings = np.zeros(1)
    cells: tuple[int, ...] = (0, 0, 0)
    parts = (0, 0)
    config = dict(scenario.observation.native or {})
    if kind == TIME_TO_COLLISION:
        refuse(not isinstance(env.vehicle, MDPVehicle), "TimeToCollision without discrete speeds")
        cells = env.observation_type.native.observe().shape
        settings[0] = 1 / env.config["policy_frequency"]
    elif kind == GRID:
        codes, scales, settings = occupancy_grid.grid_layers(config)
        cells = env.observation_type.native.grid.shape
    elif kind == GOAL:
        codes = parking.feature_codes(config["features"])
        scales = np.array(config["scales"], dtype=np.float64)[:, None]
        parts = (len(parking.PARTS), len(codes))
    elif kind == ATTRIBUTES:
        codes = lane_keeping.attribute_codes(config["attributes"])
        scales = lane_keeping.noises_of(env.config)[:, None]
        parts = (len(codes), lane_keeping.SIZE)
    return Native(
        kind=np.array([kind], dtype=np.int64),
        codes=codes,
        scales=np.ascontiguousarray(scales),
        settings=settings,
        cells=np.zeros((worlds, *cells), dtype=np.float32),
        parts=np.zeros((worlds, *parts)),
        poses=np.zeros((scratch_rows(threads), percepts + 1, percept_poses.POSE_COLUMNS)),
    )


def parts_of(native: Native, scenario: Scenario, rows: Any) -> dict[str, Any]:
    """What some worlds show now, by the keys and shapes of the reference backend: copies."""
    kind, config = int(native.kind[0]), scenario.observation.native
    if kind == TIME_TO_COLLISION:
        return {"time_to_collision": native.cells[rows].copy()}
    if kind == GRID:
        return {"grid": native.cells[rows].copy()}
    if kind == GOAL:
        parts = native.parts[rows]
        return {name: parts[:, part].copy() for part, name in enumerate(parking.PARTS)}
    if kind == ATTRIBUTES and config is not None:
        names = config["attributes"]
        parts = native.parts[rows]
        return {name: parts[:, part, :, None].copy() for part, name in enumerate(names)}
    return {}


@jit
def show_native(
    one: OneWorld,
    sight: Sight,
    task: Task,
    native: Native,
    index: int,
    scratch_row: int,
    given: int,
) -> None:
    """Write a world's native observation.

    Args:
        one: the world.
        sight: what its ego perceives.
        task: what is rewarded.
        native: written.
        index: which world it is.
        scratch_row: the row of working memory to use.
        given: number of percepts, see `look`.
    """
    kind, task_state = native.kind[0], task.task_state[index]
    if kind == GOAL:
        parking.show(one, task_state, native.codes, native.scales[:, 0], native.parts[index])
    elif kind == ATTRIBUTES:
        lane_keeping.show(
            one, task.params, task_state, native.codes, native.scales[:, 0], native.parts[index]
        )  # fmt: skip
    elif kind != NO_NATIVE:
        poses = native.poses[scratch_row]
        count = percept_poses.write_poses(one, sight, index, scratch_row, given, poses)
        if kind == TIME_TO_COLLISION:
            time_to_collision.show(one, poses, count, native.settings[0], native.cells[index])
        else:
            occupancy_grid.show(
                one, poses, count, native.codes, native.scales, native.settings,
                native.cells[index],
            )  # fmt: skip
