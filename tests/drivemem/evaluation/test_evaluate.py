"""Evaluation: interrupted and resumed, kept when finished, recorded as asked; suites published."""

from __future__ import annotations

import inspect
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drivemem.evaluation
import drivemem_envs
from drivemem.episodes import read_table
from drivemem.errors import DrivememError
from drivemem.evaluation.config import EvaluateConfig, evaluate_config
from drivemem.evaluation.episode_log import EpisodeLog
from drivemem.evaluation.evaluate import evaluate
from drivemem.evaluation.rollout import Moment
from drivemem.evaluation.suites import load_suite, make_suite
from drivemem.replays.load import find_recording
from drivemem.replays.verify import verify
from drivemem.runs import Run, read_json, write_json_file
from drivemem.schemas import ACTOR_COLUMNS, EPISODE_COLUMNS, STEP_COLUMNS
from drivemem.training.train import train
from tests.drivemem.conftest import small

Rows = list[dict[str, Any]]


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Run:
    """The trained run, to be changed at will."""
    shutil.copytree(run.folder, tmp_path / run.name)
    return Run(tmp_path / run.name)


def drive(home: Run, **options: Any) -> drivemem.evaluation.results.Evaluation:
    settings = {"episodes": 12, "num_envs": 4, "num_workers": 1, "quiet": True, **options}
    (done,) = evaluate(home.folder, **settings)
    return done


