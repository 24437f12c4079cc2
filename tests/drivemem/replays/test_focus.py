from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drivemem.replays.captions import captions, choice
from drivemem.replays.events import events_of, story
from drivemem.replays.focus import LONG_M, box, contact, focus, name_of
from drivemem.replays.load import Trace, find_recording
from drivemem.replays.page import labels_of


def first(folder: Path) -> Trace:
    loaded = find_recording(folder)
    return loaded.trace(loaded.episodes[0])


@pytest.fixture(scope="module")
def crossing(
    recorder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Trace, Trace]:
    """One episode of hidden-crossing: a driver who goes and one who waits, one of them wrong."""
    folder = tmp_path_factory.mktemp("crossing")
    goes, waits = (
        first(recorder(folder / by, f"constant:{by}", [0], "hidden-crossing-easy-v0"))
        for by in ("FASTER", "SLOWER")
    )
    return goes, waits


def test_an_episode_is_about_the_car_that_somebody_hits(recording: Path, crossing: object) -> None:
    trace = first(recording)
    hit = contact(trace)
    assert focus([trace]) == (hit,)
    unhurt = Trace(replace(trace.row, outcome="success"), trace.steps, trace.actors)
    assert len(focus([unhurt])) <= 3


def test_the_picture_holds_both_ways_and_the_hidden_truck(crossing: tuple[Trace, Trace]) -> None:
    actors = focus(crossing)
    assert actors == (1,)
    view = box(crossing, actors)
    for trace in crossing:
        ego = trace.actors["id"] == 0
        assert view.left <= trace.actors["x"][ego].min()
        assert view.right >= trace.actors["x"][ego].max()
        truck = trace.actors["id"] == 1
        start = np.flatnonzero(truck)[0]
        assert view.top <= trace.actors["y"][start] <= view.bottom
    assert not view.is_wide  # side by side
    alone = box(crossing, ())
    assert alone.is_wide and alone.bottom - alone.top < 10.0


def test_long_cars_are_trucks(crossing: tuple[Trace, Trace], recording: Path) -> None:
    assert crossing[0].actors["length"].max() > LONG_M
    assert name_of(crossing[0], 1) == "truck 1"
    assert name_of(first(recording), 1) == "car 1"
    assert name_of(crossing[0], 99) == "an obstacle"


def test_captions_say_what_is_in_sight_and_what_is_chosen(crossing: tuple[Trace, Trace]) -> None:
    for trace, label in zip(crossing, ("FASTER", "SLOWER"), strict=True):
        told = captions(trace, (1,), [False] * len(trace.decisions))
        assert len(told) == len(trace.decisions)
        for truth, words in zip(trace.decisions[:-1], told, strict=False):
            row = int(np.flatnonzero(truth["id"] == 1)[0])
            assert words.startswith("sees truck 1") == bool(truth["perceived"][row])
            if not truth["perceived"][row]:
                assert words.startswith(f"truck 1 out of sight for {truth['age_s'][row]:.1f} s")
        assert choice(trace) == (25, label)  # 2 s seen and 3 s hidden, 5 decisions a second
        assert [step for step, words in enumerate(told) if "chooses" in words] == list(
            range(25, min(30, len(told) - 1))
        )
        assert told[-1] == f"{trace.row.outcome}: chose {label}"
        assert [(e.step, e.kind) for e in events_of(trace) if e.kind == "choice"] == [
            (25, "choice")
        ]


def test_the_story_begins_with_the_choice(crossing: tuple[Trace, Trace]) -> None:
    assert {trace.row.outcome for trace in crossing} == {"collision", "success"}
    for trace, label in zip(crossing, ("FASTER", "SLOWER"), strict=True):
        truth = trace.decisions[25]
        assert story(trace).startswith(
            f"Chooses {label} after 5.0 s, truck 1 out of sight for {truth['age_s'][1]:.1f} s. "
        )


def test_every_decision_counts_where_there_is_no_single_choice(recording: Path) -> None:
    trace = first(recording)
    assert choice(trace) is None
    assert not any("chooses" in words for words in captions(trace, (), [False] * 200))


def test_the_sign_is_told_while_it_is_shown_and_afterwards(
    recorder: Callable[..., Path], tmp_path: Path
) -> None:
    trace = first(recorder(tmp_path / "r", "constant:IDLE", [6], "exit-recall-v0"))
    told = captions(trace, (), [False] * len(trace.decisions))
    shown = sum("1" in cue for cue in trace.steps["cue"] if cue is not None)
    assert all(words.startswith("sees the sign, ") for words in told[:shown])
    assert re.fullmatch(r"sign \(exit \d\) gone for 0.2 s", told[shown])
    assert re.fullmatch(r"[a-z ]+ · sign \(exit \d\)", told[-1])
    assert ", the sign (" in story(
        Trace(replace(trace.row, outcome="wrong_route"), trace.steps, trace.actors)
    )


def test_what_a_map_tells_is_no_sign(recorder: Callable[..., Path], tmp_path: Path) -> None:
    trace = first(recorder(tmp_path / "r", "constant:IDLE", [6], "camera-exit"))
    assert not any("sign" in words for words in captions(trace, (), [False] * len(trace.decisions)))


def test_every_sign_that_goes_is_marked(recorder: Callable[..., Path], tmp_path: Path) -> None:
    trace = first(recorder(tmp_path / "r", "constant:IDLE", [6], "changing-limits"))
    told = captions(trace, (), [False] * len(trace.decisions))
    gone = [event.step for event in events_of(trace) if event.kind == "cue"]
    assert len(gone) >= 2  # limits replace each other
    for step in gone:
        assert told[step - 1].startswith("sees the sign, ")
        assert "gone for" in told[step]


def test_agents_are_called_by_their_memory(recording: Path) -> None:
    row = find_recording(recording).episodes[0]
    agent = replace(row, metrics={"train_seed": 0})
    rows = [replace(agent, driver="none"), replace(agent, driver="gru"), row]
    assert labels_of(rows) == ["without memory", "with memory: gru", "constant:FASTER"]
    behind = [replace(rows[0], tracker=name) for name in ("kalman", "perfect_recall")]
    assert labels_of(behind) == [
        "without memory · Kalman filter", "without memory · perfect recall",
    ]  # fmt: skip
    cut = replace(agent, driver="gru", lesion="reset_every:1")
    assert labels_of([rows[1], cut]) == ["with memory: gru", "with memory: gru · reset_every:1"]
