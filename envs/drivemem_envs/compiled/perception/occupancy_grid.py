"""highway-env's OccupancyGrid observation: vehicles and roads in the cells around the ego.

`OccupancyGridObservation.observe` with relative coordinates; cells that nothing fills are 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from highway_env.envs.common.observation import OccupancyGridObservation
from highway_env.vehicle.kinematics import Vehicle
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled.dynamics.lanes import local_coordinates, position_at
from drivemem_envs.compiled.export.supported import refuse
from drivemem_envs.compiled.perception.percept_poses import (
    POSE_COS,
    POSE_HEADING,
    POSE_SIN,
    POSE_SPEED,
    POSE_X,
    POSE_Y,
)
from drivemem_envs.compiled.records import STRAIGHT, OneWorld

# Layers that the kernel knows, by code; the others of highway-env are refused.
PRESENCE, GRID_X, GRID_Y, GRID_VX, GRID_VY, GRID_HEADING, COS_H, SIN_H, ROAD = range(9)
LAYERS = ("presence", "x", "y", "vx", "vy", "heading", "cos_h", "sin_h", "on_road")

# The numbers of a grid (GRID_NUMBERS,): its lower corner and steps, m; whether its axes are the
# ego's and values are cut to [-1, 1]; spacing of the points looked at on lanes, m; and how far
# from the ego its corners are, m.
LOW_X, LOW_Y, STEP_X, STEP_Y, ALIGNED, CLIPPED, SPACING, REACH = range(8)
GRID_NUMBERS = 8

_LANE_REACH_M = 100.0
"""lane_perception_distance of `fill_road_layer_by_lanes`, m."""

Cells = NDArray[np.float32]


def grid_layers(config: Mapping[str, Any]) -> tuple[Ints, Floats, Floats]:
    """Read the configuration of an OccupancyGrid.

    Args:
        config: of the observation.

    Returns:
        Codes of the layers (F,), ranges of all `LAYERS` (9, 2), nan where a value is not scaled,
        and the numbers of the grid (GRID_NUMBERS,).

    Raises:
        CompiledUnsupported: a layer that the kernel does not know, or a grid as an image.
    """
    features = config.get("features") or OccupancyGridObservation.FEATURES
    unknown = sorted(set(features) - set(LAYERS))
    refuse(bool(unknown), f"an OccupancyGrid with {', '.join(unknown)}")
    refuse(bool(config.get("as_image")), "an OccupancyGrid as an image")
    refuse(bool(config.get("absolute")), "an OccupancyGrid in absolute coordinates")
    fast = 2 * Vehicle.MAX_SPEED
    scaled = config.get("features_range") or {"vx": (-fast, fast), "vy": (-fast, fast)}
    ranges = np.array([scaled.get(name, (np.nan, np.nan)) for name in LAYERS], dtype=np.float64)
    size = np.array(config.get("grid_size") or OccupancyGridObservation.GRID_SIZE, dtype=float)
    step = np.array(config.get("grid_step") or OccupancyGridObservation.GRID_STEP, dtype=float)
    numbers = np.zeros(GRID_NUMBERS)
    numbers[[LOW_X, LOW_Y]], numbers[[STEP_X, STEP_Y]] = size[:, 0], step
    numbers[ALIGNED] = bool(config.get("align_to_vehicle_axes", False))
    numbers[CLIPPED] = bool(config.get("clip", True))
    numbers[SPACING] = step.min()
    numbers[REACH] = float(np.hypot(*np.abs(size).max(axis=1))) + 1.0
    return np.array([LAYERS.index(name) for name in features]), ranges, numbers


@jit
def _cell(numbers: Floats, cosine: float, sine: float, x: float, y: float) -> tuple[int, int]:
    """`pos_to_index` of a place relative to the ego, m."""
    if numbers[ALIGNED] > 0.0:
        x, y = cosine * x + sine * y, -sine * x + cosine * y
    i = math.floor((x - numbers[LOW_X]) / numbers[STEP_X])
    j = math.floor((y - numbers[LOW_Y]) / numbers[STEP_Y])
    return int(i), int(j)


@jit
def _scaled(value: float, low: float, high: float) -> float:
    """`utils.lmap(value, [low, high], [-1, 1])`, of what is scaled."""
    if math.isnan(low):
        return value
    return -1 + (value - low) * 2 / (high - low)


@jit
def _there_and_back(value: float, low: float, high: float) -> float:
    """A coordinate that highway-env scales and unscales again."""
    if math.isnan(low):
        return value
    return low + (_scaled(value, low, high) + 1) * (high - low) / 2


@jit
def _layer_value(code: int, pose: Floats, x: float, y: float, vx: float, vy: float) -> float:
    if code == GRID_X:
        return x
    if code == GRID_Y:
        return y
    if code == GRID_VX:
        return vx
    if code == GRID_VY:
        return vy
    if code == GRID_HEADING:
        return float(pose[POSE_HEADING])
    if code == COS_H:
        return float(pose[POSE_COS])
    if code == SIN_H:
        return float(pose[POSE_SIN])
    return 1.0


@jit
def _fill_vehicle(
    one: OneWorld, pose: Floats, codes: Ints, ranges: Floats, numbers: Floats, grid: Cells
) -> None:
    """Write one vehicle into all layers about vehicles."""
    ego = one.actors[one.world[0].ego]
    x, y = pose[POSE_X] - ego.x, pose[POSE_Y] - ego.y
    vx = pose[POSE_SPEED] * pose[POSE_COS] - ego.speed * ego.cos_heading
    vy = pose[POSE_SPEED] * pose[POSE_SIN] - ego.speed * ego.sin_heading
    at_x = _there_and_back(x, ranges[GRID_X, 0], ranges[GRID_X, 1])
    at_y = _there_and_back(y, ranges[GRID_Y, 0], ranges[GRID_Y, 1])
    i, j = _cell(numbers, ego.cos_heading, ego.sin_heading, at_x, at_y)
    if not (0 <= i < grid.shape[1] and 0 <= j < grid.shape[2]):
        return
    for layer in range(codes.shape[0]):
        code = codes[layer]
        if code == ROAD:
            continue
        value = _layer_value(code, pose, x, y, vx, vy)
        value = _scaled(value, ranges[code, 0], ranges[code, 1])
        if numbers[CLIPPED] > 0.0:
            value = min(max(value, -1.0), 1.0)
        grid[layer, i, j] = np.float32(value)


@jit
def _fill_roads(one: OneWorld, numbers: Floats, cells: Cells) -> None:
    """`fill_road_layer_by_lanes` (H, W); lanes and points out of the grid's reach are skipped."""
    ego = one.actors[one.world[0].ego]
    reach, spacing = numbers[REACH], numbers[SPACING]
    for row in range(int(one.world[0].lanes)):
        lane = one.lanes[row]
        dx = max(lane.left - ego.x, ego.x - lane.right, 0.0)
        dy = max(lane.bottom - ego.y, ego.y - lane.top, 0.0)
        if dx * dx + dy * dy > reach * reach:
            continue
        origin = local_coordinates(lane, one.points, ego.x, ego.y)[0]
        start = origin - _LANE_REACH_M
        count = math.ceil((origin + _LANE_REACH_M - start) / spacing)
        # np.arange adds multiples of the rounded difference of its first two values.
        delta = (start + spacing) - start
        last = -1.0
        for k in range(count):
            along = start + spacing if k == 1 else start + k * delta
            along = min(max(along, 0.0), lane.length)
            if along == last or (lane.kind == STRAIGHT and abs(along - origin) > reach):
                continue
            last = along
            x, y = position_at(lane, one.points, along, 0.0)
            i, j = _cell(numbers, ego.cos_heading, ego.sin_heading, x - ego.x, y - ego.y)
            if 0 <= i < cells.shape[0] and 0 <= j < cells.shape[1]:
                cells[i, j] = np.float32(1.0)


@jit
def show(
    one: OneWorld,
    poses: Floats,
    count: int,
    codes: Ints,
    ranges: Floats,
    numbers: Floats,
    grid: Cells,
) -> None:
    """Write the observation.

    Args:
        one: the world.
        poses: the vehicles on the road (P, POSE_COLUMNS), the ego among them.
        count: how many.
        codes: of the layers (F,).
        ranges: of `LAYERS` (9, 2).
        numbers: of the grid (GRID_NUMBERS,).
        grid: written (F, H, W).
    """
    grid[:] = np.float32(0.0)
    for row in range(count - 1, -1, -1):  # of two vehicles in a cell, the first one is shown
        _fill_vehicle(one, poses[row], codes, ranges, numbers, grid)
    for layer in range(codes.shape[0]):
        if codes[layer] == ROAD:
            _fill_roads(one, numbers, grid[layer])
