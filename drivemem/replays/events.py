"""What is worth a mark on the timeline, and the one sentence that explains how an episode ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivemem.replays.captions import choice, sign_at, signs
from drivemem.replays.focus import contact, distances, name_of
from drivemem.replays.load import Trace
from drivemem.replays.simulate import scenario_of
from drivemem_envs.collision_times import boxes_of, times_to_collision
from drivemem_envs.metrics import HARD_BRAKING

NEAR_M = 30.0
"""Actors farther away make no marks when they go out of sight or come into it."""
TTC_SHOWN_S = 3.0
"""The least time to collision is marked if it is below this."""
_END = {
    "success": "Succeeds",
    "stuck": "Stands still and is stuck",
    "timeout": "Runs out of time",
    "off_road": "Leaves the road",
    "wrong_route": "Takes the wrong way",
    "violation": "Breaks a traffic rule",
}


@dataclass(frozen=True)
class Event:
    """A mark on the timeline."""

    step: int
    kind: str
    """hidden, revealed, blackout, sight, cue, choice, braking, ttc or end."""
    text: str
    actor: int | None = None


def dark_steps(trace: Trace) -> NDArray[np.bool_]:
    """Decisions in a blackout (T,): something is in plain sight, yet nothing is perceived."""
    from drivemem_envs.sensing.corruption import within_reach
    from drivemem_envs.sensing.layout import limit_vector

    sensors = scenario_of(trace.row).sensors
    dark = np.zeros(len(trace.decisions), dtype=bool)
    if not sensors.blackout_per_s:
        return dark
    limits = limit_vector(sensors, trace.row.decision_s)
    least = sensors.min_visible_fraction - 1e-6
    for step, truth in enumerate(trace.decisions):
        ego = (truth["x"][0], truth["y"][0], truth["heading"][0])
        reached = [
            within_reach(*at, ego, limits) for at in zip(truth["x"], truth["y"], strict=True)
        ]
        open_to_view = (truth["visible_fraction"] >= least) & np.array(reached)
        others = truth["id"] != 0
        dark[step] = (open_to_view & others).any() and not truth["perceived"][others].any()
    return dark


def events_of(trace: Trace) -> list[Event]:
    """The marks of an episode, in order of time."""
    found = [*_sight(trace), *_blackouts(trace), *_cue(trace), *_braking(trace), *_closest(trace)]
    decided = choice(trace)
    if decided:
        found.append(Event(decided[0], "choice", f"chooses {decided[1]}, the choice that counts"))
    last = len(trace.decisions) - 1
    found.append(Event(last, "end", trace.row.outcome.replace("_", " ")))
    return sorted(found, key=lambda event: event.step)


def story(trace: Trace) -> str:
    """How the episode ended, and why: what was chosen, and what was seen of what was hit."""
    row = trace.row
    chosen, end = _decision(trace), f"after {row.duration_s:.1f} s"
    if row.outcome != "collision":
        told = _END.get(row.outcome, row.outcome.replace("_", " ").capitalize())
        gone = "" if chosen else sign_at(trace, len(trace.decisions) - 1)
        return f"{chosen}{told} {end}{', ' if gone else ''}{gone}."
    actor = contact(trace)
    if actor is None:
        return f"{chosen}Collides {end}."
    return f"{chosen}Hits {name_of(trace, actor)} {end}; {_history(trace, actor)}."


def _decision(trace: Trace) -> str:
    """The sentence of the choice that counts; nothing where every one counts."""
    decided = choice(trace)
    if decided is None:
        return ""
    step, label = decided
    text = f"Chooses {label} after {step * trace.row.decision_s:.1f} s"
    gone = sign_at(trace, step)
    if gone:
        return f"{text}, {gone}. "
    truth = trace.decisions[step]
    hidden = ~truth["perceived"].astype(bool) & np.isfinite(truth["age_s"]) & (truth["kind"] == 0)
    if hidden.any():
        hit = contact(trace) if trace.row.outcome == "collision" else None
        wanted = hidden & (truth["id"] == hit) if hit in truth["id"][hidden] else hidden
        row = np.flatnonzero(wanted)[np.argmin(distances(truth)[wanted])]
        name, age = name_of(trace, int(truth["id"][row])), float(truth["age_s"][row])
        text += f", {name} out of sight for {age:.1f} s"
    return f"{text}. "


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


def _sight(trace: Trace) -> list[Event]:
    found: list[Event] = []
    before: dict[int, bool] = {}
    ever: set[int] = set()
    dark = dark_steps(trace)
    for step, truth in enumerate(trace.decisions):
        apart, views = distances(truth), truth["perceived"]
        for row in np.flatnonzero((truth["id"] != 0) & (truth["kind"] != 2)):
            actor, view = int(truth["id"][row]), bool(views[row])
            changed = (
                before.get(actor, view) != view and not dark[max(0, step - 1) : step + 1].any()
            )
            if changed and apart[row] <= NEAR_M:
                name = name_of(trace, actor)
                where = f"{name}, {apart[row]:.0f} m away"
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
    """Each time that a sign was shown a decision before and is not now."""
    shown = [bool(sign.values) for sign in signs(trace)]
    return [
        Event(step, "cue", "the sign is gone")
        for step in range(1, min(len(shown), len(trace.decisions)))
        if shown[step - 1] and not shown[step]
    ]


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
    decisions = [truth for truth in trace.decisions if not truth["crashed"][0]]
    times = [float(times_to_collision(boxes_of(truth)).min()) for truth in decisions]
    if not times or min(times) > TTC_SHOWN_S:
        return []
    step = int(np.argmin(times))
    return [Event(step, "ttc", f"least time to collision, {times[step]:.1f} s")]
