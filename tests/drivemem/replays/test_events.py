from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drivemem.replays.events import contact, dark_steps, events_of, story
from drivemem.replays.load import Trace, find_recording


@pytest.fixture
def trace(recording: Path) -> Trace:
    loaded = find_recording(recording)
    return loaded.trace(loaded.episodes[0])


def perceived(trace: Trace, actor: int, views: list[bool]) -> Trace:
    """The trace as if an actor had been perceived, or not, at each decision."""
    column = trace.actors["perceived"].copy()
    rows = np.flatnonzero(trace.actors["id"] == actor)
    column[rows] = np.array(views)[trace.actors["step"][rows]]
    return Trace(trace.row, trace.steps, {**trace.actors, "perceived": column})


def test_the_other_car_of_a_collision_is_the_one_that_crashed(trace: Trace) -> None:
    last = trace.decisions[-1]
    crashed = set(last["id"][last["crashed"].astype(bool)].tolist()) - {0}
    assert contact(trace) in crashed


def test_the_story_tells_what_was_seen_of_the_other_car(trace: Trace) -> None:
    hit, steps = contact(trace), len(trace.decisions)
    assert hit is not None

    def told(views: list[bool]) -> str:
        return story(perceived(trace, hit, views))

    assert f"Hits car {hit} after {trace.row.duration_s:.1f} s" in told([True] * steps)
    assert told([True] * steps).endswith("it was in sight all the time.")
    assert told([False] * steps).endswith("it was never in sight.")
    # 0.2 s between decisions: seen at the last two, so since 0.4 s, the contact included.
    assert told([False] * (steps - 2) + [True] * 2).endswith("it came into sight 0.4 s before.")
    assert told([True] * (steps - 5) + [False] * 5).endswith("out of sight for 1.0 s.")
    again = [True] * 3 + [False] * (steps - 6) + [True] * 3
    assert told(again).endswith("it was back in sight 0.6 s before.")


@pytest.mark.parametrize("outcome", ["success", "stuck", "timeout", "off_road", "wrong_route"])
def test_every_outcome_has_a_sentence(trace: Trace, outcome: str) -> None:
    text = story(Trace(replace(trace.row, outcome=outcome), trace.steps, trace.actors))
    assert text.endswith("5.4 s.") and "car" not in text


def test_sight_is_marked_when_it_changes_nearby(trace: Trace) -> None:
    hit, steps = contact(trace), len(trace.decisions)
    assert hit is not None
    views = [False] * (steps - 6) + [True] * 3 + [False] * 3
    marks = [e for e in events_of(perceived(trace, hit, views)) if e.actor == hit]
    assert [(e.step, e.kind) for e in marks] == [(steps - 6, "revealed"), (steps - 3, "hidden")]


def test_events_are_in_order_and_end_with_the_outcome(trace: Trace) -> None:
    marks = events_of(trace)
    assert [e.step for e in marks] == sorted(e.step for e in marks)
    assert marks[-1].kind == "end" and marks[-1].text == "collision"
    assert any(e.kind == "ttc" for e in marks)


def test_hard_braking_is_marked_once(trace: Trace) -> None:
    speed = trace.actors["speed"].copy()
    ego = trace.actors["id"] == 0
    profile = np.full(len(trace.decisions), 10.0)
    profile[8:] = 9.0  # -5 m/s^2 over one decision of 0.2 s
    profile[9:] = 8.0
    profile[20:] = 7.5  # -2.5 m/s^2: not hard
    speed[ego] = profile[trace.actors["step"][ego]]
    marks = events_of(Trace(trace.row, trace.steps, {**trace.actors, "speed": speed}))
    assert [e.step for e in marks if e.kind == "braking"] == [8]


def test_blackouts_and_cues(recorder: Callable[..., Path], tmp_path: Path) -> None:
    folder = recorder(tmp_path / "dark", "constant:IDLE", [1], "blackout-highway-v0")
    loaded = find_recording(folder)
    trace = loaded.trace(loaded.episodes[0])
    dark = dark_steps(trace)
    unseen = [not truth["perceived"][1:].any() for truth in trace.decisions]
    assert dark.any() and dark.tolist() == unseen
    for limits, expected in (
        ({"sectors": "90:360:inf"}, unseen), ({"sectors": "0:1:1"}, [False] * len(unseen)),
        ({"field_of_view_deg": 1e-3, "range_m": 1.0}, [False] * len(unseen)),
    ):  # fmt: skip
        row = replace(trace.row, sensors={**trace.row.sensors, **limits})
        assert dark_steps(Trace(row, trace.steps, trace.actors)).tolist() == expected
    marks = [e for e in events_of(trace) if e.kind in ("blackout", "sight")]
    assert [e.step for e in marks] == np.flatnonzero(np.diff(dark.astype(int), prepend=0)).tolist()
    folder = recorder(tmp_path / "sign", "constant:IDLE", [6], "exit-recall-v0")
    loaded = find_recording(folder)
    trace = loaded.trace(loaded.episodes[0])
    (gone,) = [e.step for e in events_of(trace) if e.kind == "cue"]
    shown = ["1" in cue for cue in trace.steps["cue"] if cue is not None]
    assert shown[gone - 1] and not shown[gone]
