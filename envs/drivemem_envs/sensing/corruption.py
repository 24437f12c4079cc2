"""What sensors do to what is in sight: reach, misses, dropout, blackout and noise.

Every random decision is a function of (sensor seed, decision, actor), see `draws`.
"""

from __future__ import annotations

import math

from drivemem_envs._jit import Floats, jit
from drivemem_envs.sensing import draws
from drivemem_envs.sensing.layout import (
    CLEAR_P,
    DARKEN_P,
    DROPOUT_P,
    FAR_M,
    FIRST_SECTOR,
    NOISE_GROWTH_PER_M,
    NOISE_POSITION_M,
    NOISE_SPEED_MPS,
    RECALL_FAR,
    RECALL_NEAR,
    RECALL_OCCLUDED,
    REDRAW_P,
    SECTOR_CENTRE,
    SECTOR_COLUMNS,
    SECTOR_COS_HALF,
    SECTOR_RANGE_M,
    SECTORS,
    VX,
    VY,
    X,
    Y,
)


@jit
def within_reach(x: float, y: float, ego: tuple[float, float, float], limits: Floats) -> bool:
    """Whether a place lies within one of the sensors' sectors.

    Args:
        x: of the target's centre, m.
        y: of the target's centre, m.
        ego: the ego's x, y and heading, from which the sectors' directions are counted.
        limits: the vector of limits.
    """
    left = limits[SECTORS]
    if left <= 0.0:
        return True
    dx, dy = x - ego[0], y - ego[1]
    distance = math.sqrt(dx * dx + dy * dy)
    place = FIRST_SECTOR
    while left > 0.0:
        if distance <= limits[place + SECTOR_RANGE_M]:
            cos_half = limits[place + SECTOR_COS_HALF]
            if cos_half < -1.0 or distance == 0.0:
                return True
            middle = ego[2] + limits[place + SECTOR_CENTRE]
            if dx * math.cos(middle) + dy * math.sin(middle) >= cos_half * distance:
                return True
        place += SECTOR_COLUMNS
        left -= 1.0
    return False


@jit
def _recall(
    x: float, y: float, ego: tuple[float, float, float], visible: float, limits: Floats
) -> float:
    """The share of the time in which an actor at a place is detected, see `Missed`."""
    dx, dy = x - ego[0], y - ego[1]
    share = min(1.0, math.sqrt(dx * dx + dy * dy) / limits[FAR_M])
    recall = limits[RECALL_NEAR] + (limits[RECALL_FAR] - limits[RECALL_NEAR]) * share
    return float(recall * (1.0 - (1.0 - visible) * (1.0 - limits[RECALL_OCCLUDED])))


@jit
def is_missed(
    x: float,
    y: float,
    ego: tuple[float, float, float],
    visible: float,
    limits: Floats,
    seed: int,
    decision: int,
    actor: int,
) -> bool:
    """Whether the model of misses (`Missed`) hides one actor at this decision.

    Only for limits with such a model. Its level is found without a memory, by going back to the
    decision at which it was drawn.

    Args:
        x: of its centre, m.
        y: of its centre, m.
        ego: the ego's x, y and heading.
        visible: its visible fraction.
        limits: the vector of limits.
        seed: sensor seed of the episode.
        decision: index of this decision.
        actor: its id.
    """
    drawn = decision
    while drawn > 0 and draws.uniform(seed, drawn, actor, draws.MISS_CLOCK) >= limits[REDRAW_P]:
        drawn -= 1
    level = draws.uniform(seed, drawn, actor, draws.MISS_LEVEL)
    return bool(level >= _recall(x, y, ego, visible, limits))


@jit
def miss_goes_on(x: float, y: float, ego: tuple[float, float, float], limits: Floats) -> float:
    """Probability that an actor wholly in sight, missed one decision ago, is missed now as well.

    Dropout has no memory. Of a run of misses this is the share that lasts for one decision more: a
    level that is drawn anew, and below the recall, ends it.
    """
    if limits[REDRAW_P] <= 0.0:
        return float(limits[DROPOUT_P])
    ends = limits[REDRAW_P] * _recall(x, y, ego, 1.0, limits)
    return float(1.0 - (1.0 - limits[DROPOUT_P]) * ends)


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
