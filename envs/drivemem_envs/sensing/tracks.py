"""The table of tracks: what was last perceived of each actor, kept in order of actor id.

Only perceived actors enter it, so nothing about hidden ones can show in its size or order.
"""

from __future__ import annotations

import math

import numpy as np

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.sensing.corruption import add_noise
from drivemem_envs.sensing.kalman import filter_measurement
from drivemem_envs.sensing.layout import (
    CONSTANT_VELOCITY,
    DECISION_S,
    DOUBT,
    HIDE_VELOCITY,
    ID,
    KALMAN,
    MOTION_X,
    MOTION_Y,
    SEEN,
    TRACK_COLUMNS,
    TRACK_S,
    TRACKER,
    VX,
    VY,
    X,
    Y,
)

# A tracker gives an actor up when so many missed detections, although its predicted place was in
# plain sight, had a probability below 1 %.
_LEAST_LOG_PROBABILITY = math.log(0.01)


@jit
def find(tracks: Floats, count: int, actor: int, guess: int) -> int:
    """The place of an actor in the table: the first row whose id is not below its own.

    Args:
        tracks: the table (T, C + TRACK_COLUMNS).
        count: rows in use.
        actor: id.
        guess: a row to try first, usually the one after that of the actor before.

    Returns:
        Row, `count` if all ids are lower; the caller compares the id.
    """
    id_column = tracks.shape[1] - TRACK_COLUMNS + ID
    if guess < count and tracks[guess, id_column] == actor:
        return guess
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if tracks[middle, id_column] < actor:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def is_track_of(tracks: Floats, count: int, row: int, actor: int) -> bool:
    """Whether a row that `find` gave holds this actor."""
    return row < count and bool(tracks[row, tracks.shape[1] - TRACK_COLUMNS + ID] == actor)


@jit
def index_of(ids: Ints, actor: float, guess: int) -> int:
    """Where an actor stands among those present, -1 if it has left; `guess` is tried first."""
    if guess < ids.shape[0] and ids[guess] == actor:
        return guess
    for i in range(ids.shape[0]):
        if ids[i] == actor:
            return i
    return -1


@jit
def _forget_oldest(tracks: Floats, count: int) -> int:
    """Drop the track perceived longest ago (the lowest id of several); returns the new count."""
    seen = tracks.shape[1] - TRACK_COLUMNS + SEEN
    oldest = 0
    for row in range(1, count):
        if tracks[row, seen] < tracks[oldest, seen]:
            oldest = row
    for row in range(oldest, count - 1):
        for column in range(tracks.shape[1]):
            tracks[row, column] = tracks[row + 1, column]
    return count - 1


@jit
def make_room(tracks: Floats, count: int, row: int) -> int:
    """Free a row of the table, which has one to spare, by moving those behind it; new count."""
    for moved in range(count, row, -1):
        for column in range(tracks.shape[1]):
            tracks[moved, column] = tracks[moved - 1, column]
    return count + 1


@jit
def remember(
    tracks: Floats,
    count: int,
    guess: int,
    actors: Floats,
    i: int,
    name: int,
    ego: tuple[float, float, float],
    limits: Floats,
    seed: int,
    decision: int,
) -> tuple[int, int]:
    """Enter what is perceived of an actor now: itself, with noise; a Kalman filter weighs it.

    Args:
        tracks: the table (T, C + TRACK_COLUMNS), changed in place. A full one forgets the actor
            perceived longest ago; T must not be below the actors that can be perceived at once.
        count: rows in use.
        guess: a row to try first.
        actors: the actors as they truly are (A, C).
        i: index of the one perceived.
        name: its id.
        ego: the ego's x, y and heading.
        limits: the vector of limits.
        seed: sensor seed of the episode.
        decision: index of this decision.

    Returns:
        Rows in use now, and the actor's row.
    """
    columns = tracks.shape[1] - TRACK_COLUMNS
    row = find(tracks, count, name, guess)
    known = is_track_of(tracks, count, row, name)
    if not known:
        if count == tracks.shape[0]:
            count = _forget_oldest(tracks, count)
            row = find(tracks, count, name, guess)
        count = make_room(tracks, count, row)
    before_x, before_y = tracks[row, X], tracks[row, Y]
    elapsed_s = (decision - tracks[row, columns + SEEN]) * limits[DECISION_S]
    for column in range(columns):
        tracks[row, column] = actors[i, column]
    add_noise(tracks, row, ego, limits, seed, decision, name)
    if limits[TRACKER] == KALMAN:
        believed = known and is_believed(tracks, row, elapsed_s, limits)
        filter_measurement(tracks, row, before_x, before_y, elapsed_s, believed, ego, limits)
    else:
        _measure_motion(tracks, row, before_x, before_y, elapsed_s, known, limits)
    tracks[row, columns + ID] = name
    tracks[row, columns + SEEN] = decision
    tracks[row, columns + DOUBT] = 0.0
    return count, row


@jit
def _measure_motion(
    tracks: Floats,
    row: int,
    before_x: float,
    before_y: float,
    elapsed_s: float,
    known: bool,
    limits: Floats,
) -> None:
    """The velocity for extrapolation: as sensed, or from the place perceived before."""
    columns = tracks.shape[1] - TRACK_COLUMNS
    tracks[row, columns + MOTION_X] = tracks[row, VX]
    tracks[row, columns + MOTION_Y] = tracks[row, VY]
    if limits[HIDE_VELOCITY] > 0.0:  # two positions tell a velocity, one tells none
        moves = known and elapsed_s > 0.0
        tracks[row, columns + MOTION_X] = (tracks[row, X] - before_x) / elapsed_s if moves else 0.0
        tracks[row, columns + MOTION_Y] = (tracks[row, Y] - before_y) / elapsed_s if moves else 0.0


@jit
def predict(
    tracks: Floats, row: int, elapsed_s: float, limits: Floats, expected: Floats, place: int
) -> None:
    """Where the tracker expects an actor some time after it was perceived.

    Args:
        tracks: the table.
        row: the actor's row.
        elapsed_s: time since it was perceived, s.
        limits: the vector of limits; says which tracker.
        expected: written: the actor as expected, in a row of a table (P, C or more).
        place: which row of that.
    """
    columns = tracks.shape[1] - TRACK_COLUMNS
    for column in range(columns):
        expected[place, column] = tracks[row, column]
    if limits[TRACKER] in (CONSTANT_VELOCITY, KALMAN):
        expected[place, X] += elapsed_s * tracks[row, columns + MOTION_X]
        expected[place, Y] += elapsed_s * tracks[row, columns + MOTION_Y]


@jit
def doubt(tracks: Floats, row: int, probability: float) -> None:
    """Count a missed detection of an actor whose expected place is wholly in sight.

    Args:
        tracks: the table.
        row: the actor's row.
        probability: of a miss if the actor is there, given that it was missed before: misses that
            come in runs (`Missed`) are weak evidence that it is gone.
    """
    column = tracks.shape[1] - TRACK_COLUMNS + DOUBT
    if probability <= 0.0:
        tracks[row, column] = -np.inf
    else:
        tracks[row, column] += math.log(probability)


@jit
def is_believed(tracks: Floats, row: int, elapsed_s: float, limits: Floats) -> bool:
    """Whether the tracker still holds an actor for present, some time after it was perceived."""
    column = tracks.shape[1] - TRACK_COLUMNS + DOUBT
    return bool(tracks[row, column] > _LEAST_LOG_PROBABILITY and elapsed_s <= limits[TRACK_S])
