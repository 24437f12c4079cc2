"""The views of a driver as shapes on the road: cells of its grid, gaps of its lanes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem_envs.sensing.lane_views import (
    EXISTS,
    NEAR_AHEAD,
    NEAR_BEHIND,
    NEAR_GAP,
    NEAR_PRESENCE,
    ROOM,
)

Points = NDArray[np.float64]


class ViewShapes(NamedTuple):
    """Polygons and lines (K, 2), m."""

    edge: list[Points]
    """Of the grid."""
    cells: list[tuple[Points, float]]
    """Those that are not empty, and how much of each is covered."""
    gaps: list[Points]
    """From the ego's bumper along a lane to the nearest actor's, and across at its end."""
    taken: list[Points]
    """Beside the ego, where there is no room."""


def view_shapes(env: Any) -> ViewShapes:
    """What the driver of a reference environment was shown at its last decision.

    Args:
        env: unwrapped, with its ego where it then was.
    """
    spec, views, vehicle = env.scenario.observation, env.observation_type.lane_views, env.vehicle
    lane = vehicle.lane
    along, across = lane.local_coordinates(vehicle.position)

    def at(*places: tuple[float, float]) -> Points:
        """Places ahead of the ego and right of it, m, in the world."""
        return np.array([lane.position(along + ahead, across + right) for ahead, right in places])

    shapes = ViewShapes([], [], [], [])
    if "grid" in spec.views:
        _add_grid(shapes, spec.grid, views.grid[0, 0], at)
    if "lanes" in spec.views:
        width = lane.width_at(along)
        for place, seen in enumerate(views.lanes[0]):
            right = (place - spec.lanes.each_side) * width - across
            _add_lane(shapes, seen, right, width, vehicle.LENGTH / 2, spec.lanes.range_m, at)
    return shapes


def _add_grid(shapes: ViewShapes, grid: Any, cover: NDArray[np.float32], at: Any) -> None:
    length, width = grid.cell_m
    rear, left = -grid.behind_m, -grid.across_m / 2

    def box(first: int, last: int, begin: int, end: int) -> Points:
        back, front = rear + first * length, rear + last * length
        port, starboard = left + begin * width, left + end * width
        return np.asarray(at((back, port), (front, port), (front, starboard), (back, starboard)))

    shapes.edge.append(box(0, cover.shape[0], 0, cover.shape[1]))
    for h, w in np.argwhere(cover > 0).tolist():
        shapes.cells.append((box(h, h + 1, w, w + 1), float(cover[h, w])))


def _add_lane(
    shapes: ViewShapes, seen: Any, right: float, width: float, half: float, range_m: float, at: Any
) -> None:
    bar = width / 4
    if seen[EXISTS] and not seen[ROOM]:
        sides = ((-half, right - bar), (half, right - bar), (half, right + bar))
        shapes.taken.append(at(*sides, (-half, right + bar)))
    for near, direction in ((NEAR_AHEAD, 1), (NEAR_BEHIND, -1)):
        if seen[near + NEAR_PRESENCE]:
            end = direction * (half + float(seen[near + NEAR_GAP]) * range_m)
            shapes.gaps.append(at((direction * half, right), (end, right)))
            shapes.gaps.append(at((end, right - bar), (end, right + bar)))
