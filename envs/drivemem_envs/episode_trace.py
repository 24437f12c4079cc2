"""What an episode was, decision by decision, and the metrics of it: one kernel for both backends.

An EpisodeTrace holds the ego's path, the traffic's paths and, for each actor, when it was last
hidden and last revealed. Recording a decision costs one pass over the actors. The compiled backend
records as it drives; the reference backend gives the truth of its decisions to
`reference.episode_metrics`, and so may whoever has a recording: the same numbers come out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.collision_times import time_to_collision
from drivemem_envs.metrics import (
    CROSSING_M,
    CROSSING_SINE,
    FAULTS,
    HARD_BRAKING,
    HIDDEN_ORIGIN_S,
    METRICS,
    RELEVANT_DISTANCE_M,
    TTC_CRITICAL_S,
    TTC_HORIZON_S,
    EgoTrace,
)
from drivemem_envs.sensing.layout import (
    FIRST_OBJECT_ID,
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

# Columns of the ego's path: x, y, heading, speed, least time to collision, whether a relevant
# actor is hidden.
EGO_X, EGO_Y, EGO_HEADING, EGO_SPEED, EGO_TTC, EGO_RELEVANT = range(6)
EGO_COLUMNS = 6

_COLUMN = {metric.name: column for column, metric in enumerate(METRICS)}
PROGRESS, MEAN_SPEED = _COLUMN["progress_m"], _COLUMN["mean_speed"]
MIN_TTC, CRITICAL = _COLUMN["min_ttc"], _COLUMN["share_ttc_below_1_5"]
PET, HARD_BRAKES, MAX_JERK = _COLUMN["pet"], _COLUMN["hard_brakes"], _COLUMN["max_jerk"]
AT_FAULT, EXPOSURE = _COLUMN["at_fault"], _COLUMN["exposure"]
HIDDEN_ORIGIN = _COLUMN["hidden_origin_collision"]
REVEAL_TO_CONTACT, BLIND_ENTRY = _COLUMN["reveal_to_contact_s"], _COLUMN["blind_entry_speed"]

STOPPED_EGO, STOPPED_TRACK, FRONT, REAR, LATERAL = range(1, len(FAULTS))

_NEVER = -1


class EpisodeTrace(NamedTuple):
    """The running episodes of N worlds."""

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


def make_trace(worlds: int, decisions: int, actors: int, vehicle_ids: int) -> EpisodeTrace:
    """Room for the episodes of N worlds.

    Args:
        worlds: N.
        decisions: decisions in the longest episode; the first observation comes on top.
        actors: most actors present at once.
        vehicle_ids: ids that vehicles of one episode can have; objects get `actors` more.
    """
    steps = decisions + 1
    return EpisodeTrace(
        ego=np.zeros((worlds, steps, EGO_COLUMNS)),
        paths=np.zeros((worlds, steps, actors, 3)),
        others=np.zeros((worlds, steps), dtype=np.int64),
        hidden=np.full((worlds, vehicle_ids + actors), _NEVER, dtype=np.int64),
        revealed=np.full((worlds, vehicle_ids + actors), _NEVER, dtype=np.int64),
    )


def with_more_room(trace: EpisodeTrace) -> EpisodeTrace:
    """The same episodes with room for twice as many decisions."""
    paths = {
        name: np.concatenate([getattr(trace, name), np.zeros_like(getattr(trace, name))], axis=1)
        for name in ("ego", "paths", "others")
    }
    return trace._replace(**paths)


@jit
def slot_of(actor: int, slots: int, actors: int) -> int:
    """Where it stands when an actor was hidden: vehicles by id, objects at the end."""
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
def clear(trace: EpisodeTrace, index: int) -> None:
    """Begin an episode in a world."""
    for slot in range(trace.hidden.shape[1]):
        trace.hidden[index, slot], trace.revealed[index, slot] = _NEVER, _NEVER


@jit
def record(
    trace: EpisodeTrace,
    index: int,
    step: int,
    actors: Floats,
    ids: Ints,
    speed: float,
    report: Floats,
    boxes: Floats,
) -> None:
    """Take in the truth at a decision.

    Args:
        trace: written.
        index: which world it is.
        step: number of the decision; 0 is the first observation, with which the episode begins.
        actors: the actors present (A, C), the ego first.
        ids: their ids (A,).
        speed: the ego's, m/s.
        report: what `sense` says of them (A, REPORT_COLUMNS).
        boxes: scratch (2, 7).
    """
    if step == 0:
        clear(trace, index)
    ego, paths = trace.ego[index], trace.paths[index]
    hidden, revealed = trace.hidden[index], trace.revealed[index]
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
    trace.others[index, step] = count
    ego[step, EGO_X], ego[step, EGO_Y] = actors[0, X], actors[0, Y]
    ego[step, EGO_HEADING], ego[step, EGO_SPEED] = actors[0, HEADING], speed
    ego[step, EGO_TTC], ego[step, EGO_RELEVANT] = least, 1.0 if relevant else 0.0


@jit
def encroachment(ego: Floats, paths: Floats, others: Ints, steps: int) -> int:
    """Least number of decisions between two crossing passages of a point, or -1."""
    least = -1
    for k in range(steps):
        sine, cosine = math.sin(ego[k, EGO_HEADING]), math.cos(ego[k, EGO_HEADING])
        for j in range(steps):
            apart_steps = abs(k - j)
            if least >= 0 and apart_steps >= least:
                continue
            for i in range(others[j]):
                dx, dy = ego[k, EGO_X] - paths[j, i, 0], ego[k, EGO_Y] - paths[j, i, 1]
                if abs(dx) >= CROSSING_M or abs(dy) >= CROSSING_M:
                    continue
                if math.hypot(dx, dy) >= CROSSING_M:
                    continue
                heading = paths[j, i, 2]
                turn = abs(sine * math.cos(heading) - cosine * math.sin(heading))
                if turn > CROSSING_SINE:
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
    """The code in `FAULTS` of a collision, from the poses at contact (nuPlan's classes).

    Karnchanachari et al. 2024. Bearing against the ego's own diagonal tells its front from its
    side.

    Args:
        actors: (A, C), the ego first.
        speeds: (A,) m/s.
        other: row of the actor that the ego touches.
    """
    if abs(speeds[0]) < 0.1:
        return STOPPED_EGO
    if abs(speeds[other]) < 0.1:
        return STOPPED_TRACK
    dx, dy = actors[other, X] - actors[0, X], actors[other, Y] - actors[0, Y]
    cos, sin = math.cos(actors[0, HEADING]), math.sin(actors[0, HEADING])
    along, across = dx * cos + dy * sin, abs(dy * cos - dx * sin)
    if across * actors[0, LENGTH] > abs(along) * actors[0, WIDTH] * 2.0:
        return LATERAL
    return FRONT if along > 0.0 else REAR


@jit
def summarize(trace: EpisodeTrace, index: int, steps: int, decision_s: float, out: Floats) -> None:
    """The metrics that do not depend on a collision.

    Args:
        trace: with every decision of the episode.
        index: which world it is.
        steps: decisions recorded, the first observation included.
        decision_s: decision period, s.
        out: written (len(METRICS),).
    """
    ego = trace.ego[index]
    progress, speeds, least, critical, exposure = 0.0, 0.0, np.inf, 0, 0
    brakes, braking, jerk, before, entry = 0, False, np.nan, np.nan, np.nan
    for k in range(steps):
        speeds += ego[k, EGO_SPEED]
        least = min(least, ego[k, EGO_TTC])
        critical += 1 if ego[k, EGO_TTC] < TTC_CRITICAL_S else 0
        if ego[k, EGO_RELEVANT] > 0.0:
            if exposure == 0:
                entry = ego[k, EGO_SPEED]
            exposure += 1
        if k == 0:
            continue
        progress += math.hypot(ego[k, EGO_X] - ego[k - 1, EGO_X], ego[k, EGO_Y] - ego[k - 1, EGO_Y])
        acceleration = (ego[k, EGO_SPEED] - ego[k - 1, EGO_SPEED]) / decision_s
        hard = acceleration < -HARD_BRAKING
        brakes += 1 if hard and not braking else 0
        braking = hard
        if k > 1:
            change = abs((acceleration - before) / decision_s)
            jerk = change if k == 2 else max(jerk, change)
        before = acceleration
    passed = encroachment(ego, trace.paths[index], trace.others[index], steps)
    out[PROGRESS], out[MEAN_SPEED] = progress, speeds / steps
    out[MIN_TTC] = least if least <= TTC_HORIZON_S else np.nan
    out[CRITICAL], out[EXPOSURE] = critical / steps, exposure
    out[PET] = passed * decision_s if passed >= 0 else np.nan
    out[HARD_BRAKES], out[MAX_JERK], out[BLIND_ENTRY] = brakes, jerk, entry
    out[AT_FAULT], out[HIDDEN_ORIGIN], out[REVEAL_TO_CONTACT] = 0.0, 0.0, np.nan


@jit
def summarize_collision(
    trace: EpisodeTrace,
    index: int,
    steps: int,
    decision_s: float,
    actors: Floats,
    ids: Ints,
    speeds: Floats,
    crashed: Ints,
    boxes: Floats,
    out: Floats,
) -> None:
    """The metrics of a collision; call after `summarize`. Nothing without one.

    Args:
        trace: with every decision of the episode.
        index: which world it is.
        steps: decisions recorded.
        decision_s: decision period, s.
        actors: the actors present at the end (A, C), the ego first.
        ids: their ids (A,).
        speeds: their speeds (A,), m/s.
        crashed: whether each crashed (A,), 0 or 1.
        boxes: scratch (2, 7).
        out: written (len(METRICS),).
    """
    if crashed[0] == 0:
        return
    other = contact(actors, crashed, boxes)
    if other < 0:
        return
    out[AT_FAULT] = fault_of(actors, speeds, other)
    hidden, revealed = trace.hidden[index], trace.revealed[index]
    slot = slot_of(ids[other], hidden.shape[0], trace.paths.shape[2])
    step = steps - 1
    if hidden[slot] == _NEVER:
        return
    recent = (step - hidden[slot]) * decision_s <= HIDDEN_ORIGIN_S + 1e-9
    out[HIDDEN_ORIGIN] = 1.0 if recent else 0.0
    out[REVEAL_TO_CONTACT] = 0.0
    if revealed[slot] != _NEVER:
        out[REVEAL_TO_CONTACT] = (step - revealed[slot]) * decision_s


def ego_trace(trace: EpisodeTrace, index: int, steps: int, decision_s: float) -> EgoTrace:
    """What other packages' metrics are told of an episode: copies.

    Args:
        trace: with every decision of the episode.
        index: which world it is.
        steps: decisions recorded.
        decision_s: decision period, s.
    """
    columns = trace.ego[index, :steps].T.copy()
    return EgoTrace(
        x=columns[EGO_X],
        y=columns[EGO_Y],
        heading=columns[EGO_HEADING],
        speed=columns[EGO_SPEED],
        least_ttc_s=columns[EGO_TTC],
        is_relevant_hidden=columns[EGO_RELEVANT] > 0.0,
        decision_s=decision_s,
    )