def interrupt_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Press Ctrl-C after some decisions."""
    count, stepped = [0], EpisodeLog.stepped

    def counted(self: EpisodeLog, *arguments: Any) -> None:
        stepped(self, *arguments)
        count[0] += 1
        if count[0] == steps:
            raise KeyboardInterrupt

    monkeypatch.setattr(EpisodeLog, "stepped", counted)


@pytest.mark.parametrize("lesion", ["intact", "reset_every:3", "span:4"])
def test_interrupted_and_resumed_equals_uninterrupted(
    copy: Run, monkeypatch: pytest.MonkeyPatch, lesion: str
) -> None:
    whole = drive(copy, lesion=lesion).rows
    shutil.rmtree(copy.folder / "evaluations")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 60)
        with pytest.raises(KeyboardInterrupt):
            drive(copy, lesion=lesion)
    folder = next((copy.folder / "evaluations").glob("*"))
    partial = read_table(folder / "partial.parquet", EPISODE_COLUMNS)
    assert 0 < len(partial) < 12 and not (folder / "episodes.parquet").exists()
    driven: list[int] = []
    with monkeypatch.context() as patch:
        close = EpisodeLog._close

        def counted(self: EpisodeLog, world: int, moment: Moment, info: dict[str, Any]) -> None:
            driven.append(world)
            close(self, world, moment, info)

        patch.setattr(EpisodeLog, "_close", counted)
        resumed = drive(copy, lesion=lesion).rows
    assert len(driven) == 12 - len(partial)
    np.testing.assert_equal(resumed, whole)
    assert not (folder / "partial.parquet").exists()


def test_what_draws_random_numbers_begins_again(copy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drive(copy, lesion="noise:0.5").rows
    shutil.rmtree(copy.folder / "evaluations")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 60)
        with pytest.raises(KeyboardInterrupt):
            drive(copy, lesion="noise:0.5")
    assert not list(copy.folder.glob("evaluations/*/partial.parquet"))
    np.testing.assert_equal(drive(copy, lesion="noise:0.5").rows, whole)


def test_a_finished_evaluation_is_kept(copy: Run) -> None:
    first = drive(copy)
    second = drive(copy)
    assert not first.reused and second.reused
    np.testing.assert_equal(second.rows, first.rows)
    assert not drive(copy, again=True).reused
    assert not drive(copy, episodes=13).reused, "another suite"
    assert not drive(copy, sampled=True).reused, "another driver"


def test_another_agent_in_the_same_folder_is_driven(copy: Run, tmp_path: Path) -> None:
    drive(copy)
    other = train(small(seed=5, steps=256), tmp_path / "other", quiet=True)
    shutil.rmtree(copy.model)
    shutil.copytree(other.model, copy.model)
    assert not drive(copy).reused


def test_a_damaged_evaluation_is_driven_again(copy: Run) -> None:
    first = drive(copy)
    (first.folder / "episodes.parquet").write_bytes(b"torn")
    assert not drive(copy).reused


def test_what_was_recorded_can_be_simulated_again(copy: Run) -> None:
    done = drive(copy, record="all", episodes=5)
    assert done.recording is not None
    recording = find_recording(done.recording)
    assert [row.episode for row in recording.episodes] == [0, 1, 2, 3, 4]
    for row, driven in zip(recording.episodes, done.rows, strict=True):
        trace = recording.trace(row)
        assert row.digest == driven["digest"] != ""
        assert verify(trace, row.backend).identical
        assert len(trace.decisions) == row.length + 1 == len(trace.steps["step"])
        assert len(trace.actions) == row.length
        assert float(np.nansum(trace.steps["reward"])) == pytest.approx(driven["return"])


def test_steps_hold_what_was_decided_in_each_state(copy: Run) -> None:
    done = drive(copy, record="3", episodes=6)
    assert done.recording is not None
    steps = read_table(done.recording / "steps.parquet", STEP_COLUMNS)
    assert {row["episode"] for row in steps} == {0, 1, 2}
    for number in range(3):
        rows = [row for row in steps if row["episode"] == number]
        assert [row["step"] for row in rows] == list(range(len(rows)))
        assert rows[-1]["action"] is None and rows[-1]["probs"] is None
        for row in rows[:-1]:
            assert int(row["action"]) == int(np.argmax(row["probs"])), "deterministic"
            assert row["t_s"] == pytest.approx(0.2 * row["step"])
            assert "right_exit_reward" in json.loads(row["rewards"])
        assert any(json.loads(rows[0]["cue"])) and not any(json.loads(rows[-2]["cue"]))
    actors = read_table(done.recording / "actors.parquet", ACTOR_COLUMNS)
    first = [row for row in actors if row["episode"] == 0 and row["step"] == 0]
    assert first[0]["id"] == 0 and first[0]["x"] == steps[0]["ego_x"]


def test_recording_leaves_the_results_as_they_are(copy: Run) -> None:
    plain = drive(copy).rows
    recorded = drive(copy, record="all").rows
    for row in recorded:
        row["digest"] = ""
    np.testing.assert_equal(recorded, plain)


def test_attention_is_recorded_over_the_frames_of_the_episode(tmp_path: Path) -> None:
    config = small(memory="attention", memory_kwargs=("window=8",), steps=128)
    home = train(config, tmp_path / "attention", quiet=True)
    done = drive(home, record="2", episodes=4)
    assert done.recording is not None
    steps = read_table(done.recording / "steps.parquet", STEP_COLUMNS)
    for row in steps:
        if row["action"] is not None:
            assert len(row["attention"]) == min(row["step"] + 1, 8)
            assert sum(row["attention"]) == pytest.approx(1.0, abs=1e-5)


def test_failures_and_disagreements_are_recorded_alone(copy: Run, tmp_path: Path) -> None:
    rows = drive(copy, record="failures").rows
    failed = {row["episode"] for row in rows if not row["success"]}
    (recording,) = (copy.folder / "recordings").glob("*")
    assert 0 < len(failed) < 12, "the fixture must have both"
    assert {row.episode for row in find_recording(recording).episodes} == failed
    (other,) = evaluate(
        driver="constant:LANE_LEFT", scenario="exit-recall", episodes=12, num_envs=4, num_workers=1,
        out=tmp_path / "left", quiet=True,
    )  # fmt: skip
    done = drive(copy, record=f"disagreements:{tmp_path / 'left'}")
    differing = {
        mine["episode"]
        for mine, theirs in zip(rows, other.rows, strict=True)
        if mine["success"] != theirs["success"]
    }
    assert differing and done.recording is not None
    assert {row.episode for row in find_recording(done.recording).episodes} == differing


def test_bad_wishes_to_record_are_refused_before_driving(copy: Run, tmp_path: Path) -> None:
    with pytest.raises(DrivememError, match="'failures' or 'disagreements:RUN'"):
        drive(copy, record="some")
    with pytest.raises(DrivememError, match=r"record is '-4'.*at least 0"):
        drive(copy, record="-4")
    with pytest.raises(DrivememError, match="num_envs is 0"):
        drive(copy, num_envs=0)
    with pytest.raises(DrivememError, match="num_workers is 0"):
        drive(copy, num_workers=0)
    with pytest.raises(DrivememError, match="is no run"):
        drive(copy, record=f"disagreements:{tmp_path / 'nowhere'}")
    with pytest.raises(DrivememError, match="has not driven these 12 episodes"):
        drive(copy, record=f"disagreements:{copy.folder}")


def test_a_published_suite_is_met_and_a_changed_one_refused(copy: Run, tmp_path: Path) -> None:
    done = drive(copy)
    published = tmp_path / "published.json"
    shutil.copy(done.folder / "suite.json", published)
    np.testing.assert_equal(drive(copy, suite=published, again=True).rows, done.rows)
    stored = read_json(published)
    for change in ({"seeds": stored["seeds"][::-1]}, {"config": {"exits_count": 4}}):
        write_json_file(published, {**stored, **change})
        with pytest.raises(DrivememError, match="another version"):
            drive(copy, suite=published)
    with pytest.raises(DrivememError, match="is missing"):
        drive(copy, suite=tmp_path / "nowhere.json")
    with pytest.raises(DrivememError, match="unknown suite"):
        drive(copy, suite="final")


@pytest.mark.parametrize("name", ["../../escaped", "..", "a/b", "", ".hidden", 3, "x" * 101])
def test_a_suite_whose_name_is_a_path_is_refused(tmp_path: Path, name: object) -> None:
    path = tmp_path / "suite.json"
    make_suite(drivemem_envs.scenario("exit-recall"), 2).save(path)
    write_json_file(path, {**read_json(path), "name": name})
    with pytest.raises(DrivememError, match=f"{re.escape(repr(name))}( is no name|, not text)"):
        load_suite(path)


@pytest.mark.parametrize("scenario", ["racetrack-v0", "occluded-intersection"])
def test_a_scenario_of_another_shape_is_refused(copy: Run, scenario: str) -> None:
    with pytest.raises(DrivememError, match=r"this agent does not fit .* of shape") as error:
        drive(copy, scenario=scenario, episodes=2)
    assert "\n" not in str(error.value)
    assert not list(copy.folder.glob("evaluations/*"))


def test_a_run_without_an_agent_says_how_to_get_one(copy: Run) -> None:
    """Going on needs a checkpoint, which runs restored from a study's results lack."""
    shutil.rmtree(copy.model)
    assert copy.latest_checkpoint() is not None
    with pytest.raises(DrivememError, match="and --resume"):
        drive(copy)
    shutil.rmtree(copy.checkpoints)
    with pytest.raises(DrivememError, match=r"restored .* come without weights.*another --out"):
        drive(copy)


