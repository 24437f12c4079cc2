"""Record types of the compiled backend: what a world is made of, as NumPy structured dtypes.

Kernels read `actor.speed`, `lane.length`; the same works in plain Python (NUMBA_DISABLE_JIT=1).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Records = NDArray[Any]
"""An array of one of this module's dtypes."""
Record = Any
"""One element of such an array: a view, so that assigning to a field writes into the array."""


def _record(*fields: tuple[str, str]) -> np.dtype[Any]:
    """An aligned dtype whose elements have their fields as attributes."""
    groups = [(name, kind) for names, kind in fields for name in names.split()]
    return np.dtype((np.record, np.dtype(groups, align=True)))


# Kinds of actors. Those up to LINEAR drive by themselves; those up to MDP follow lanes.
IDM, LINEAR, CONTROLLED, MDP, KINEMATIC, BICYCLE, OBSTACLE, LANDMARK = range(8)

# Kinds of lanes.
STRAIGHT, SINE, CIRCULAR, POLYLINE = range(4)

# What the agent's action means: a discrete meta action or low-level controls.
NO_ACTION, META_ACTION, LOW_LEVEL_ACTION = range(3)

# Meta actions, and which of them a space offers (highway-env's ACTIONS_ALL, _LONGI, _LAT).
LANE_LEFT, IDLE, LANE_RIGHT, FASTER, SLOWER = range(5)
ALL_ACTIONS, LONGITUDINAL_ACTIONS, LATERAL_ACTIONS = range(3)

NONE = -1
"""No lane, no road, no actor, or "any lane of the road" in a route."""

ACTOR = _record(
    # Pose: m, m, rad, m/s; cosine and sine of the heading are kept with it.
    ("x y heading speed cos_heading sin_heading", "f8"),
    # What the low-level controllers ask for: rad, m/s².
    ("steering acceleration", "f8"),
    # Push-out of a collision, m, to be applied in the next frame when `has_impact`.
    ("impact_x impact_y", "f8"),
    # Only of tyre-slip bicycles: m/s, rad/s.
    ("lateral_speed yaw_rate", "f8"),
    ("target_speed timer", "f8"),
    # IDM's exponent, the one parameter that differs from driver to driver by default.
    ("delta", "f8"),
    ("length width diagonal_m", "f8"),
    ("id", "i4"),
    # Times that a yielding vehicle was looked at since it began to yield.
    ("yield_timer", "i4"),
    # Lanes are indices into the network's lane table; driver into the world's driver table.
    ("lane target_lane driver speed_index", "i2"),
    # The rest of the route is routes[actor, route_start:route_end].
    ("route_start route_end", "i2"),
    ("kind", "i1"),
    ("crashed hit has_impact", "?"),
    ("check_collisions collidable solid", "?"),
    ("yielding enable_lane_change has_route", "?"),
    # highway-env's prediction_type == "zero_steering" (plain vehicles only).
    ("predicts_straight", "?"),
)
"""One vehicle, obstacle or landmark; the ego is one of the vehicles."""

DRIVER = _record(
    # Controllers (ControlledVehicle).
    ("tau_pursuit kp_a kp_heading kp_lateral max_steering_angle", "f8"),
    ("max_speed min_speed", "f8"),
    # IDM and MOBIL; `twice_root_ab` is 2 sqrt(-COMFORT_ACC_MAX COMFORT_ACC_MIN).
    ("acc_max comfort_acc_max twice_root_ab distance_wanted time_wanted", "f8"),
    ("politeness min_acc_gain max_braking_imposed lane_change_delay", "f8"),
    # LinearVehicle's weights; `square` is the exponent 2, kept as data (see `idm`).
    ("speed_weight front_speed_weight front_gap_weight", "f8"),
    ("heading_weight lateral_weight square", "f8"),
    # Tyre-slip bicycle.
    ("mass length_a length_b inertia_z friction_front friction_rear max_angular_speed", "f8"),
)
"""Parameters that vehicles of one class share: highway-env's class attributes, as data."""

LANE = _record(
    # Axis-aligned boxes around the centre line, and around all points that count as on the lane.
    ("left right bottom top", "f8"),
    ("on_left on_right on_bottom on_top", "f8"),
    # Straight and sine: start, unit direction, heading. Circular: centre.
    ("x y direction_x direction_y heading", "f8"),
    ("amplitude pulsation phase", "f8"),
    # Circular: radius m, phase of the start rad, +1 clockwise or -1 (highway-env's sense).
    ("radius start_phase turn", "f8"),
    ("length width", "f8"),
    # Longitudinal coordinates: beyond `end` the next lane is chosen; on the lane from -overrun
    # to length + overrun (highway-env's VEHICLE_LENGTH).
    ("end overrun", "f8"),
    ("speed_limit", "f8"),
    # Rows of the network's points (polylines): poses, knots, widths.
    ("first_pose poses first_knot knots first_width widths", "i4"),
    # Rows of the network's links: the lanes in which neighbours on this lane are searched.
    ("first_link links", "i4"),
    ("road number priority", "i4"),
    ("kind", "i1"),
    ("forbidden has_speed_limit", "?"),
)
"""One lane, in the order of highway-env's graph."""

