"""What the sensors give out: percepts as last sensed, as a tracker expects them, or recalled."""

from __future__ import annotations

import numpy as np

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.sensing.kalman import deviations
from drivemem_envs.sensing.layout import (
    DECISION_S,
    HEADING,
    HIDE_HEADING,
    HIDE_VELOCITY,
    ID,
    KALMAN,
    NO_TRACKER,
    PERCEPT_AGE_S,
    PERCEPT_COLUMNS,
    PERCEPT_ID,
    PERCEPT_SD_POSITION,
    PERCEPT_SD_VELOCITY,
    SEEN,
    TRACK_COLUMNS,
    TRACKER,
    VX,
    VY,
)
from drivemem_envs.sensing.tracks import index_of, is_believed, predict


@jit
def deliver(
    limits: Floats, decision: int, stamp: int, tracks: Floats, count: int, percepts: Floats
) -> int:
    """Write what the sensors give out: the percepts of `stamp`, with ghosts if there is a tracker.

    Returns:
        Number of percepts.
    """
    columns = tracks.shape[1] - TRACK_COLUMNS
    given = 0
    for row in range(count):
        age_s = (decision - tracks[row, columns + SEEN]) * limits[DECISION_S]
        if tracks[row, columns + SEEN] != stamp and (
            limits[TRACKER] == NO_TRACKER or not is_believed(tracks, row, age_s, limits)
        ):
            continue
        predict(tracks, row, age_s, limits, percepts, given)
        filters = limits[TRACKER] == KALMAN
        if limits[HIDE_VELOCITY] > 0.0 and not filters:
            percepts[given, VX], percepts[given, VY] = np.nan, np.nan
        if limits[HIDE_HEADING] > 0.0:
            percepts[given, HEADING] = np.nan
        _label(percepts, given, tracks[row, columns + ID], age_s)
        if filters:
            position, velocity = deviations(tracks, row, age_s)
            percepts[given, columns + PERCEPT_SD_POSITION] = position
            percepts[given, columns + PERCEPT_SD_VELOCITY] = velocity
        given += 1
    return given


@jit
def recall(
    actors: Floats,
    ids: Ints,
    limits: Floats,
    decision: int,
    tracks: Floats,
    count: int,
    percepts: Floats,
) -> int:
    """Write every actor of a table of tracks that is still there, as it truly is now.

    Returns:
        Number of percepts.
    """
    columns = tracks.shape[1] - TRACK_COLUMNS
    given = 0
    for row in range(count):
        i = index_of(ids, tracks[row, columns + ID], row)
        if i < 0:
            continue
        for column in range(columns):
            percepts[given, column] = actors[i, column]
        age_s = (decision - tracks[row, columns + SEEN]) * limits[DECISION_S]
        _label(percepts, given, tracks[row, columns + ID], age_s)
        given += 1
    return given


@jit
def _label(percepts: Floats, row: int, actor: float, age_s: float) -> None:
    """Say of a percept whose it is and how old, and that no filter judges it."""
    columns = percepts.shape[1] - PERCEPT_COLUMNS
    percepts[row, columns + PERCEPT_ID] = actor
    percepts[row, columns + PERCEPT_AGE_S] = age_s
    percepts[row, columns + PERCEPT_SD_POSITION] = 0.0
    percepts[row, columns + PERCEPT_SD_VELOCITY] = 0.0
