"""The ground that a rectangle hides from an eye, as a polygon, for drawing.

What the sensors really perceive is decided by rays (`sensing.visibility`), not by these shapes.
"""

from __future__ import annotations

import numpy as np

from drivemem_envs._jit import Floats


def corners(rectangle: Floats) -> Floats:
    """Corners (4, 2) of x, y, heading, length, width; m, rad."""
    x, y, heading, length, width = rectangle[:5]
    ahead = np.array([np.cos(heading), np.sin(heading)]) * length / 2.0
    aside = np.array([-np.sin(heading), np.cos(heading)]) * width / 2.0
    centre = np.array([x, y])
    found: Floats = np.array(
        [
            centre + ahead + aside,
            centre + ahead - aside,
            centre - ahead - aside,
            centre - ahead + aside,
        ]
    )
    return found


def shadow(eye: Floats, rectangle: Floats, reach: float) -> Floats | None:
    """The convex polygon (P, 2) that a rectangle and its shadow cover.

    Args:
        eye: (2,) where sight begins, m.
        rectangle: (5,) x, y, heading, length, width.
        reach: how far the shadow is drawn, m.

    Returns:
        None if the eye is inside the rectangle.
    """
    near = corners(rectangle)
    offsets = near - eye
    angle = rectangle[2]
    local = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) @ (
        eye - rectangle[:2]
    )
    if abs(local[0]) <= rectangle[3] / 2.0 and abs(local[1]) <= rectangle[4] / 2.0:
        return None
    far = eye + offsets / np.linalg.norm(offsets, axis=1, keepdims=True) * reach
    return _hull(np.concatenate([near, far]))


def _hull(points: Floats) -> Floats:
    """The convex hull, counter-clockwise (Andrew's monotone chain, 1979)."""
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]

    def half(rows: Floats) -> list[Floats]:
        chain: list[Floats] = []
        for point in rows:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0.0:
                chain.pop()
            chain.append(point)
        return chain[:-1]

    hull: Floats = np.array(half(ordered) + half(ordered[::-1]))
    return hull


def _turn(a: Floats, b: Floats, c: Floats) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
