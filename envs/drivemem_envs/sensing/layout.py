"""How actors, tracks and limits are laid out as plain arrays, the same for both backends.

Plain float64 matrices with named columns run unchanged in Python, numba and numba's CUDA target.
"""

from __future__ import annotations

import math

import numpy as np

from drivemem_envs._jit import Floats
from drivemem_envs.sensing.sectors import MOST_SECTORS
from drivemem_envs.sensing.spec import TRACKERS, Sensors, Tracker

# Columns of an actor (A, COLUMNS or more): metres, radians, metres per second, world frame.
# Further columns are the caller's: they are carried with the percept as last perceived.
X, Y, HEADING, VX, VY, LENGTH, WIDTH, KIND = range(8)
COLUMNS = 8

# Kinds of actor. A landmark (a parking goal) is not solid: it never blocks sight.
VEHICLE, OBSTACLE, LANDMARK = 0.0, 1.0, 2.0

FIRST_OBJECT_ID = 1_000_000
"""Ids of obstacles and landmarks count from here, those of vehicles from 1; the ego is 0."""

# Columns of a static occluder (K, OCCLUDER_COLUMNS).
OCCLUDER_X, OCCLUDER_Y, OCCLUDER_HEADING, OCCLUDER_LENGTH, OCCLUDER_WIDTH = range(5)
OCCLUDER_COLUMNS = 5

# What a track holds behind the actor's columns, as offsets from the number of those columns:
# the actor's id, the decision it was last perceived, its velocity for extrapolation (m/s), the
# log-probability of the detections missed although its expected place was in sight, and what a
# filter believes of its own error then, of either axis: variances of the position (m^2) and of the
# velocity (m^2/s^2), and their covariance (m^2/s).
ID, SEEN, MOTION_X, MOTION_Y, DOUBT, POSITION_VAR, VELOCITY_VAR, COVARIANCE = range(8)
TRACK_COLUMNS = 8

# What a percept holds behind the actor's columns, as offsets: the id, the age of the information,
# s (0: perceived now; latency and ghosts are older), and the standard deviations that a filter
# gives its position (m) and velocity (m/s), per axis; 0 without one.
PERCEPT_ID, PERCEPT_AGE_S, PERCEPT_SD_POSITION, PERCEPT_SD_VELOCITY = range(4)
PERCEPT_COLUMNS = 4

# What is true of each actor's perception (A, REPORT_COLUMNS): share of sight rays that reach it
# (geometry only), whether the newest percepts hold it (0 or 1), the age of the newest information
# about it, s (inf: never perceived), and where a tracker places it that is not perceived, m and rad
# (nan: nowhere).
VISIBLE_FRACTION, PERCEIVED, AGE_S, GHOST_X, GHOST_Y, GHOST_HEADING = range(6)
REPORT_COLUMNS = 6

# Scratch of the line of sight (A, SCRATCH_COLUMNS): of each actor, cosine and sine of its heading,
# its half-diagonal and the least distance at which it can begin, m; the last column is a list of
# its own: indices of the blockers, nearest first.
COS, SIN, REACH, NEAREST, ORDER = range(5)
SCRATCH_COLUMNS = 5

# The vector of limits (LIMITS,).
(
    BLOCKED_BY_ACTORS,
    BLOCKED_BY_OCCLUDERS,
    LEAST_RAYS,
    DROPOUT_P,
    DARKEN_P,
    CLEAR_P,
    NOISE_POSITION_M,
    NOISE_SPEED_MPS,
    NOISE_GROWTH_PER_M,
    LATENCY,
    HIDE_VELOCITY,
    HIDE_HEADING,
    TRACKER,
    TRACK_S,
    DECISION_S,
) = range(15)
# Behind them, the number of sectors, the sectors themselves (each: its direction from the ego's
# heading, rad, the cosine of half its width, below -1 if it is all round, and its range, m), and
# the model of misses: the probability that a level is drawn anew, and what makes the recall.
SECTORS = DECISION_S + 1
FIRST_SECTOR = SECTORS + 1
SECTOR_CENTRE, SECTOR_COS_HALF, SECTOR_RANGE_M = range(3)
SECTOR_COLUMNS = 3
REDRAW_P = FIRST_SECTOR + SECTOR_COLUMNS * MOST_SECTORS
RECALL_NEAR, RECALL_FAR, FAR_M, RECALL_OCCLUDED = range(REDRAW_P + 1, REDRAW_P + 5)
LIMITS = RECALL_OCCLUDED + 1