LINK = _record(("offset", "f8"), ("lane", "i4"))
"""A lane continuing another one: add `offset` to get the other's longitudinal coordinate."""

ROAD = _record(("first_lane lanes first_next nexts", "i4"))
"""A group of parallel lanes; the roads that begin where it ends are consecutive."""

WORLD = _record(
    ("dt", "f8"),
    ("yield_duration", "f8"),
    ("acceleration_low acceleration_high steering_low steering_high", "f8"),
    ("network vehicles objects first_object ego", "i4"),
    ("lanes roads speeds next_id", "i4"),
    # Frames per decision; frames simulated since the reset; frames of the regulated road.
    ("frames steps road_steps regulation_period", "i4"),
    ("action vocabulary", "i1"),
    ("longitudinal lateral clips wide_acceleration wide_steering", "?"),
    ("regulated connected", "?"),
)
"""One world: counts, clock, rules and what an action means."""

# Columns of the points of polylines (see `lanes`): a pose (s, x, y, unit tangent, heading), a knot
# (arc length, x, y) or a width.
POSE_S, POSE_X, POSE_Y, POSE_NORMAL_X, POSE_NORMAL_Y, POSE_HEADING = range(6)
KNOT_ARC, KNOT_X, KNOT_Y = range(3)
POINT_COLUMNS = 6

ROUTE_ROAD, ROUTE_LANE = range(2)
"""Columns of a route's step: a road, and the lane's number on it or NONE."""


class Worlds(NamedTuple):
    """N worlds as arrays; what kernels take. V + O rows of actors: vehicles, then objects.

    Vehicles fill rows 0 … world.vehicles - 1 in highway-env's list order; objects begin at
    world.first_object = V. World w uses the road network world.network of M.
    """

    world: Records  # (N,) WORLD
    actors: Records  # (N, V + O) ACTOR
    routes: NDArray[np.int16]  # (N, V, R, 2)
    drivers: Records  # (N, D) DRIVER
    speeds: NDArray[np.float64]  # (N, S) target speeds of the ego's discrete actions, m/s
    streams: NDArray[np.int64]  # (N, STREAM) each world's generator, see `random`
    lanes: Records  # (M, L) LANE
    roads: Records  # (M, E) ROAD
    links: Records  # (M, K) LINK
    points: NDArray[np.float64]  # (M, P, POINT_COLUMNS)


class Scratch(NamedTuple):
    """Working memory of T threads; a world's values mean nothing after its call."""

    coordinates: NDArray[np.float64]  # (T, V + O, L, 2) of each actor in each lane, when known
    known: NDArray[np.uint8]  # (T, V + O, L)
    on_lane: NDArray[np.uint8]  # (T, V + O, L)
    members: NDArray[np.int16]  # (T, L, V + O) actors on each lane, in order
    member_counts: NDArray[np.int32]  # (T, L)
    bounds: NDArray[np.float64]  # (T, V + O, 3) x, y and half diagonal_m for collision tests
    predicted: NDArray[np.float64]  # (T, V, PREDICTIONS, 4) x, y, cosine and sine of heading


PREDICTIONS = 11
"""Times at which the right of way is looked at: every 0.25 s below 3 s."""


class OneWorld(NamedTuple):
    """Slices of `Worlds` and `Scratch` for one world: what the kernels below `simulate` take."""

    world: Records  # (1,) WORLD
    actors: Records  # (V + O,) ACTOR
    routes: NDArray[np.int16]  # (V, R, 2)
    drivers: Records  # (D,) DRIVER
    speeds: NDArray[np.float64]  # (S,)
    stream: NDArray[np.int64]  # (STREAM,)
    lanes: Records  # (L,) LANE
    roads: Records  # (E,) ROAD
    links: Records  # (K,) LINK
    points: NDArray[np.float64]  # (P, POINT_COLUMNS)
    coordinates: NDArray[np.float64]  # (V + O, L, 2)
    known: NDArray[np.uint8]  # (V + O, L)
    on_lane: NDArray[np.uint8]  # (V + O, L)
    members: NDArray[np.int16]  # (L, V + O)
    member_counts: NDArray[np.int32]  # (L,)
    bounds: NDArray[np.float64]  # (V + O, 3)
    predicted: NDArray[np.float64]  # (V, PREDICTIONS, 4)
