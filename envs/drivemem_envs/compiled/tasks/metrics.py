"""Outcome and metrics of an episode inside kernels; definitions are those of `metrics`, `outcomes`.

A world's memory holds the ego's path, the traffic's paths and, for each actor, when it was last
hidden and last revealed. Adding a decision costs one pass over the actors.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.metrics import (
    HARD_BRAKING,
    HIDDEN_ORIGIN_S,
    METRICS,
    RELEVANT_DISTANCE_M,
    TTC_CRITICAL_S,
    TTC_HORIZON_S,
    time_to_collision,
)
from drivemem_envs.outcomes import OUTCOMES, STUCK_SPEED
from drivemem_envs.sensing.layout import (
    HEADING,
    KIND,
    LANDMARK,
    LENGTH,
    PERCEIVED,
    VEHICLE,
    VX,
    VY,
    WIDTH,
    X,
    Y,
)

COLLISION, OFF_ROAD, WRONG_ROUTE, VIOLATION, SUCCESS, STUCK, TIMEOUT = range(len(OUTCOMES))

# Columns of the ego's path: x, y, heading, speed, least time to collision, whether a relevant
# actor is hidden.
_X, _Y, _HEADING, _SPEED, _TTC, _RELEVANT = range(6)
EGO_COLUMNS = 6

# Metrics in order; `at_fault` is a code of `FAULTS`.
(
    PROGRESS, MEAN_SPEED, MIN_TTC, CRITICAL, PET, HARD_BRAKES, MAX_JERK, AT_FAULT, EXPOSURE,
    HIDDEN_ORIGIN, REVEAL_TO_CONTACT, BLIND_ENTRY,
) = range(len(METRICS))  # fmt: skip
FAULTS = (
    "", "stopped_ego", "stopped_track", "active_front", "active_rear", "active_lateral",
)  # fmt: skip

# Ids of obstacles and landmarks begin here in both backends; vehicles count from 1.
FIRST_OBJECT_ID = 1_000_000

_NEVER = -1
_CROSSING_M, _CROSSING_SINE = 2.0, 0.5


class EpisodeMemory(NamedTuple):
    """What metrics need to know of the running episodes of N worlds."""

    ego: Floats
    """(N, T, EGO_COLUMNS)"""
    paths: Floats
    """(N, T, A, 3) x, y, heading of the other vehicles at each decision."""
    others: Ints
    """(N, T) how many those were."""
    hidden: Ints
    """(N, I) the last decision at which an actor was not perceived, or -1."""
    revealed: Ints
    """(N, I) since which decision it is perceived, or -1."""


def make_memory(worlds: int, decisions: int, actors: int, vehicle_ids: int) -> EpisodeMemory:
    """Room for the episodes of N worlds.

    Args:
        worlds: N.
        decisions: decisions in the longest episode; the first observation comes on top.
        actors: most actors present at once.
        vehicle_ids: ids that vehicles of one episode can have; objects get `actors` more.
    """
    steps = decisions + 1
    return EpisodeMemory(
        ego=np.zeros((worlds, steps, EGO_COLUMNS)),
        paths=np.zeros((worlds, steps, actors, 3)),
        others=np.zeros((worlds, steps), dtype=np.int64),
        hidden=np.full((worlds, vehicle_ids + actors), _NEVER, dtype=np.int64),
        revealed=np.full((worlds, vehicle_ids + actors), _NEVER, dtype=np.int64),
    )


@jit
def slot_of(actor: int, slots: int, actors: int) -> int:
    """Where an actor's memory lies: vehicles by id, objects at the end."""
    if actor >= FIRST_OBJECT_ID:
        return min(slots - actors + actor - FIRST_OBJECT_ID, slots - 1)
    return min(actor, slots - actors - 1)


@jit
def may_touch(actors: Floats, i: int, ego: int) -> bool:
    """Whether an actor can touch the ego within the horizon, by a circle around each: a bound."""
    dx, dy = actors[i, X] - actors[ego, X], actors[i, Y] - actors[ego, Y]
    dvx, dvy = actors[i, VX] - actors[ego, VX], actors[i, VY] - actors[ego, VY]
    reach = (actors[i, LENGTH] + actors[i, WIDTH] + actors[ego, LENGTH] + actors[ego, WIDTH]) / 2.0
    reach += TTC_HORIZON_S * (abs(dvx) + abs(dvy)) + 1e-6
    return bool(dx * dx + dy * dy <= reach * reach)


@jit
def fill_box(actors: Floats, i: int, box: Floats) -> None:
    """Write x, y, heading, length, width, vx, vy of an actor."""
    box[0], box[1], box[2] = actors[i, X], actors[i, Y], actors[i, HEADING]
    box[3], box[4] = actors[i, LENGTH], actors[i, WIDTH]
    box[5], box[6] = actors[i, VX], actors[i, VY]


