"""A road network as polylines, for whoever draws it without highway-env."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from drivemem_envs._jit import Floats

LINES = ("none", "striped", "continuous", "continuous")
"""Names of highway-env's line types, by number (two of them look the same)."""

_FLATNESS_M = 0.02
"""How far a chord may be from the lane."""
_LONGEST_M = 10.0
"""Curves are sampled at least this often."""


@dataclass(frozen=True)
class LaneShape:
    """One lane: its two edges, and the lines painted on them."""

    left: Floats
    """(P, 2) m, along the lane; left as highway-env counts sides (y points down)."""
    right: Floats
    """(P, 2) m."""
    lines: tuple[str, str]
    """One of `LINES` for each side."""


def lane_shapes(network: Any) -> list[LaneShape]:
    """The lanes of a highway-env road network, in its order.

    Args:
        network: `env.unwrapped.road.network`.
    """
    return [
        _shape(lane)
        for targets in network.graph.values()
        for lanes in targets.values()
        for lane in lanes
    ]


def _shape(lane: Any) -> LaneShape:
    stations = _stations(lane)
    halves = [float(lane.width_at(s)) / 2.0 for s in stations]
    edges = [
        np.array([lane.position(s, side * h) for s, h in zip(stations, halves, strict=True)])
        for side in (-1.0, 1.0)
    ]
    left, right = (LINES[int(kind)] for kind in lane.line_types)
    return LaneShape(edges[0], edges[1], (left, right))


def _stations(lane: Any) -> list[float]:
    """Where along a lane to sample it: its ends if straight, closer the more it bends."""
    length = float(lane.length)
    if type(lane).__name__ == "StraightLane":  # its subclasses bend
        return [0.0, length]
    found = [0.0]
    for start, end in _pieces(length):
        _refine(lane, start, end, found)
    return found


def _pieces(length: float) -> list[tuple[float, float]]:
    bounds = np.linspace(0.0, length, max(1, int(np.ceil(length / _LONGEST_M))) + 1)
    return [(float(a), float(b)) for a, b in pairwise(bounds)]


def _refine(lane: Any, start: float, end: float, found: list[float]) -> None:
    middle = (start + end) / 2.0
    first, last = lane.position(start, 0.0), lane.position(end, 0.0)
    bend = lane.position(middle, 0.0) - (first + last) / 2.0
    if np.hypot(*bend) > _FLATNESS_M and end - start > 0.5:
        _refine(lane, start, middle, found)
        _refine(lane, middle, end, found)
    else:
        found.append(end)
