"""Finished results stay until a larger one, or a user's wish, takes their place."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from drivemem.cli import run_command
from drivemem.episodes import read_table
from drivemem.errors import DrivememError
from drivemem.evaluation.evaluate import evaluate
from drivemem.evaluation.results import Evaluation
from drivemem.evaluation.watching import record_to_watch, watch
from drivemem.runs import Run
from drivemem.schemas import EPISODE_COLUMNS

SMALL: dict[str, Any] = {"num_envs": 4, "num_workers": 1, "quiet": True}


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Run:
    """The trained run, to be changed at will."""
    shutil.copytree(run.folder, tmp_path / run.name)
    return Run(tmp_path / run.name)


def drive(home: Run, episodes: int, **settings: Any) -> Evaluation:
    (done,) = evaluate(home.folder, episodes=episodes, **{**SMALL, **settings})
    return done


def results(home: Run) -> dict[str, bytes]:
    """Every finished result by its path, less what was only watched."""
    files = [*home.folder.glob("evaluations/*/*"), *home.folder.glob("recordings/*-intact/*")]
    return {str(file): file.read_bytes() for file in files}


def test_a_smaller_evaluation_is_refused_unless_asked_for(copy: Run) -> None:
    first = drive(copy, 6)
    before = results(copy)
    with pytest.raises(DrivememError, match=r"holds 2 finished episodes that these 4 .* --again"):
        drive(copy, 4)
    assert results(copy) == before
    assert len(drive(copy, 8).rows) == 8, "a larger one holds all that was there"
    assert len(drive(copy, 4, again=True).rows) == 4
    assert len(read_table(first.folder / "episodes.parquet", EPISODE_COLUMNS)) == 4


def test_recording_a_few_keeps_a_larger_evaluation(
    copy: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    drive(copy, 6)
    before = results(copy)
    command = [str(copy.folder), "--episodes", "3", "--record", "3", "--num-workers", "1"]
    assert run_command("evaluate", command) == 0
    assert "kept: it holds more; only the recording is new" in capsys.readouterr().out
    after = results(copy)
    assert {path: after[path] for path in before} == before
    with pytest.raises(DrivememError, match=r"1 finished episode that these 2 .* larger --record"):
        drive(copy, 6, record="2")
    assert results(copy) == after


def test_watching_changes_no_results(copy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    drive(copy, 4, record="all")
    before = results(copy)
    seen = record_to_watch(copy.folder, episodes=2, num_envs=2, num_workers=1)
    assert not seen.stored and seen.recording is not None
    assert len(watch(copy.folder, episodes=1, offscreen=True).rows) == 1
    assert results(copy) == before


def test_what_a_user_keeps_beside_an_agent_is_no_part_of_it(copy: Run) -> None:
    drive(copy, 4)
    finished = results(copy)
    (copy.model / "mine").mkdir()
    (copy.model / "mine" / "notes.txt").write_text("years of work")
    (copy.model / "thesis.txt").write_text("more of it")
    drive(copy, 4)
    assert results(copy) == finished, "nothing was driven again"
