"""What is worth a mark on the timeline, and the one sentence that explains how an episode ended."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.replay.load import Trace

NEAR_M = 30.0
"""Actors farther away make no marks when they go out of sight or come into it."""
HARD_BRAKING = 4.0
"""m/s^2, as in the metrics."""
TTC_SHOWN_S = 3.0
"""The least time to collision is marked if it is below this."""


@dataclass(frozen=True)
class Event:
    """A mark on the timeline."""

    step: int
    kind: str
    """hidden, revealed, blackout, sight, cue, braking, ttc or end."""
    text: str
    actor: int | None = None


def dark_steps(trace: Trace) -> NDArray[np.bool_]:
    """Decisions in a blackout (T,): something is in plain sight, yet nothing is perceived."""
    sensors = trace.row.sensors
    dark = np.zeros(len(trace.decisions), dtype=bool)
    if not sensors.get("blackout_per_s"):
        return dark
    least = float(sensors.get("min_visible_fraction", 0.2)) - 1e-6
    reach = sensors.get("range_m") or math.inf
    for step, truth in enumerate(trace.decisions):
        open_to_view = (truth["visible_fraction"] >= least) & (_distances(truth) <= reach)
        others = truth["id"] != 0
        dark[step] = (open_to_view & others).any() and not truth["perceived"][others].any()
    return dark


def events_of(trace: Trace) -> list[Event]:
    """The marks of an episode, in order of time."""
    found = [*_sight(trace), *_blackouts(trace), *_cue(trace), *_braking(trace), *_closest(trace)]
    last = len(trace.decisions) - 1
    found.append(Event(last, "end", trace.row.outcome.replace("_", " ")))
    return sorted(found, key=lambda event: event.step)


def story(trace: Trace) -> str:
    """One sentence: how the episode ended, and for a collision what was seen of the other."""
    row = trace.row
    end = f"after {row.duration_s:.1f} s"
    if row.outcome != "collision":
        told = {
            "success": f"Succeeds {end}.",
            "stuck": f"Stands still and is stuck {end}.",
            "timeout": f"Runs out of time {end}.",
            "off_road": f"Leaves the road {end}.",
            "wrong_route": f"Takes the wrong way {end}.",
            "violation": f"Breaks a traffic rule {end}.",
        }
        return told.get(row.outcome, f"{row.outcome.replace('_', ' ').capitalize()} {end}.")
    actor = contact(trace)
    if actor is None:
        return f"Collides {end}."
    last = trace.decisions[-1]
    if last["kind"][last["id"] == actor][0] != 0:
        return f"Hits an obstacle {end}; {_history(trace, actor)}."
    return f"Hits car {actor} {end}; {_history(trace, actor)}."


def contact(trace: Trace) -> int | None:
    """Id of the actor that the ego hit: the nearest one that crashed, else the nearest."""
    truth = trace.decisions[-1]
    others = np.flatnonzero((truth["id"] != 0) & (truth["kind"] != 2))
    if not len(others):
        return None
    order = np.lexsort((_distances(truth)[others], ~truth["crashed"][others].astype(bool)))
    nearest = int(others[order[0]])
    reach = float(truth["length"][0] + truth["length"][nearest])
    return int(truth["id"][nearest]) if _distances(truth)[nearest] <= reach else None


def _history(trace: Trace, actor: int) -> str:
    dt = trace.row.decision_s
    views = []
    for truth in trace.decisions:
        rows = np.flatnonzero(truth["id"] == actor)
        views.append(bool(len(rows) and truth["perceived"][rows[0]]))
    if not any(views):
        return "it was never in sight"
    if not views[-1]:
        gone = next(k for k, view in enumerate(reversed(views)) if view) * dt
        return f"it had been out of sight for {gone:.1f} s"
    if all(views):
        return "it was in sight all the time"
    shown = next(k for k, view in enumerate(reversed(views)) if not view) * dt
    before = (
        "it came into sight" if not any(views[: -round(shown / dt)]) else "it was back in sight"
    )
    return f"{before} {shown:.1f} s before"


def _distances(truth: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    apart: NDArray[np.float64] = np.hypot(truth["x"] - truth["x"][0], truth["y"] - truth["y"][0])
    return apart


def _sight(trace: Trace) -> list[Event]:
    found: list[Event] = []
    before: dict[int, bool] = {}
    ever: set[int] = set()
    dark = dark_steps(trace)
    for step, truth in enumerate(trace.decisions):
        distances, views = _distances(truth), truth["perceived"]
        for row in np.flatnonzero((truth["id"] != 0) & (truth["kind"] != 2)):
            actor, view = int(truth["id"][row]), bool(views[row])
            changed = (
                before.get(actor, view) != view and not dark[max(0, step - 1) : step + 1].any()
            )
            if changed and distances[row] <= NEAR_M:
                name = f"car {actor}" if truth["kind"][row] == 0 else "an obstacle"
                where = f"{name}, {distances[row]:.0f} m away"
                again = " again" if actor in ever else ""
                text = (
                    f"{where}, comes into sight{again}" if view else f"{where}, goes out of sight"
                )
                found.append(Event(step, "revealed" if view else "hidden", text, actor))
            before[actor] = view
            if view:
                ever.add(actor)
    return found


def _blackouts(trace: Trace) -> list[Event]:
    dark = dark_steps(trace)
    changes = np.flatnonzero(np.diff(dark.astype(int), prepend=0))
    return [
        Event(int(step), "blackout", "sight fails")
        if dark[step]
        else Event(int(step), "sight", "sight is back")
        for step in changes
    ]


def _cue(trace: Trace) -> list[Event]:
    window = trace.row.sensors.get("cue_window_s")
    if not window:
        return []
    step = math.ceil(window / trace.row.decision_s - 1e-6)
    return [Event(step, "cue", "the sign is gone")] if step < len(trace.decisions) else []


def _braking(trace: Trace) -> list[Event]:
    speeds = np.array([float(truth["speed"][0]) for truth in trace.decisions])
    braking = np.diff(speeds, prepend=speeds[:1]) / trace.row.decision_s < -HARD_BRAKING
    onsets = braking & ~np.concatenate([[False], braking[:-1]])
    crashed = [bool(truth["crashed"][0]) for truth in trace.decisions]
    return [
        Event(int(step), "braking", "brakes hard")
        for step in np.flatnonzero(onsets)
        if not crashed[step]
    ]


def _closest(trace: Trace) -> list[Event]:
    from drivemem_envs.metrics import boxes_of, times_to_collision

    decisions = [truth for truth in trace.decisions if not truth["crashed"][0]]
    times = [float(times_to_collision(boxes_of(truth)).min()) for truth in decisions]
    if not times or min(times) > TTC_SHOWN_S:
        return []
    step = int(np.argmin(times))
    return [Event(step, "ttc", f"least time to collision, {times[step]:.1f} s")]