@jit
def forget(hidden: Ints, revealed: Ints) -> None:
    """Begin an episode (I,)."""
    for slot in range(hidden.shape[0]):
        hidden[slot], revealed[slot] = _NEVER, _NEVER


@jit
def add_decision(
    actors: Floats,
    ids: Ints,
    speed: float,
    report: Floats,
    step: int,
    ego: Floats,
    paths: Floats,
    others: Ints,
    hidden: Ints,
    revealed: Ints,
    boxes: Floats,
) -> None:
    """Take in the truth at a decision; `EpisodeMetrics.add`.

    Args:
        actors: the actors present (A, C), the ego first.
        ids: their ids (A,).
        speed: the ego's, m/s.
        report: what `sense` says of them (A, REPORT_COLUMNS).
        step: index of the decision; 0 is the first observation.
        ego: (T, EGO_COLUMNS), `paths` (T, A, 3), `others` (T,), `hidden` (I,), `revealed` (I,):
            this world's part of `EpisodeMemory`, written.
        paths: see ego.
        others: see ego.
        hidden: see ego.
        revealed: see ego.
        boxes: scratch (2, 7).
    """
    least, relevant, count = np.inf, False, 0
    fill_box(actors, 0, boxes[0])
    for i in range(1, actors.shape[0]):
        if actors[i, KIND] == LANDMARK:
            continue
        time_s = np.inf
        if may_touch(actors, i, 0):
            fill_box(actors, i, boxes[1])
            time_s = time_to_collision(boxes[0], boxes[1])
        least = min(least, time_s)
        slot = slot_of(ids[i], hidden.shape[0], paths.shape[1])
        if report[i, PERCEIVED] > 0.0:
            if revealed[slot] == _NEVER:
                revealed[slot] = step
        else:
            revealed[slot] = _NEVER
            hidden[slot] = step
            away = math.hypot(actors[i, X] - actors[0, X], actors[i, Y] - actors[0, Y])
            if away < RELEVANT_DISTANCE_M or time_s < TTC_HORIZON_S:
                relevant = True
        if actors[i, KIND] == VEHICLE:
            paths[step, count, 0] = actors[i, X]
            paths[step, count, 1] = actors[i, Y]
            paths[step, count, 2] = actors[i, HEADING]
            count += 1
    others[step] = count
    ego[step, _X], ego[step, _Y] = actors[0, X], actors[0, Y]
    ego[step, _HEADING], ego[step, _SPEED] = actors[0, HEADING], speed
    ego[step, _TTC], ego[step, _RELEVANT] = least, 1.0 if relevant else 0.0


