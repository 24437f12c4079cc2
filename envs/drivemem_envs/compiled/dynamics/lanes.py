"""Geometry of one lane: highway_env.road.lane, StraightLane, SineLane, CircularLane and PolyLane.

Each kernel names the method it reproduces; operations keep that method's order, so results are
equal to the last bit (where NumPy and BLAS compute without fused multiply-add).
"""

from __future__ import annotations

import math

from drivemem_envs._jit import Floats, jit
from drivemem_envs.compiled.dynamics.polylines import (
    polyline_coordinates,
    polyline_heading,
    polyline_position,
    polyline_width,
)
from drivemem_envs.compiled.records import CIRCULAR, POLYLINE, SINE, Record

_TURN = 2 * math.pi


@jit
def wrap_to_pi(angle: float) -> float:
    """`utils.wrap_to_pi`. Rad, to [-pi, pi)."""
    shifted = angle + math.pi
    if 0.0 <= shifted < _TURN:  # the remainder of such a number is the number itself
        return shifted - math.pi
    return shifted % _TURN - math.pi


@jit
def local_coordinates(lane: Record, points: Floats, x: float, y: float) -> tuple[float, float]:
    """`local_coordinates`: longitudinal and lateral coordinate of a position, m."""
    if lane.kind == POLYLINE:
        return polyline_coordinates(lane, points, x, y)
    dx = x - lane.x
    dy = y - lane.y
    if lane.kind == CIRCULAR:
        phase = math.atan2(dy, dx)
        phase = lane.start_phase + wrap_to_pi(phase - lane.start_phase)
        distance = math.sqrt(dx * dx + dy * dy)
        longitudinal = lane.turn * (phase - lane.start_phase) * lane.radius
        return longitudinal, lane.turn * (lane.radius - distance)
    longitudinal = dx * lane.direction_x + dy * lane.direction_y
    lateral = dx * -lane.direction_y + dy * lane.direction_x
    if lane.kind == SINE:
        lateral -= lane.amplitude * math.sin(lane.pulsation * longitudinal + lane.phase)
    return longitudinal, lateral


@jit
def position_at(
    lane: Record, points: Floats, longitudinal: float, lateral: float
) -> tuple[float, float]:
    """`position`: the world position at lane coordinates, m."""
    if lane.kind == POLYLINE:
        return polyline_position(lane, points, longitudinal, lateral)
    if lane.kind == CIRCULAR:
        phase = lane.turn * longitudinal / lane.radius + lane.start_phase
        distance = lane.radius - lateral * lane.turn
        return lane.x + distance * math.cos(phase), lane.y + distance * math.sin(phase)
    if lane.kind == SINE:
        lateral += lane.amplitude * math.sin(lane.pulsation * longitudinal + lane.phase)
    x = lane.x + longitudinal * lane.direction_x + lateral * -lane.direction_y
    y = lane.y + longitudinal * lane.direction_y + lateral * lane.direction_x
    return x, y


@jit
def heading_at(lane: Record, points: Floats, longitudinal: float) -> float:
    """`heading_at`, rad."""
    if lane.kind == POLYLINE:
        return polyline_heading(lane, points, longitudinal)
    if lane.kind == CIRCULAR:
        phase = lane.turn * longitudinal / lane.radius + lane.start_phase
        return float(phase + math.pi / 2 * lane.turn)
    heading = lane.heading
    if lane.kind == SINE:
        slope = math.cos(lane.pulsation * longitudinal + lane.phase)
        heading += math.atan(lane.amplitude * lane.pulsation * slope)
    return float(heading)


@jit
def width_at(lane: Record, points: Floats, longitudinal: float) -> float:
    """`width_at`, m."""
    if lane.widths > 0:
        return polyline_width(lane, points, longitudinal)
    return float(lane.width)


@jit
def is_on_lane(
    lane: Record, points: Floats, longitudinal: float, lateral: float, margin: float
) -> bool:
    """`on_lane`: a vehicle's length beyond both ends still counts."""
    if abs(lateral) > width_at(lane, points, longitudinal) / 2 + margin:
        return False
    return bool(-lane.overrun <= longitudinal < lane.length + lane.overrun)


@jit
def is_reachable(lane: Record, points: Floats, longitudinal: float, lateral: float) -> bool:
    """`is_reachable_from`, of a position given by its lane coordinates."""
    if lane.forbidden:
        return False
    if abs(lateral) > 2 * width_at(lane, points, longitudinal):
        return False
    return bool(0 <= longitudinal < lane.length + lane.overrun)


@jit
def lane_distance(lane: Record, longitudinal: float, lateral: float) -> float:
    """`distance`: along the lane plus across it, m."""
    beyond = max(longitudinal - lane.length, 0.0)
    return float(abs(lateral) + beyond + max(0.0 - longitudinal, 0.0))


@jit
def lane_distance_with_heading(
    lane: Record, points: Floats, longitudinal: float, lateral: float, heading: float
) -> float:
    """`distance_with_heading`: `distance`, plus 1 m for each rad off the lane's heading."""
    angle = abs(wrap_to_pi(heading - heading_at(lane, points, longitudinal)))
    return lane_distance(lane, longitudinal, lateral) + angle
