"""Lanes through points: highway_env.road.lane.PolyLane and highway_env.road.spline.LinearSpline2D.

The scene export evaluates the spline's poses once (one per metre); these kernels look them up.
"""

from __future__ import annotations

import math

from drivemem_envs._jit import Floats, jit
from drivemem_envs.compiled.records import (
    KNOT_ARC,
    KNOT_X,
    KNOT_Y,
    POSE_HEADING,
    POSE_NORMAL_X,
    POSE_NORMAL_Y,
    POSE_S,
    POSE_X,
    POSE_Y,
    Record,
)


@jit
def polyline_coordinates(lane: Record, points: Floats, x: float, y: float) -> tuple[float, float]:
    """`LinearSpline2D.cartesian_to_frenet`: the last pose that the position is not behind."""
    for k in range(lane.poses - 1, -1, -1):
        pose = lane.first_pose + k
        dx = x - points[pose, POSE_X]
        dy = y - points[pose, POSE_Y]
        normal_x = points[pose, POSE_NORMAL_X]
        normal_y = points[pose, POSE_NORMAL_Y]
        along = normal_x * dx + normal_y * dy
        if along >= 0 or k == 0:
            across = -normal_y * dx + normal_x * dy
            # highway-env leaves out the first pose's arc length, which is 0.
            return points[pose, POSE_S] + along, across
    return 0.0, 0.0


@jit
def polyline_heading(lane: Record, points: Floats, longitudinal: float) -> float:
    """`PolyLaneFixedWidth.heading_at`: the heading of the pose before the coordinate."""
    pose = lane.poses - 1
    for k in range(lane.poses):
        if longitudinal < points[lane.first_pose + k, POSE_S]:
            pose = max(k - 1, 0)
            break
    return float(points[lane.first_pose + pose, POSE_HEADING])


@jit
def _interpolate(lane: Record, points: Floats, longitudinal: float, column: int) -> float:
    """`spline.numpy_interp1d`: linear between knots, and beyond them along the last pieces."""
    first = lane.first_knot
    last = first + lane.knots - 1
    knot = first
    if longitudinal > points[last, KNOT_ARC]:
        # Beyond the end the line starts from the last knot, not from the one before.
        slope = (points[last, column] - points[last - 1, column]) / (
            points[last, KNOT_ARC] - points[last - 1, KNOT_ARC]
        )
        return float(points[last, column] + slope * (longitudinal - points[last, KNOT_ARC]))
    while knot < last and points[knot + 1, KNOT_ARC] <= longitudinal:
        knot += 1
    if knot == last or points[knot, KNOT_ARC] == longitudinal:
        return float(points[knot, column])
    slope = (points[knot + 1, column] - points[knot, column]) / (
        points[knot + 1, KNOT_ARC] - points[knot, KNOT_ARC]
    )
    return float(slope * (longitudinal - points[knot, KNOT_ARC]) + points[knot, column])


@jit
def polyline_position(
    lane: Record, points: Floats, longitudinal: float, lateral: float
) -> tuple[float, float]:
    """`PolyLaneFixedWidth.position`."""
    x = _interpolate(lane, points, longitudinal, KNOT_X)
    y = _interpolate(lane, points, longitudinal, KNOT_Y)
    heading = polyline_heading(lane, points, longitudinal)
    return x - math.sin(heading) * lateral, y + math.cos(heading) * lateral


@jit
def polyline_width(lane: Record, points: Floats, longitudinal: float) -> float:
    """`PolyLane.width_at`: the sample of the metre before."""
    if longitudinal < 0:
        return float(points[lane.first_width, 0])
    if longitudinal > lane.widths - 1:
        return float(points[lane.first_width + lane.widths - 1, 0])
    return float(points[lane.first_width + int(longitudinal), 0])