def test_an_unknown_setting_is_refused_with_the_nearest(run: Run) -> None:
    with pytest.raises(DrivememError, match="unknown setting 'epsiodes'; did you mean 'episodes'"):
        evaluate(run.folder, epsiodes=3)
    with pytest.raises(DrivememError, match="setting 'backend': 'gpu' is not one of"):
        evaluate(run.folder, backend="gpu")


def test_settings_from_python_mean_what_they_mean_on_the_command_line(tmp_path: Path) -> None:
    config = evaluate_config(record=3, suite=tmp_path / "suite.json", dials=["exits_count=5"])
    assert (config.record, config.suite) == ("3", str(tmp_path / "suite.json"))
    assert config.dials == ("exits_count=5",)
    scenario = drivemem_envs.scenario("exit-recall")
    assert evaluate_config(sensors=None).changed(scenario) == scenario
    near = evaluate_config(sensors={"range_m": 20}).changed(scenario)
    assert near.sensors.range_m == 20
    assert evaluate_config(sensors={"range_m": None}).changed(near).sensors.range_m is None


def test_evaluate_shows_its_settings() -> None:
    shown = inspect.signature(evaluate).parameters
    assert list(shown) == ["run", "quiet", *EvaluateConfig.model_fields]
    assert shown["episodes"].default == EvaluateConfig().episodes
