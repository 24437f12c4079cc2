"""What one ego perceives at one decision: sight, reach, corruption, tracking and latency in order.

`sense` is one world on plain arrays, called inside the compiled backend's kernels; `SensorState`
wraps the same kernel for the reference backend, so both perceive the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from drivemem_envs._jit import Bools, Floats, Ints, jit
from drivemem_envs.sensing import layout
from drivemem_envs.sensing.corruption import (
    drops_out,
    is_missed,
    miss_goes_on,
    next_blackout,
    within_reach,
)
from drivemem_envs.sensing.delivery import deliver, recall
from drivemem_envs.sensing.layout import (
    AGE_S,
    BLOCKED_BY_ACTORS,
    BLOCKED_BY_OCCLUDERS,
    DECISION_S,
    GHOST_HEADING,
    GHOST_X,
    GHOST_Y,
    HEADING,
    ID,
    LATENCY,
    LEAST_RAYS,
    NO_TRACKER,
    PERCEIVED,
    PERCEPT_AGE_S,
    PERCEPT_COLUMNS,
    PERCEPT_ID,
    PERCEPT_SD_POSITION,
    PERCEPT_SD_VELOCITY,
    PERFECT_RECALL,
    REDRAW_P,
    SEEN,
    SIGHT_RAYS,
    TRACK_COLUMNS,
    TRACKER,
    VISIBLE_FRACTION,
    VX,
    VY,
    X,
    Y,
)
from drivemem_envs.sensing.spec import Sensors, Tracker
from drivemem_envs.sensing.tracks import (
    doubt,
    find,
    index_of,
    is_believed,
    is_track_of,
    predict,
    remember,
)
from drivemem_envs.sensing.visibility import prepare, visible_rays, visible_rays_of_actor


@jit
def sense(
    actors: Floats,
    ids: Ints,
    ego: int,
    occluders: Floats,
    limits: Floats,
    decision: int,
    seed: int,
    frames: Floats,
    status: Ints,
    percepts: Floats,
    report: Floats,
    scratch: Floats,
) -> int:
    """Perceive one world at one decision.

    A world is sensed once at every decision, in order; decision 0 starts a new episode. What an
    actor does to the percepts of others is only to stand in the way: with `actors` among the
    blockers of sight, one that is missed (dropout, range, …) still casts its shadow.

    Args:
        actors: the actors present (A, C), columns as in `layout`; C >= COLUMNS.
        ids: their ids (A,), stable through the episode, each unique.
        ego: index of the ego among them; it is not among the percepts.
        occluders: static occluders (K, 5).
        limits: the vector of limits (LIMITS,).
        decision: index of the decision in the episode, from 0.
        seed: sensor seed of the episode.
        frames: memory (R, T, C + TRACK_COLUMNS), R >= latency in decisions + 1: tables of tracks,
            a ring over the last decisions. T must not be below the actors perceived at once.
        status: memory (R + 1,): rows in use of each table, then whether it is dark.
        percepts: written (T, C + PERCEPT_COLUMNS): what is perceived, in order of id; what is
            neither sensed of it (`hide`) nor estimated by a filter is nan.
        report: written (A, REPORT_COLUMNS): what is true of each actor's perception.
        scratch: overwritten (A, SCRATCH_COLUMNS).

    Returns:
        Number of percepts.
    """
    ring = int(limits[LATENCY]) + 1
    slot = decision % ring
    last = frames.shape[0]
    if decision == 0:
        status[slot] = 0
    elif ring > 1:
        before = (decision - 1) % ring
        status[slot] = status[before]
        for row in range(status[before]):
            for column in range(frames.shape[2]):
                frames[slot, row, column] = frames[before, row, column]
    status[last] = next_blackout(int(status[last]), limits, seed, decision)
    dark = status[last] != 0
    tracks = frames[slot]
    blockers = prepare(actors, ego, limits, scratch)
    status[slot] = _perceive(
        actors, ids, ego, occluders, limits, decision, seed, dark, tracks, status[slot], report,
        scratch, blockers,
    )  # fmt: skip
    if limits[TRACKER] not in (NO_TRACKER, PERFECT_RECALL) and not dark:
        _look_for_missing(
            actors, ids, ego, occluders, limits, decision, tracks, status[slot], percepts,
            scratch, blockers,
        )  # fmt: skip
    stamp = max(decision - ring + 1, 0)
    tracks, count = frames[stamp % ring], status[stamp % ring]
    _report_ages(ids, ego, limits, decision, stamp, tracks, count, report)
    if limits[TRACKER] == PERFECT_RECALL:
        given = recall(actors, ids, limits, decision, tracks, count, percepts)
    else:
        given = deliver(limits, decision, stamp, tracks, count, percepts)
    _report_ghosts(ids, ego, limits, percepts, given, report)
    return given


@jit
def _perceive(
    actors: Floats,
    ids: Ints,
    ego: int,
    occluders: Floats,
    limits: Floats,
    decision: int,
    seed: int,
    dark: bool,
    tracks: Floats,
    count: int,
    report: Floats,
    scratch: Floats,
    blockers: int,
) -> int:
    """Enter every actor that is perceived at this decision; returns the rows in use."""
    sight_blocked = limits[BLOCKED_BY_ACTORS] + limits[BLOCKED_BY_OCCLUDERS] > 0.0
    may_be_missed = limits[REDRAW_P] > 0.0
    eye = (actors[ego, X], actors[ego, Y], actors[ego, HEADING])
    row = -1
    for i in range(actors.shape[0]):
        report[i, VISIBLE_FRACTION] = 1.0
        if i == ego:
            continue
        rays = SIGHT_RAYS
        if sight_blocked:
            rays = visible_rays_of_actor(
                i, actors, ego, occluders, limits, scratch, blockers
            )  # fmt: skip
            report[i, VISIBLE_FRACTION] = rays / SIGHT_RAYS
        if dark or rays < limits[LEAST_RAYS]:
            continue
        if not within_reach(actors[i, X], actors[i, Y], eye, limits):
            continue
        if may_be_missed and is_missed(
            actors[i, X], actors[i, Y], eye, rays / SIGHT_RAYS, limits, seed, decision, ids[i]
        ):
            continue
        if drops_out(limits, seed, decision, ids[i]):
            continue
        count, row = remember(
            tracks, count, row + 1, actors, i, ids[i], eye, limits, seed, decision
        )  # fmt: skip
    return count


@jit
def _look_for_missing(
    actors: Floats,
    ids: Ints,
    ego: int,
    occluders: Floats,
    limits: Floats,
    decision: int,
    tracks: Floats,
    count: int,
    percepts: Floats,
    scratch: Floats,
    blockers: int,
) -> None:
    """Doubt the tracks that are not perceived although their expected place is in sight."""
    columns = actors.shape[1]
    eye = (actors[ego, X], actors[ego, Y], actors[ego, HEADING])
    for row in range(count):
        missed_s = (decision - tracks[row, columns + SEEN]) * limits[DECISION_S]
        if missed_s == 0.0 or not is_believed(tracks, row, missed_s, limits):
            continue
        predict(tracks, row, missed_s, limits, percepts, 0)  # the percepts are still free
        if not within_reach(percepts[0, X], percepts[0, Y], eye, limits):
            continue
        # Wherever the actor truly is, it must not hide its own expected place.
        itself = index_of(ids, tracks[row, columns + ID], row)
        # Wholly in sight: an actor last seen at the edge of a shadow is there no evidence.
        rays = visible_rays(
            percepts, 0, itself, actors, ego, occluders, limits, scratch, blockers
        )  # fmt: skip
        if rays == SIGHT_RAYS:
            doubt(tracks, row, miss_goes_on(percepts[0, X], percepts[0, Y], eye, limits))


@jit
def _report_ages(
    ids: Ints,
    ego: int,
    limits: Floats,
    decision: int,
    stamp: int,
    tracks: Floats,
    count: int,
    report: Floats,
) -> None:
    """Say of each actor whether it is perceived, and how old the newest information is."""
    seen = tracks.shape[1] - TRACK_COLUMNS + SEEN
    row = -1
    for i in range(ids.shape[0]):
        report[i, PERCEIVED], report[i, AGE_S] = 0.0, np.inf
        row = find(tracks, count, ids[i], row + 1)
        if i == ego:
            report[i, PERCEIVED], report[i, AGE_S] = 1.0, 0.0
        elif is_track_of(tracks, count, row, ids[i]):
            report[i, PERCEIVED] = 1.0 if tracks[row, seen] == stamp else 0.0
            report[i, AGE_S] = (decision - tracks[row, seen]) * limits[DECISION_S]


@jit
def _report_ghosts(
    ids: Ints, ego: int, limits: Floats, percepts: Floats, given: int, report: Floats
) -> None:
    """Say of each actor that is not perceived where the percepts place it, as a tracker does."""
    columns = percepts.shape[1] - PERCEPT_COLUMNS
    for i in range(ids.shape[0]):
        report[i, GHOST_X], report[i, GHOST_Y], report[i, GHOST_HEADING] = np.nan, np.nan, np.nan
        if limits[TRACKER] == NO_TRACKER or i == ego or report[i, PERCEIVED] > 0.0:
            continue
        for row in range(given):
            if percepts[row, columns + PERCEPT_ID] != ids[i]:
                continue
            heading = percepts[row, HEADING]
            if np.isnan(heading):  # not sensed: as it moves, if that is
                heading = np.arctan2(percepts[row, VY], percepts[row, VX])
            report[i, GHOST_X], report[i, GHOST_Y] = percepts[row, X], percepts[row, Y]
            report[i, GHOST_HEADING] = 0.0 if np.isnan(heading) else heading


@dataclass(frozen=True)
class Percepts:
    """What the sensors give at one decision, and what is true of it."""

    ids: Ints
    """Ids of the actors perceived or believed present (P,), ascending."""
    rows: Floats
    """Their columns as perceived (P, C), see `layout`; nan where `hide` says not sensed."""
    age_s: Floats
    """Age of each row's information (P,), s: 0 now, more with latency and for ghosts."""
    sd_position: Floats
    """Standard deviation of each row's position (P,), m per axis, by a filter; 0 without one."""
    sd_velocity: Floats
    """Standard deviation of each row's velocity (P,), m/s per axis."""
    visible_fraction: Floats
    """For every actor (A,): share of the five sight rays that reach it; geometry only."""
    perceived: Bools
    """For every actor (A,): whether the newest percepts hold it; the ego always."""
    actor_age_s: Floats
    """For every actor (A,): age of the newest information about it, s; inf: never perceived."""
    ghosts: Floats
    """For every actor (A, 3): where a tracker places it that is not perceived: x, y, heading; m,
    rad; nan: nowhere."""


