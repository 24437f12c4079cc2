"""Watching and driving by hand, drawn without a window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drivemem
import drivemem_envs
from drivemem.cli import run_command
from drivemem.comparison import compare_runs
from drivemem.errors import DrivememError
from drivemem.evaluation.evaluate import evaluate
from drivemem.evaluation.watching import Hands, Window, cue_words, has_display, watch
from drivemem.replays.load import find_recording
from drivemem.replays.verify import verify
from drivemem.runs import Run


@pytest.fixture(autouse=True)
def no_dummy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)


def press(monkeypatch: pytest.MonkeyPatch, keys: list[str]) -> None:
    """Hold a key at each decision; no more keys: close the window."""
    left = list(keys)

    def held(self: Window) -> list[str]:
        if not left:
            raise KeyboardInterrupt
        key = left.pop(0)
        return [key] if key else []

    monkeypatch.setattr(Window, "held", held)


def test_watching_a_run_drives_as_its_evaluation_does(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[int] = []
    capture = Window._capture_frame
    monkeypatch.setattr(Window, "_capture_frame", lambda self: (shown.append(1), capture(self))[1])
    done = watch(run.folder, episodes=2, offscreen=True)
    (plain,) = evaluate(run.folder, episodes=2, num_envs=1, num_workers=1, quiet=True, again=True)
    assert [row["outcome"] for row in done.rows] == [row["outcome"] for row in plain.rows]
    decisions = sum(row["length"] for row in done.rows)
    assert len(shown) >= decisions, "a picture for every decision at least"


def test_a_person_drives_and_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "runs" / "me"
    press(monkeypatch, ["up"] * 200)
    done = watch(driver="manual", scenario="exit-recall", episodes=3, out=out, offscreen=True)
    assert done.identity.driver == "manual" and len(done.rows) == 3
    assert done.recording is not None
    recording = find_recording(done.recording)
    for row in recording.episodes:
        trace = recording.trace(row)
        assert set(trace.actions) == {0}, "up is LANE_LEFT"
        assert verify(trace, "reference").identical
    table = compare_runs([tmp_path / "runs"]).tables[0]
    assert [row.label for row in table.rows] == ["manual"]


def test_closing_the_window_keeps_what_was_driven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    press(monkeypatch, ["left"] * 50)
    done = watch(
        driver="manual", scenario="exit-recall", episodes=9, out=tmp_path / "me", offscreen=True
    )
    assert 0 < len(done.rows) < 9
    assert len(done.suite.seeds) == len(done.rows)
    press(monkeypatch, ["left"])
    with pytest.raises(DrivememError, match="no episode had ended"):
        watch(driver="manual", scenario="exit-recall", out=tmp_path / "you", offscreen=True)


def test_what_was_driven_by_hand_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    press(monkeypatch, ["up"] * 200)
    me: Any = {"driver": "manual", "scenario": "exit-recall", "out": tmp_path, "offscreen": True}
    watch(**me, episodes=1)
    with pytest.raises(DrivememError, match="driven by hand before: choose another --out"):
        watch(**me, episodes=2)


def test_keys_mean_what_there_is_to_choose() -> None:
    lanes = Hands(drivemem_envs.scenario("exit-recall"))
    assert [lanes.action([key]) for key in ("up", "down", "left", "right")] == [0, 2, 0, 2]
    assert lanes.action() == 1
    lanes.press("up")
    lanes.press("down")
    lanes.press("x")
    assert lanes.action(["up"]) == 2, "the newest press counts, before what is held"
    assert lanes.action() == 1, "once"
    speeds = Hands(drivemem_envs.scenario("occluded-intersection"))
    assert speeds.labels[speeds.action(["up"])] == "FASTER"
    assert speeds.labels[speeds.action(["left"])] == "SLOWER"


def test_by_hand_only_what_the_ego_sees_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers: list[Any] = []
    monkeypatch.setattr(Window, "show", lambda self: layers.append(self._world.viewer.layers))
    press(monkeypatch, ["up"] * 40)
    watch(driver="manual", scenario="exit-recall", episodes=1, out=tmp_path / "m", offscreen=True)
    assert set(layers) == {frozenset({"sees"})}


def test_a_person_sees_the_sign_while_it_is_shown_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boards: list[bool] = []
    capture = Window._capture_frame

    def look(self: Window) -> None:
        capture(self)
        corner = self._world.viewer.get_image()[13:30, 13:60].reshape(-1, 3)
        boards.append(bool((corner == (0, 90, 50)).all(axis=1).any()))

    monkeypatch.setattr(Window, "_capture_frame", look)
    press(monkeypatch, ["up"] * 40)
    watch(driver="manual", scenario="exit-recall", episodes=1, out=tmp_path / "m", offscreen=True)
    assert boards[0] and not boards[-1]
    assert boards == sorted(boards, reverse=True), "once gone it does not come back"


def test_cues_in_words() -> None:
    assert cue_words(np.array([0.0, 1.0, 0.0])) == " sign: 2 of 3 "
    assert cue_words(np.array([0.25, 0.5])) == " sign: 0.25, 0.5 "
    assert cue_words(np.zeros(3)) == "" and cue_words(None) == ""
    world = drivemem_envs.make("exit-recall").unwrapped
    world.reset(seed=0)
    assert cue_words(np.array([0.0, 1.0, 0.0]), world.cue_meaning()) == " sign: exit 2 "
    world.close()


def test_without_a_display_a_page_is_written(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if has_display():
        pytest.skip("this system always has a display")
    assert run_command("watch", [str(run.folder), "--episodes", "2"]) == 0
    out = capsys.readouterr().out
    assert "no display" in out and "replay.html" in out
    done = drivemem.watch(run.folder, episodes=2)
    assert done.page is not None and done.page.is_file() and len(done.evaluation.rows) == 2
    with pytest.raises(DrivememError, match="give a run, or a driver"):
        drivemem.watch()
    with pytest.raises(DrivememError, match="no display"):
        watch(driver="manual", scenario="exit-recall")


def test_what_makes_no_sense_is_said(run: Run) -> None:
    with pytest.raises(DrivememError, match="unknown layer 'mirrors'"):
        watch(run.folder, layers=("mirrors",), offscreen=True)
    with pytest.raises(DrivememError, match="speed is 0"):
        watch(run.folder, speed=0, offscreen=True)
    with pytest.raises(DrivememError, match="drivemem watch --driver manual"):
        evaluate(driver="manual", scenario="exit-recall")
    assert run_command("watch", []) == 2
