"""Views in the frame of the ego's lane: an occupancy grid, and the nearest actors of each lane.

Rows sorted by distance change their owners from decision to decision; here a place keeps its
meaning, which is what learning in dense traffic needs. Nothing but percepts and the ego enters, on
plain arrays, so both backends share it. Ahead is along the lane, right is across it to the right
(highway-env's y points down), as `AbstractLane.local_coordinates` has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, jit
from drivemem_envs.sensing.layout import HEADING, KIND, LANDMARK, LENGTH, VX, VY, WIDTH
from drivemem_envs.sensing.view_spec import GridView, LanesView, View

SPEED_SCALE, LENGTH_SCALE, COUNT_SCALE = 40.0, 20.0, 4.0
"""What speeds (m/s), lengths (m) and numbers of lanes are divided by."""
STRADDLE_M = 0.5
"""An actor that reaches so far into a lane is on it, m: also on two, as when it cuts in."""

GRID_CHANNELS = ("presence", "vx", "vy")
"""Share of a cell that is covered, and this times the velocity along and across, relative to the
ego's, over 40 m/s."""
LANE_FEATURES = ("exists", "room")
"""Of each lane: whether there is such a lane of the ego's direction, and whether nobody is beside
the ego there."""
NEIGHBOR_FEATURES = ("presence", "gap", "closing_speed", "length")
"""Of the nearest actor ahead and behind: gap between bumpers over the range (1 with none), speed at
which it shrinks over 40 m/s, length over 20 m."""
EGO_FEATURES = (
    "speed", "offset", "sin_heading", "speed_to_target", "lanes_to_target", "lanes_left",
    "lanes_right",
)  # fmt: skip
"""Of the ego: speed over 40 m/s, place across its lane over the lane's width, heading against the
lane's, speed and lanes still to go to what it was told last, and lanes beside its own over 4."""

# The columns of these, in their order; the nearest ahead stands before the nearest behind.
EXISTS, ROOM = range(len(LANE_FEATURES))
NEAR_PRESENCE, NEAR_GAP, NEAR_CLOSING, NEAR_LENGTH = range(len(NEIGHBOR_FEATURES))
NEAR_AHEAD = len(LANE_FEATURES)
NEAR_BEHIND = NEAR_AHEAD + len(NEIGHBOR_FEATURES)
LANE_COLUMNS = NEAR_BEHIND + len(NEIGHBOR_FEATURES)
OWN_SPEED, OWN_OFFSET, OWN_SIN, TO_SPEED, TO_LANE, TO_LEFT, TO_RIGHT = range(len(EGO_FEATURES))

# How the ego stands (STANCE,): place in its lane (m, m), the lane's width (m) and heading (rad),
# the lane's number, lanes of the road, target speed (m/s) and number of the target lane.
ALONG, ACROSS, LANE_WIDTH, LANE_HEADING, NUMBER, LANES, TARGET_SPEED, TARGET_NUMBER = range(8)
STANCE = 8

# The vector of settings (SETTINGS,), m; lanes on each side of the ego's.
BEHIND, RIGHT, CELL_LENGTH, CELL_WIDTH, RANGE, SIDE = range(6)
SETTINGS = 6


class LaneViews(NamedTuple):
    """Arrays of N worlds (first dimension), or of one without it; empty where not wanted."""

    settings: Floats
    """(SETTINGS,)"""
    grid: NDArray[np.float32]
    """(N, C, H, W)"""
    lanes: NDArray[np.float32]
    """(N, L, F)"""
    ego: NDArray[np.float32]
    """(N, E)"""


