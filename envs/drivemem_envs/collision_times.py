"""When oriented rectangles touch if both keep their velocity: time to collision (TTC)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from drivemem_envs._jit import Floats, jit
from drivemem_envs.sensing.layout import LANDMARK


@jit
def _axis_interval(
    offset: float, velocity: float, reach: float, entry: float, leave: float
) -> tuple[float, float]:
    """Narrow the interval in which two moving shapes overlap along one axis."""
    if abs(velocity) < 1e-12:
        if abs(offset) > reach:
            return np.inf, -np.inf
        return entry, leave
    first, second = (-reach - offset) / velocity, (reach - offset) / velocity
    return max(entry, min(first, second)), min(leave, max(first, second))


@jit
def time_to_collision(a: Floats, b: Floats) -> float:
    """When two oriented rectangles touch if both keep their velocity, s.

    The swept separating-axis test is exact for constant velocity without rotation.

    Args:
        a: x, y, heading, length, width, vx, vy; m, rad, m/s.
        b: the same of the other.

    Returns:
        0 if they overlap now, inf if they never touch.
    """
    dx, dy, dvx, dvy = b[0] - a[0], b[1] - a[1], b[5] - a[5], b[6] - a[6]
    entry, leave = 0.0, np.inf
    for angle in (a[2], a[2] + 0.5 * math.pi, b[2], b[2] + 0.5 * math.pi):
        c, s = math.cos(angle), math.sin(angle)
        reach = 0.0
        for shape in (a, b):
            turn = shape[2] - angle
            reach += 0.5 * (shape[3] * abs(math.cos(turn)) + shape[4] * abs(math.sin(turn)))
        entry, leave = _axis_interval(dx * c + dy * s, dvx * c + dvy * s, reach, entry, leave)
        if entry > leave:
            return np.inf
    return entry


@jit(allocates=True)
def times_to_collision(boxes: Floats) -> Floats:
    """TTC of actor 0 with every actor (A,), s; its own is inf.

    Args:
        boxes: (A, 7) as in `time_to_collision`.
    """
    times = np.full(boxes.shape[0], np.inf)
    for i in range(1, boxes.shape[0]):
        times[i] = time_to_collision(boxes[0], boxes[i])
    return times


def boxes_of(truth: dict[str, np.ndarray[Any, Any]]) -> Floats:
    """(A, 7) x, y, heading, length, width, vx, vy of the solid actors, the ego first."""
    solid = truth["kind"] != LANDMARK
    heading, speed = truth["heading"][solid], truth["speed"][solid]
    columns = [
        truth["x"][solid], truth["y"][solid], heading, truth["length"][solid],
        truth["width"][solid], speed * np.cos(heading), speed * np.sin(heading),
    ]  # fmt: skip
    boxes: Floats = np.ascontiguousarray(np.stack(columns, axis=1))
    return boxes