LEAST_TRACK_S = 10.0
"""For how long a tracker believes in an actor at least, s: what is hidden may leave unseen."""

NO_TRACKER, HOLD_LAST, CONSTANT_VELOCITY, KALMAN, PERFECT_RECALL = 0.0, 1.0, 2.0, 3.0, 4.0

SIGHT_RAYS = 5


def limit_vector(
    sensors: Sensors,
    decision_s: float,
    tracker: Tracker = "none",
    track_s: float = LEAST_TRACK_S,
) -> Floats:
    """Turn a spec into the numbers that the kernels read.

    Rates per second become probabilities per decision such that the law in seconds does not
    depend on the decision period: a detection is missed with 1 - exp(-rate * period), and a
    blackout is a two-state Markov process in continuous time, looked at once per decision.

    Args:
        sensors: what limits perception.
        decision_s: decision period, s.
        tracker: what fills the places of actors that are not perceived.
        track_s: for how long it does so, s.

    Returns:
        The limits (LIMITS,).

    Raises:
        ValueError: for a period that is not positive or a latency that is no multiple of it.
    """
    if not decision_s > 0.0:
        raise ValueError(f"decision_s is {decision_s}; it must be a positive number of seconds")
    if tracker not in TRACKERS:
        raise ValueError(f"unknown tracker {tracker!r}; choose one of {', '.join(TRACKERS)}")
    limits = np.zeros(LIMITS)
    limits[BLOCKED_BY_ACTORS] = "actors" in sensors.line_of_sight
    limits[BLOCKED_BY_OCCLUDERS] = "occluders" in sensors.line_of_sight
    limits[LEAST_RAYS] = math.ceil(SIGHT_RAYS * sensors.min_visible_fraction - 1e-9)
    limits[DROPOUT_P] = -math.expm1(-sensors.dropout_per_s * decision_s)
    onset, end = sensors.blackout_per_s, 1.0 / sensors.blackout_mean_s
    change = -math.expm1(-(onset + end) * decision_s) / (onset + end)
    limits[DARKEN_P] = onset * change
    limits[CLEAR_P] = end * change
    limits[NOISE_POSITION_M] = sensors.noise_position_m
    limits[NOISE_SPEED_MPS] = sensors.noise_speed_mps
    limits[NOISE_GROWTH_PER_M] = sensors.noise_growth_per_m
    limits[LATENCY] = latency_decisions(sensors, decision_s)
    limits[HIDE_VELOCITY] = "velocity" in sensors.hide
    limits[HIDE_HEADING] = "heading" in sensors.hide
    limits[TRACKER] = list(TRACKERS).index(tracker)
    limits[TRACK_S] = track_s
    limits[DECISION_S] = decision_s
    _write_reach(limits, sensors)
    _write_missed(limits, sensors, decision_s)
    return limits


def _write_reach(limits: Floats, sensors: Sensors) -> None:
    limits[SECTORS] = len(sensors.reach)
    for number, sector in enumerate(sensors.reach):
        place = FIRST_SECTOR + SECTOR_COLUMNS * number
        limits[place + SECTOR_CENTRE] = math.radians(sector.centre_deg)
        limits[place + SECTOR_COS_HALF] = -2.0  # below every cosine: all round
        if sector.width_deg < 360.0:
            limits[place + SECTOR_COS_HALF] = math.cos(math.radians(sector.width_deg) / 2.0)
        limits[place + SECTOR_RANGE_M] = math.inf if sector.range_m is None else sector.range_m


def _write_missed(limits: Floats, sensors: Sensors, decision_s: float) -> None:
    missed = sensors.missed
    if missed is None:
        return
    limits[REDRAW_P] = -math.expm1(-decision_s / missed.mean_gap_s)
    limits[RECALL_NEAR], limits[RECALL_FAR] = missed.recall_near, missed.recall_far
    limits[FAR_M], limits[RECALL_OCCLUDED] = missed.far_m, missed.recall_occluded


def latency_decisions(sensors: Sensors, decision_s: float) -> int:
    """Latency in whole decisions.

    Raises:
        ValueError: when the latency is no multiple of the decision period.
    """
    decisions = round(sensors.latency_s / decision_s)
    if abs(decisions * decision_s - sensors.latency_s) > 1e-6:
        raise ValueError(
            f"latency_s is {sensors.latency_s}; it must be a multiple of the decision period, "
            f"{decision_s:g} s: try {decisions * decision_s:g} or {(decisions + 1) * decision_s:g}"
        )
    return decisions