def make_lane_views(
    worlds: int, shown: Sequence[View], grid: GridView, lanes: LanesView
) -> LaneViews:
    """Room for the views of N worlds; empty arrays of those that are not shown."""
    settings = np.zeros(SETTINGS)
    cells, rows, own = (0, 0, 0), 0, 0
    if "grid" in shown:
        settings[BEHIND], settings[RIGHT] = grid.behind_m, grid.across_m / 2
        settings[CELL_LENGTH], settings[CELL_WIDTH] = grid.cell_m
        cells, own = (len(GRID_CHANNELS), *grid.cells), len(EGO_FEATURES)
    if "lanes" in shown:
        settings[RANGE], settings[SIDE] = lanes.range_m, lanes.each_side
        rows, own = 2 * lanes.each_side + 1, len(EGO_FEATURES)
    return LaneViews(
        settings,
        np.zeros((worlds, *cells), dtype=np.float32),
        np.zeros((worlds, rows, LANE_COLUMNS), dtype=np.float32),
        np.zeros((worlds, own), dtype=np.float32),
    )


def lane_parts(views: LaneViews, shown: Sequence[View]) -> dict[str, NDArray[np.float32]]:
    """The parts of the observation that they are, by key; each in [-1, 1]."""
    parts = {"grid": views.grid, "lanes": views.lanes}
    found: dict[str, NDArray[np.float32]] = {key: parts[key] for key in parts if key in shown}
    return {**found, "ego": views.ego} if found else {}


@jit
def write_lane_views(
    percepts: Floats,
    places: Floats,
    count: int,
    ego: Floats,
    stance: Floats,
    settings: Floats,
    grid: NDArray[np.float32],
    lanes: NDArray[np.float32],
    own: NDArray[np.float32],
) -> None:
    """Write one world's views.

    Args:
        percepts: what is perceived (P, C or more).
        places: where each is in the ego's lane, along and across it (P, 2), m.
        count: rows in use of both.
        ego: the ego's columns (C,).
        stance: how the ego stands (STANCE,).
        settings: see `LaneViews`.
        grid: written (C, H, W), the cell farthest behind and leftmost first; may be empty.
        lanes: written (L, F), leftmost first; may be empty.
        own: written (E,); may be empty.
    """
    if grid.shape[0] > 0:
        _write_grid(percepts, places, count, ego, stance, settings, grid)
    if lanes.shape[0] > 0:
        _write_lanes(percepts, places, count, ego, stance, settings, lanes)
    if own.shape[0] > 0:
        _write_ego(ego, stance, own)


@jit
def _scaled(value: float, scale: float) -> float:
    return min(max(value / scale, -1.0), 1.0)


@jit
def _velocity(row: Floats, stance: Floats) -> tuple[float, float]:
    """Along and across the ego's lane, m/s; what is not sensed is 0."""
    if math.isnan(row[VX]):
        return 0.0, 0.0
    cosine, sine = math.cos(stance[LANE_HEADING]), math.sin(stance[LANE_HEADING])
    return row[VX] * cosine + row[VY] * sine, row[VY] * cosine - row[VX] * sine


@jit
def _half_extent(row: Floats, stance: Floats) -> tuple[float, float]:
    """Of a rectangle along and across the ego's lane, m; a heading not sensed is the lane's."""
    turn = 0.0 if math.isnan(row[HEADING]) else row[HEADING] - stance[LANE_HEADING]
    cosine, sine = abs(math.cos(turn)), abs(math.sin(turn))
    length, width = row[LENGTH] / 2, row[WIDTH] / 2
    return length * cosine + width * sine, width * cosine + length * sine


@jit
def _share(low: float, high: float, cell: int, size: float) -> float:
    """Share of a cell [cell * size, (cell + 1) * size] within [low, high]."""
    return max(0.0, min(high, (cell + 1) * size) - max(low, cell * size)) / size


