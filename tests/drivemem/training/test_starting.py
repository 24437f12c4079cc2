"""From Python and from the command line training starts from the same settings."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

import drivemem
from drivemem.cli import run_command
from drivemem.config import DistillConfig, TrainConfig
from drivemem.errors import DrivememError
from drivemem.runs import Run
from drivemem.training import train as training

CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("blackout-highway", {"memory": "lstm"}, ["--memory", "lstm"]),
    ("exit-recall", {"memory": "gru", "steps": 1000}, ["--memory", "gru", "--steps", "1e3"]),
    ("exit-recall", {"memory_kwargs": {"hidden_size": 8}}, ["--memory-kwargs", "hidden_size=8"]),
    ("exit-recall", {"memory_kwargs": ["gate_bias=2"]}, ["--memory-kwargs", "gate_bias=2"]),
    ("blackout-highway", {"encoder": "vehicles"}, ["--encoder", "vehicles"]),
    ("blackout-highway", {"sensors": {"range_m": 40}}, ["--sensors.range-m", "40"]),
    ("exit-recall", {"dials": {"exits_count": 5}}, ["--dials", "exits_count=5"]),
    ("exit-recall-hard", {"preset": "none", "seed": 3}, ["--preset", "none", "--seed", "3"]),
    ("exit-recall", {"preset": "own.toml"}, ["--preset", "own.toml"]),
    ("exit-recall", {"preset": "own.toml"}, ["--preset=own.toml"]),
    ("merge-v1", {}, []),
]


@pytest.fixture
def began(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Path, TrainConfig]]:
    """What training was about to begin with."""
    found: list[tuple[Path, TrainConfig]] = []

    def stop(run: Run, config: TrainConfig, *_: object) -> None:
        found.append((run.folder, config))
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.toml").write_text("steps = 7\n[memories.gru]\nmemory_kwargs = {gate_bias = 3}")
    monkeypatch.setattr(training, "_train", stop)
    return found


@pytest.mark.parametrize(("scenario", "settings", "words"), CASES)
def test_the_same_training_begins_from_python_and_from_the_command_line(
    scenario: str, settings: dict[str, Any], words: list[str], began: list[tuple[Path, TrainConfig]]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        drivemem.train(scenario, **settings)
    assert run_command("train", [scenario, *words]) == 1
    python, command = began
    assert python == command
    assert python[1].hash() == command[1].hash()


def test_the_preset_is_used_unless_asked_otherwise(
    began: list[tuple[Path, TrainConfig]], capsys: pytest.CaptureFixture[str]
) -> None:
    for settings in ({}, {"preset": "none"}, {"preset": Path("own.toml"), "quiet": True}):
        with pytest.raises(KeyboardInterrupt):
            drivemem.train("blackout-highway", memory="gru", **settings)
    own, none, file = (config for _, config in began)
    assert (own.critic, own.num_envs, own.memory_kwargs) == (
        "privileged", 64, ("hidden_size=128",),
    )  # fmt: skip
    assert none == TrainConfig(scenario="blackout-highway", memory="gru")
    assert (file.steps, file.memory_kwargs) == (7, ("gate_bias=3",))
    shown = capsys.readouterr().out
    assert shown.count("preset ") == 1 and "(preset='none': without it)" in shown


def test_a_whole_configuration_is_taken_as_it_is(began: list[tuple[Path, TrainConfig]]) -> None:
    config = TrainConfig(scenario="blackout-highway", memory_kwargs={"hidden_size": 8})
    assert config.memory_kwargs == ("hidden_size=8",)
    with pytest.raises(KeyboardInterrupt):
        drivemem.train(config)
    assert began[0][1] == config
    with pytest.raises(DrivememError, match="taken as it is, but steps, preset came beside it"):
        drivemem.train(config, steps=5, preset="none")


@pytest.mark.parametrize(
    ("scenario", "settings", "says"),
    [
        ("exit-recall", {"memry": "gru"}, "did you mean 'memory'"),
        ("exit-recall", {"preset": "nowhere.toml"}, "there is no file 'nowhere.toml'"),
        ("exit-recall", {"memory_kwargs": {"hidden_size": {1}}}, "not JSON serializable"),
        ("exit-recall", {"memory_kwargs": "hidden_size=1"}, "memory_kwargs"),
        ("exit-recall", {"sensors": {"rang_m": 1}}, "rang_m"),
        ("exit-recal", {}, "did you mean 'exit-recall'"),
        (3, {}, "scenario"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    scenario: Any, settings: dict[str, Any], says: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DrivememError, match=says) as refused:
        drivemem.train(scenario, quiet=True, **settings)
    assert "\n" not in str(refused.value)
    assert not any(tmp_path.iterdir())


def test_a_student_begins_the_same_from_python_and_from_the_command_line(
    run: Run, began: list[tuple[Path, TrainConfig]]
) -> None:
    kwargs: dict[str, Any] = {"memory": "elman", "memory_kwargs": {"hidden_size": 8}}
    words = ["--memory", "elman", "--memory-kwargs", "hidden_size=8"]
    for teacher, there in ((str(run.folder), None), ("oracle", "exit-recall")):
        with pytest.raises(KeyboardInterrupt):
            drivemem.distill(teacher, **kwargs, **({"scenario": there} if there else {}))
        at = ["--scenario", there] if there else []
        assert run_command("distill", [teacher, *words, *at]) == 1
        python, command = began[-2:]
        assert python == command
        assert isinstance(python[1], DistillConfig) and python[1].num_envs == 32
    with pytest.raises(DrivememError, match="say with scenario="):
        drivemem.distill("oracle")


def test_help_names_every_setting_once() -> None:
    shown = inspect.signature(drivemem.train).parameters
    assert {"scenario", "preset", *TrainConfig.model_fields} <= set(shown)
    assert (drivemem.train.__doc__ or "").count("memory_kwargs: ") == 1
