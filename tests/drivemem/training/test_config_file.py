"""What a run has written as its configuration is what another starts from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivemem.cli import run_command
from drivemem.runs import Run

SMALL = [
    "exit-recall", "--preset", "none", "--steps", "256", "--num-envs", "4", "--n-steps", "32",
    "--batch-size", "64", "--n-epochs", "1", "--memory", "gru", "--memory-kwargs", "hidden_size=16",
    "--sensors.cue-window-s", "2", "--log", "none",
]  # fmt: skip


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "first"
    assert run_command("train", [*SMALL, "--out", str(folder)]) == 0
    return Run(folder)


def weights(run: Run) -> bytes:
    return (run.model / "model.safetensors").read_bytes()


def test_the_same_run_is_trained_again(first: Run, tmp_path: Path) -> None:
    words = ["--config", str(first.config_file), "--out", str(tmp_path / "again"), "--log", "none"]
    assert run_command("train", words) == 0
    again = Run(tmp_path / "again")
    assert again.config_file.read_bytes() == first.config_file.read_bytes()
    assert weights(again) == weights(first)


def test_what_is_given_wins_and_words_are_added(first: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'scenario = "exit-recall"\nsteps = 256\nnum_envs = 4\nn_steps = 32\nbatch_size = 64\n'
        'memory = "gru"\nmemory_kwargs = ["hidden_size=16"]\n'
    )
    words = ["--config", str(file), "--seed", "3", "--memory-kwargs", "gate_bias=10"]
    assert run_command("train", [*words, "--out", str(tmp_path / "b"), "--log", "none"]) == 0
    config = Run(tmp_path / "b").config()
    assert (config.seed, config.steps, config.scenario) == (3, 256, "exit-recall")
    assert set(config.memory_kwargs) == {"hidden_size=16", "gate_bias=10"}
    assert config.aux_coef == 0.0  # no preset comes in between


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.json", "{", "cannot be read as JSON"),
        ("c.toml", "steps = ", "cannot be read as TOML"),
        ("c.json", "[1]", "holds list: settings are a table"),
        ("c.json", json.dumps({"driver": "idm"}), "is of driver 'idm', not of training"),
        ("c.json", json.dumps({"teacher": "runs/full"}), "use drivemem distill"),
        ("c.json", json.dumps({"scenario": "exit-recall", "stepps": 1}), "did you mean 'steps'"),
        ("missing.json", None, "there is no file"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(
    name: str, text: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    out = tmp_path / "out"
    assert run_command("train", ["--config", str(tmp_path / name), "--out", str(out)]) == 1
    assert said in capsys.readouterr().err and not out.exists()


def test_a_preset_beside_it_is_refused(first: Run, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["exit-recall", "--config", str(first.config_file), "--preset", "none"]
    assert run_command("train", words) == 2
    assert "give one of them" in capsys.readouterr().err