@jit
def _write_grid(
    percepts: Floats,
    places: Floats,
    count: int,
    ego: Floats,
    stance: Floats,
    settings: Floats,
    grid: NDArray[np.float32],
) -> None:
    grid[:] = 0.0
    length, width = settings[CELL_LENGTH], settings[CELL_WIDTH]
    own_along, own_across = _velocity(ego, stance)
    for row in range(count):
        if percepts[row, KIND] == LANDMARK:
            continue
        half_along, half_across = _half_extent(percepts[row], stance)
        ahead = places[row, 0] - stance[ALONG] + settings[BEHIND]
        right = places[row, 1] - stance[ACROSS] + settings[RIGHT]
        along, across = _velocity(percepts[row], stance)
        known = 0.0 if math.isnan(percepts[row, VX]) else 1.0
        vx = known * _scaled(along - own_along, SPEED_SCALE)
        vy = known * _scaled(across - own_across, SPEED_SCALE)
        first = max(math.floor((ahead - half_along) / length), 0)
        last = min(math.floor((ahead + half_along) / length), grid.shape[1] - 1)
        left = max(math.floor((right - half_across) / width), 0)
        end = min(math.floor((right + half_across) / width), grid.shape[2] - 1)
        for h in range(first, last + 1):
            there = _share(ahead - half_along, ahead + half_along, h, length)
            for w in range(left, end + 1):
                share = there * _share(right - half_across, right + half_across, w, width)
                grid[0, h, w] = min(grid[0, h, w] + share, 1.0)
                grid[1, h, w] = min(max(grid[1, h, w] + share * vx, -1.0), 1.0)
                grid[2, h, w] = min(max(grid[2, h, w] + share * vy, -1.0), 1.0)


@jit
def _write_lanes(
    percepts: Floats,
    places: Floats,
    count: int,
    ego: Floats,
    stance: Floats,
    settings: Floats,
    lanes: NDArray[np.float32],
) -> None:
    side, width, reach = int(settings[SIDE]), stance[LANE_WIDTH], settings[RANGE]
    half, _ = _half_extent(ego, stance)
    speed, _ = _velocity(ego, stance)
    lanes[:] = 0.0
    for place in range(lanes.shape[0]):
        number = stance[NUMBER] + place - side
        exists = 0.0 <= number < stance[LANES]
        lanes[place, EXISTS], lanes[place, ROOM] = exists, exists
        lanes[place, NEAR_AHEAD + NEAR_GAP], lanes[place, NEAR_BEHIND + NEAR_GAP] = 1.0, 1.0
    for row in range(count):
        if percepts[row, KIND] == LANDMARK:
            continue
        half_along, half_across = _half_extent(percepts[row], stance)
        away = places[row, 0] - stance[ALONG]
        gap = max(abs(away) - half - half_along, 0.0)
        if gap >= reach:
            continue
        near = NEAR_AHEAD if away >= 0.0 else NEAR_BEHIND
        along, _ = _velocity(percepts[row], stance)
        closing = speed - along if away >= 0.0 else along - speed
        if math.isnan(percepts[row, VX]):
            closing = 0.0
        for place in range(lanes.shape[0]):
            middle = (place - side) * width
            reaches = abs(places[row, 1] - middle) - half_across < width / 2 - STRADDLE_M
            if not reaches:
                continue
            if gap == 0.0 and place != side:
                lanes[place, ROOM] = 0.0
            beside = lanes[place, near : near + len(NEIGHBOR_FEATURES)]
            if gap / reach < beside[NEAR_GAP] or beside[NEAR_PRESENCE] == 0.0:
                beside[NEAR_PRESENCE] = 1.0
                beside[NEAR_GAP] = gap / reach
                beside[NEAR_CLOSING] = _scaled(closing, SPEED_SCALE)
                beside[NEAR_LENGTH] = _scaled(percepts[row, LENGTH], LENGTH_SCALE)


@jit
def _write_ego(ego: Floats, stance: Floats, own: NDArray[np.float32]) -> None:
    along, across = _velocity(ego, stance)
    speed = math.sqrt(along * along + across * across)
    own[OWN_SPEED] = _scaled(speed, SPEED_SCALE)
    own[OWN_OFFSET] = _scaled(stance[ACROSS], stance[LANE_WIDTH])
    own[OWN_SIN] = math.sin(ego[HEADING] - stance[LANE_HEADING])
    own[TO_SPEED] = _scaled(stance[TARGET_SPEED] - speed, SPEED_SCALE)
    own[TO_LANE] = _scaled(stance[TARGET_NUMBER] - stance[NUMBER], COUNT_SCALE)
    own[TO_LEFT] = _scaled(stance[NUMBER], COUNT_SCALE)
    own[TO_RIGHT] = _scaled(stance[LANES] - 1.0 - stance[NUMBER], COUNT_SCALE)
