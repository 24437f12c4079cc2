"""What the driver was shown in the frame of its lane, as the page draws it on the road.

A view is drawn straight along the ego's lane, so on a bend its far end leaves the road.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.replays.load import Trace
from drivemem_envs.sensing.lane_views import (
    EXISTS,
    GRID_CHANNELS,
    LANE_COLUMNS,
    NEAR_AHEAD,
    NEAR_BEHIND,
    NEAR_GAP,
    NEAR_PRESENCE,
    OWN_OFFSET,
    OWN_SIN,
    ROOM,
)
from drivemem_envs.sensing.view_spec import View

VIEWS: tuple[View, ...] = ("grid", "lanes")
"""Views that are drawn; rows are numbers of no place."""


def views_of(trace: Trace) -> list[View]:
    """Which of `VIEWS` were recorded."""
    return [view for view in VIEWS if any(_is_given(row) for row in trace.steps.get(view, ()))]


def pack_extent(scenario: Any, lane_width: float) -> dict[str, Any]:
    """What the views of a scenario extend over, m."""
    grid, lanes = scenario.observation.grid, scenario.observation.lanes
    return {
        "grid": {
            "behind": grid.behind_m, "across": grid.across_m, "cell": list(grid.cell_m),
            "cells": list(grid.cells),
        },
        "lanes": {"side": lanes.each_side, "width": round(lane_width, 2)},
    }  # fmt: skip


def pack_shown(trace: Trace, range_m: float) -> dict[str, Any] | None:
    """What was shown at each decision; None where neither view was.

    Args:
        trace: what was recorded.
        range_m: at which the gaps of `lanes` end, m.

    Returns:
        `heading` of the ego's lane, rad, and the ego's `offset` in it in widths, with `grid`
        (pairs of a cell's number and how much of it is covered, %) and `lanes` (for each whether
        it exists, whether there is room beside the ego, and the gaps ahead and behind, m, negative
        where nobody is). None stands for decisions without a view.
    """
    views = views_of(trace)
    if not views:
        return None
    steps = trace.steps
    own = [np.asarray(row) if _is_given(row) else None for row in steps["ego"]]
    packed: dict[str, Any] = {
        "heading": [
            None if row is None else round(float(heading - np.arcsin(row[OWN_SIN])), 4)
            for row, heading in zip(own, steps["ego_heading"], strict=True)
        ],
        "offset": [None if row is None else round(float(row[OWN_OFFSET]), 3) for row in own],
    }
    if "grid" in views:
        packed["grid"] = [_cells(row) if _is_given(row) else None for row in steps["grid"]]
    if "lanes" in views:
        packed["lanes"] = [
            _lanes(row, range_m) if _is_given(row) else None for row in steps["lanes"]
        ]
    return packed


def _cells(row: Any) -> list[list[int]]:
    """Number and cover in % of each cell that is not empty."""
    table: NDArray[Any] = np.asarray(row, dtype=np.float64).reshape(-1, 1 + len(GRID_CHANNELS))
    return [[int(cell), round(100 * cover)] for cell, cover in table[:, :2].tolist()]


def _lanes(row: Any, range_m: float) -> list[list[float]]:
    table = np.asarray(row, dtype=np.float64).reshape(-1, LANE_COLUMNS)
    gaps = [
        np.where(lane[NEAR_PRESENCE] > 0, lane[NEAR_GAP], -1.0) * range_m
        for lane in (table.T[NEAR_AHEAD:NEAR_BEHIND], table.T[NEAR_BEHIND:])
    ]
    found = np.stack([table[:, EXISTS], table[:, ROOM], *gaps], axis=1)
    return [[int(exists), int(room), *np.round(gap, 1)] for exists, room, *gap in found.tolist()]


def _is_given(row: Any) -> bool:
    """Whether a list was recorded; DuckDB gives None or not-a-number for NULL."""
    return row is not None and not isinstance(row, float)
