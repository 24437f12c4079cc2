"""What sensors do to what is in sight: reach, dropout, blackout and noise.

Every random decision is a function of (sensor seed, decision, actor), see `draws`.
"""

from __future__ import annotations

import math

from drivemem_envs._jit import Floats, jit
from drivemem_envs.sensing import draws
from drivemem_envs.sensing.layout import (
    CLEAR_P,
    COS_HALF_FIELD,
    DARKEN_P,
    DROPOUT_P,
    NOISE_GROWTH_PER_M,
    NOISE_POSITION_M,
    NOISE_SPEED_MPS,
    RANGE_M,
    VX,
    VY,
    X,
    Y,
)


@jit
def within_reach(x: float, y: float, ego: tuple[float, float, float], limits: Floats) -> bool:
    """Whether a place lies within the sensor's range and field of view.

    Args:
        x: of the target's centre, m.
        y: of the target's centre, m.
        ego: the ego's x, y and heading; the field of view opens around its heading.
        limits: the vector of limits.
    """
    all_round = limits[COS_HALF_FIELD] < -1.0
    if all_round and limits[RANGE_M] == math.inf:
        return True
    dx, dy = x - ego[0], y - ego[1]
    distance = math.sqrt(dx * dx + dy * dy)
    if distance > limits[RANGE_M]:
        return False
    if all_round or distance == 0.0:
        return True
    ahead = dx * math.cos(ego[2]) + dy * math.sin(ego[2])
    return bool(ahead >= limits[COS_HALF_FIELD] * distance)


@jit
def next_blackout(dark: int, limits: Floats, seed: int, decision: int) -> int:
    """Whether the whole scene is dark at this decision; sight is clear at the first.

    Args:
        dark: 1 if the decision before was dark, else 0.
        limits: the vector of limits.
        seed: sensor seed of the episode.
        decision: index of this decision.
    """
    if decision == 0 or limits[DARKEN_P] <= 0.0:
        return 0
    draw = draws.uniform(seed, decision, 0, draws.BLACKOUT)
    if dark:
        return 0 if draw < limits[CLEAR_P] else 1
    return 1 if draw < limits[DARKEN_P] else 0


@jit
def drops_out(limits: Floats, seed: int, decision: int, actor: int) -> bool:
    """Whether the detection of one actor is lost at this decision."""
    if limits[DROPOUT_P] <= 0.0:
        return False
    return bool(draws.uniform(seed, decision, actor, draws.DROPOUT) < limits[DROPOUT_P])


@jit
def add_noise(
    tracks: Floats,
    row: int,
    ego: tuple[float, float, float],
    limits: Floats,
    seed: int,
    decision: int,
    actor: int,
) -> None:
    """Add noise to a sensed position and velocity, in place.

    Args:
        tracks: the table that holds it.
        row: which row of it; the deviation grows with the true distance that it says.
        ego: the ego's x, y and heading.
        limits: the vector of limits.
        seed: sensor seed of the episode.
        decision: index of this decision.
        actor: id of the actor.
    """
    if limits[NOISE_POSITION_M] <= 0.0 and limits[NOISE_SPEED_MPS] <= 0.0:
        return
    dx, dy = tracks[row, X] - ego[0], tracks[row, Y] - ego[1]
    growth = 1.0 + limits[NOISE_GROWTH_PER_M] * math.sqrt(dx * dx + dy * dy)
    if limits[NOISE_POSITION_M] > 0.0:
        first, second = draws.normal_pair(seed, decision, actor, draws.NOISE_POSITION)
        tracks[row, X] += limits[NOISE_POSITION_M] * growth * first
        tracks[row, Y] += limits[NOISE_POSITION_M] * growth * second
    if limits[NOISE_SPEED_MPS] > 0.0:
        first, second = draws.normal_pair(seed, decision, actor, draws.NOISE_SPEED)
        tracks[row, VX] += limits[NOISE_SPEED_MPS] * growth * first
        tracks[row, VY] += limits[NOISE_SPEED_MPS] * growth * second
