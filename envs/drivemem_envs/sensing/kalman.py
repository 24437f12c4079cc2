"""A Kalman filter of constant velocity for each actor: what `tracker="kalman"` believes.

Acceleration is white noise. Both axes have the same errors, so that they share one covariance:
three numbers of a track.
"""

from __future__ import annotations

import math

from drivemem_envs._jit import Floats, jit
from drivemem_envs.sensing.layout import (
    COVARIANCE,
    HIDE_VELOCITY,
    MOTION_X,
    MOTION_Y,
    NOISE_GROWTH_PER_M,
    NOISE_POSITION_M,
    NOISE_SPEED_MPS,
    POSITION_VAR,
    TRACK_COLUMNS,
    VELOCITY_VAR,
    VX,
    VY,
    X,
    Y,
)

ACCELERATION_DENSITY = 1.0
"""Spectral density of the acceleration, m^2/s^3 per axis: in one second a velocity strays by 1 m/s
(standard deviation). Measured: cars stray by 0.05 to 0.1 m^2/s^3 on the open highway, by 1 to 4 at
merges and intersections, by more in the bends of roundabouts."""

LEAST_NOISE = 0.01
"""Least standard deviation of a measurement, m and m/s: even exact sensors leave variances above
zero."""

UNKNOWN_SPEED_MPS = 10.0
"""Standard deviation of a velocity that was never measured, per axis."""


@jit
def _predicted(tracks: Floats, row: int, elapsed_s: float) -> tuple[float, float, float]:
    """Variances of position and velocity and their covariance, some time after a measurement."""
    columns = tracks.shape[1] - TRACK_COLUMNS
    position, velocity = tracks[row, columns + POSITION_VAR], tracks[row, columns + VELOCITY_VAR]
    covariance, noise = tracks[row, columns + COVARIANCE], ACCELERATION_DENSITY * elapsed_s
    position += elapsed_s * (2.0 * covariance + elapsed_s * (velocity + noise / 3.0))
    covariance += elapsed_s * (velocity + noise / 2.0)
    return position, velocity + noise, covariance


@jit
def deviations(tracks: Floats, row: int, elapsed_s: float) -> tuple[float, float]:
    """Standard deviations of position (m) and velocity (m/s), per axis.

    Args:
        tracks: the table (T, C + TRACK_COLUMNS).
        row: the actor's row.
        elapsed_s: time since it was perceived, s.
    """
    position, velocity, _ = _predicted(tracks, row, elapsed_s)
    return math.sqrt(position), math.sqrt(velocity)


@jit
def _noise_variances(
    x: float, y: float, ego: tuple[float, float, float], limits: Floats
) -> tuple[float, float]:
    """Variances of a measurement there: the sensors' noise, which may grow with distance."""
    dx, dy = x - ego[0], y - ego[1]
    growth = 1.0 + limits[NOISE_GROWTH_PER_M] * math.sqrt(dx * dx + dy * dy)
    position = max(limits[NOISE_POSITION_M] * growth, LEAST_NOISE)
    velocity = max(limits[NOISE_SPEED_MPS] * growth, LEAST_NOISE)
    return position * position, velocity * velocity


@jit
def _measure(
    own: float, other: float, covariance: float, noise: float
) -> tuple[float, float, float, float, float]:
    """Measure either position or velocity.

    Args:
        own: variance of what is measured.
        other: variance of the other one.
        covariance: of the two.
        noise: variance of the measurement.

    Returns:
        By how much a surprise moves what is measured, and the other one; then `own`, `other` and
        `covariance` as they are afterwards.
    """
    whole = own + noise
    gain, pull = own / whole, covariance / whole
    left = noise / whole
    return gain, pull, left * own, other - pull * covariance, left * covariance


@jit
def filter_measurement(
    tracks: Floats,
    row: int,
    before_x: float,
    before_y: float,
    elapsed_s: float,
    is_tracked: bool,
    ego: tuple[float, float, float],
    limits: Floats,
) -> None:
    """Weigh a measurement with what was expected, in place.

    Args:
        tracks: the table (T, C + TRACK_COLUMNS). The row has the measurement in the actor's
            columns, and behind them what the filter believed after the last one; both are
            overwritten with what it believes now.
        row: the actor's row.
        before_x: where it believed the actor after the last measurement, m.
        before_y: where it believed the actor after the last measurement, m.
        elapsed_s: time since then, s.
        is_tracked: whether there is a last measurement; if not, the filter begins.
        ego: the ego's x, y and heading.
        limits: the vector of limits.
    """
    columns = tracks.shape[1] - TRACK_COLUMNS
    noises = _noise_variances(tracks[row, X], tracks[row, Y], ego, limits)
    measures_velocity = limits[HIDE_VELOCITY] <= 0.0
    if is_tracked:
        _correct(tracks, row, before_x, before_y, elapsed_s, noises, measures_velocity)
    else:
        if not measures_velocity:
            tracks[row, VX], tracks[row, VY] = 0.0, 0.0
            noises = (noises[0], UNKNOWN_SPEED_MPS * UNKNOWN_SPEED_MPS)
        tracks[row, columns + POSITION_VAR] = noises[0]
        tracks[row, columns + VELOCITY_VAR] = noises[1]
        tracks[row, columns + COVARIANCE] = 0.0
    tracks[row, columns + MOTION_X] = tracks[row, VX]
    tracks[row, columns + MOTION_Y] = tracks[row, VY]


@jit
def _correct(
    tracks: Floats,
    row: int,
    before_x: float,
    before_y: float,
    elapsed_s: float,
    noises: tuple[float, float],
    measures_velocity: bool,
) -> None:
    """Position, then velocity: their noises are independent, so this equals one joint update."""
    columns = tracks.shape[1] - TRACK_COLUMNS
    position, velocity, covariance = _predicted(tracks, row, elapsed_s)
    vx, vy = tracks[row, columns + MOTION_X], tracks[row, columns + MOTION_Y]
    x, y = before_x + elapsed_s * vx, before_y + elapsed_s * vy
    gain, pull, position, velocity, covariance = _measure(position, velocity, covariance, noises[0])
    dx, dy = tracks[row, X] - x, tracks[row, Y] - y
    x, y, vx, vy = x + gain * dx, y + gain * dy, vx + pull * dx, vy + pull * dy
    if measures_velocity:
        gain, pull, velocity, position, covariance = _measure(
            velocity, position, covariance, noises[1]
        )
        dx, dy = tracks[row, VX] - vx, tracks[row, VY] - vy
        x, y, vx, vy = x + pull * dx, y + pull * dy, vx + gain * dx, vy + gain * dy
    tracks[row, X], tracks[row, Y], tracks[row, VX], tracks[row, VY] = x, y, vx, vy
    tracks[row, columns + POSITION_VAR] = position
    tracks[row, columns + VELOCITY_VAR] = velocity
    tracks[row, columns + COVARIANCE] = covariance