@jit
def is_stuck(ego: Floats, steps: int) -> bool:
    """`outcomes.is_stuck`: standing for most of the last third of the decisions."""
    last = max(1, steps // 3)
    slow = 0
    for step in range(steps - last, steps):
        if abs(ego[step, _SPEED]) < STUCK_SPEED:
            slow += 1
    return slow / last > 0.5


@jit
def outcome(
    crashed: bool, off_road: bool, wrong: bool, violation: bool, success: bool, stuck: bool
) -> int:
    """The code of the one outcome, tested in order."""
    if crashed:
        return COLLISION
    if off_road:
        return OFF_ROAD
    if wrong:
        return WRONG_ROUTE
    if violation:
        return VIOLATION
    if success:
        return SUCCESS
    return STUCK if stuck else TIMEOUT


@jit
def encroachment(ego: Floats, paths: Floats, others: Ints, steps: int) -> int:
    """Least number of decisions between two crossing passages of a point, or -1."""
    least = -1
    for k in range(steps):
        sine, cosine = math.sin(ego[k, _HEADING]), math.cos(ego[k, _HEADING])
        for j in range(steps):
            apart_steps = abs(k - j)
            if least >= 0 and apart_steps >= least:
                continue
            for i in range(others[j]):
                dx, dy = ego[k, _X] - paths[j, i, 0], ego[k, _Y] - paths[j, i, 1]
                if abs(dx) >= _CROSSING_M or abs(dy) >= _CROSSING_M:
                    continue
                if math.hypot(dx, dy) >= _CROSSING_M:
                    continue
                heading = paths[j, i, 2]
                turn = abs(sine * math.cos(heading) - cosine * math.sin(heading))
                if turn > _CROSSING_SINE:
                    least = apart_steps
                    break
    return least


@jit
def contact(actors: Floats, crashed: Ints, boxes: Floats) -> int:
    """Index of the actor that a crashed ego touches: crashed, then soonest, then nearest; or -1."""
    fill_box(actors, 0, boxes[0])
    best, best_time, best_gap, best_crashed = -1, np.inf, np.inf, 0
    for i in range(1, actors.shape[0]):
        if actors[i, KIND] == LANDMARK:
            continue
        fill_box(actors, i, boxes[1])
        time_s = time_to_collision(boxes[0], boxes[1])
        gap = math.hypot(actors[i, X] - actors[0, X], actors[i, Y] - actors[0, Y])
        better = best < 0 or crashed[i] > best_crashed
        if crashed[i] == best_crashed:
            better = better or time_s < best_time or (time_s == best_time and gap < best_gap)
        if better:
            best, best_time, best_gap, best_crashed = i, time_s, gap, crashed[i]
    return best


@jit
def fault_of(actors: Floats, speeds: Floats, other: int) -> int:
    """`metrics.fault_of`: a code of `FAULTS`."""
    if abs(speeds[0]) < 0.1:
        return 1
    if abs(speeds[other]) < 0.1:
        return 2
    dx, dy = actors[other, X] - actors[0, X], actors[other, Y] - actors[0, Y]
    cos, sin = math.cos(actors[0, HEADING]), math.sin(actors[0, HEADING])
    along, across = dx * cos + dy * sin, abs(dy * cos - dx * sin)
    if across * actors[0, LENGTH] > abs(along) * actors[0, WIDTH] * 2.0:
        return 5
    return 3 if along > 0.0 else 4


@jit
def summarize(
    ego: Floats,
    paths: Floats,
    others: Ints,
    steps: int,
    decision_s: float,
    out: Floats,
) -> None:
    """The metrics that do not depend on a collision; `EpisodeMetrics.result`.

    Args:
        ego: (T, EGO_COLUMNS).
        paths: (T, A, 3).
        others: (T,).
        steps: decisions added, the first observation included.
        decision_s: decision period, s.
        out: written (len(METRICS),).
    """
    progress, speeds, least, critical, exposure = 0.0, 0.0, np.inf, 0, 0
    brakes, braking, jerk, before, entry = 0, False, np.nan, np.nan, np.nan
    for k in range(steps):
        speeds += ego[k, _SPEED]
        least = min(least, ego[k, _TTC])
        critical += 1 if ego[k, _TTC] < TTC_CRITICAL_S else 0
        if ego[k, _RELEVANT] > 0.0:
            if exposure == 0:
                entry = ego[k, _SPEED]
            exposure += 1
        if k == 0:
            continue
        progress += math.hypot(ego[k, _X] - ego[k - 1, _X], ego[k, _Y] - ego[k - 1, _Y])
        acceleration = (ego[k, _SPEED] - ego[k - 1, _SPEED]) / decision_s
        hard = acceleration < -HARD_BRAKING
        brakes += 1 if hard and not braking else 0
        braking = hard
        if k > 1:
            change = abs((acceleration - before) / decision_s)
            jerk = change if k == 2 else max(jerk, change)
        before = acceleration
    passed = encroachment(ego, paths, others, steps)
    out[PROGRESS], out[MEAN_SPEED] = progress, speeds / steps
    out[MIN_TTC] = least if least <= TTC_HORIZON_S else np.nan
    out[CRITICAL], out[EXPOSURE] = critical / steps, exposure
    out[PET] = passed * decision_s if passed >= 0 else np.nan
    out[HARD_BRAKES], out[MAX_JERK], out[BLIND_ENTRY] = brakes, jerk, entry
    out[AT_FAULT], out[HIDDEN_ORIGIN], out[REVEAL_TO_CONTACT] = 0.0, 0.0, np.nan


@jit
def summarize_collision(
    actors: Floats,
    ids: Ints,
    speeds: Floats,
    crashed: Ints,
    hidden: Ints,
    revealed: Ints,
    max_actors: int,
    steps: int,
    decision_s: float,
    boxes: Floats,
    out: Floats,
) -> None:
    """The metrics of a collision; `EpisodeMetrics._collision`. Nothing without one.

    Args:
        actors: the actors present (A, C), the ego first.
        ids: their ids (A,).
        speeds: their speeds (A,), m/s.
        crashed: whether each crashed (A,), 0 or 1.
        hidden: (I,), see `EpisodeMemory`.
        revealed: (I,).
        max_actors: A of `EpisodeMemory`.
        steps: decisions added.
        decision_s: decision period, s.
        boxes: scratch (2, 7).
        out: written (len(METRICS),).
    """
    if crashed[0] == 0:
        return
    other = contact(actors, crashed, boxes)
    if other < 0:
        return
    out[AT_FAULT] = fault_of(actors, speeds, other)
    slot = slot_of(ids[other], hidden.shape[0], max_actors)
    step = steps - 1
    if hidden[slot] == _NEVER:
        return
    recent = (step - hidden[slot]) * decision_s <= HIDDEN_ORIGIN_S + 1e-9
    out[HIDDEN_ORIGIN] = 1.0 if recent else 0.0
    out[REVEAL_TO_CONTACT] = 0.0
    if revealed[slot] != _NEVER:
        out[REVEAL_TO_CONTACT] = (step - revealed[slot]) * decision_s