class SensorState:
    """The sensors of one ego through an episode.

    Args:
        sensors: what limits perception.
        decision_s: decision period, s.
        tracker: what fills the places of actors that are not perceived.
        track_s: for how long it does so, s.

    Raises:
        ValueError: see `layout.limit_vector`.
    """

    def __init__(
        self,
        sensors: Sensors,
        decision_s: float,
        tracker: Tracker = "none",
        track_s: float = layout.LEAST_TRACK_S,
    ) -> None:
        self.limits = layout.limit_vector(sensors, decision_s, tracker, track_s)
        self._ring = int(self.limits[LATENCY]) + 1
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Start an episode.

        Args:
            seed: sensor seed of the episode, an integer of at most 64 bits, signed or not.
        """
        self.seed = int(np.uint64(seed % 2**64).astype(np.int64))
        self.decision = 0
        self._frames = np.zeros((self._ring, 0, 0))
        self._status = np.zeros(self._ring + 1, dtype=np.int64)

    def sense(
        self, ids: ArrayLike, actors: ArrayLike, *, ego: int = 0, occluders: ArrayLike | None = None
    ) -> Percepts:
        """Perceive the world at the next decision; call it once per decision.

        Args:
            ids: ids of the actors present (A,), stable through the episode.
            actors: their columns (A, C), as in `layout`; C >= 8.
            ego: index of the ego.
            occluders: static occluders (K, 5): x, y, heading, length, width; m, rad.

        Raises:
            ValueError: for arrays of other shapes or ids that repeat.
        """
        present = np.ascontiguousarray(actors, dtype=np.float64)
        names = np.ascontiguousarray(ids, dtype=np.int64)
        hidden_by = np.zeros((0, 5)) if occluders is None else occluders
        buildings = np.ascontiguousarray(hidden_by, dtype=np.float64).reshape(-1, 5)
        _check(names, present, ego)
        self._make_room(*present.shape)
        columns = present.shape[1]
        percepts = np.zeros((self._frames.shape[1], columns + PERCEPT_COLUMNS))
        report = np.zeros((len(names), layout.REPORT_COLUMNS))
        count = sense(
            present, names, ego, buildings, self.limits, self.decision, self.seed, self._frames,
            self._status, percepts, report, np.zeros((len(names), layout.SCRATCH_COLUMNS)),
        )  # fmt: skip
        self.decision += 1
        return Percepts(
            ids=percepts[:count, columns + PERCEPT_ID].astype(np.int64),
            rows=percepts[:count, :columns],
            age_s=percepts[:count, columns + PERCEPT_AGE_S],
            sd_position=percepts[:count, columns + PERCEPT_SD_POSITION],
            sd_velocity=percepts[:count, columns + PERCEPT_SD_VELOCITY],
            visible_fraction=report[:, VISIBLE_FRACTION],
            perceived=report[:, PERCEIVED] > 0.0,
            actor_age_s=report[:, AGE_S],
            ghosts=report[:, [GHOST_X, GHOST_Y, GHOST_HEADING]],
        )

    @property
    def is_dark(self) -> bool:
        """Whether a blackout is on at the decision last sensed."""
        return bool(self._status[-1])

    def _make_room(self, actors: int, columns: int) -> None:
        """Let the tables hold every actor that there ever was, so that none is forgotten."""
        used = int(self._status[:-1].max(initial=0))
        _, rows, width = self._frames.shape
        if rows < used + actors or width != columns + TRACK_COLUMNS:
            grown = np.zeros((self._ring, 2 * (used + actors), columns + TRACK_COLUMNS))
            if used:
                grown[:, :used] = self._frames[:, :used]
            self._frames = grown


def _check(ids: Ints, actors: Floats, ego: int) -> None:
    """Raise ValueError unless these can be the actors of one world."""
    if actors.ndim != 2 or actors.shape[1] < layout.COLUMNS or ids.shape != actors.shape[:1]:
        raise ValueError(
            f"actors has shape {actors.shape} and ids {ids.shape}; they must be "
            f"(A, {layout.COLUMNS} or more) and (A,)"
        )
    if len(np.unique(ids)) != len(ids):
        raise ValueError(f"actor ids repeat: {ids.tolist()}; each actor needs its own id")
    if not 0 <= ego < len(ids):
        raise ValueError(f"ego is {ego}; it must be the index of one of the {len(ids)} actors")
