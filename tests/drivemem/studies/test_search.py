"""Searches propose the same trials after an interruption, and leave a preset."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import drivemem
from drivemem.commands.tune import run as tune
from drivemem.errors import DrivememError
from drivemem.studies.spec import study_from
from drivemem.training.presets import read_preset

optuna = pytest.importorskip("optuna", reason="the extra `tune` is not installed")

WORDS = [
    "exit-recall", "--memories", "gru", "--steps", "1024", "--episodes", "4", "--fixed",
    "num_envs=4", "batch_size=64", "aux_coef=0", "checkpoint_every=2",
]  # fmt: skip


def trials(out: Path) -> dict[str, list[dict[str, Any]]]:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(out / "journal.log")))
    return {
        name: [
            {"params": trial.params, "value": trial.value, "curve": trial.intermediate_values}
            for trial in optuna.load_study(study_name=name, storage=storage).trials
            if trial.state.is_finished() and trial.state != optuna.trial.TrialState.FAIL
        ]
        for name in ("gru",)
    }


def test_an_interrupted_search_goes_on_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    assert tune([*WORDS, "--trials", "2", "--out", str(whole)]) == 0
    broken = tmp_path / "broken"
    import drivemem.training.train as training

    original, calls = training.train, []

    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            keywords["callback"]._run.folder.mkdir(parents=True)
            raise KeyboardInterrupt
        return original(*arguments, **keywords)

    monkeypatch.setattr(training, "train", interrupted)
    assert tune([*WORDS, "--trials", "2", "--out", str(broken)]) == 1
    assert tune([*WORDS, "--trials", "2", "--out", str(broken)]) == 0
    assert trials(broken) == trials(whole)
    assert {name: len(of) for name, of in trials(whole).items()} == {"gru": 2}
    preset = whole / "exit-recall.toml"
    assert "Optuna, TPE sampler (multivariate), seed 0" in preset.read_text()
    assert "drivemem tune exit-recall --memories gru" in preset.read_text()
    settings = read_preset(preset).of("gru")
    config = json.loads((whole / "gru" / "trial-0" / "config.json").read_text())
    other = json.loads((whole / "gru" / "trial-1" / "config.json").read_text())
    assert settings["learning_rate"] in (config["learning_rate"], other["learning_rate"])
    fixed = {"num_envs": 4, "batch_size": 64, "aux_coef": 0, "checkpoint_every": 2}
    budget: dict[str, Any] = {"trials": 2, "steps": 1024, "episodes": 4}
    places = {"out": whole, "preset": tmp_path / "p.toml"}
    again = drivemem.tune("exit-recall", memories=["gru"], fixed=fixed, **places, **budget)
    assert read_preset(again.preset) == replace(read_preset(preset), name=again.preset.as_posix())
    with pytest.raises(DrivememError, match="holds another search"):
        tune([*WORDS, "--trials", "2", "--seed", "1", "--out", str(whole)])


def _mean(episodes: Path, column: str) -> float:
    (row,) = duckdb.sql(f"SELECT avg({column}::DOUBLE) FROM '{episodes}'").fetchall()
    return float(row[0])


def test_several_scenarios_are_searched_together(tmp_path: Path) -> None:
    names = ["limit-recall", "glare-highway"]
    words = [*names, "--memories", "gru", "--steps", "1024", "--episodes", "9", "--trials", "2"]
    fixed = ["--fixed", "num_envs=4", "batch_size=64", "aux_coef=0", "checkpoint_every=2"]
    assert tune([*words, *fixed, "--out", str(tmp_path)]) == 0
    first = trials(tmp_path)["gru"][0]
    runs = [tmp_path / "gru" / "trial-0" / name for name in names]
    configs = [json.loads((run / "config.json").read_text()) for run in runs]
    for setting in ("learning_rate", "ent_coef", "n_steps", "n_epochs", "gae_lambda"):
        assert configs[0][setting] == configs[1][setting]
    assert configs[0]["gamma"] != configs[1]["gamma"]  # what is not searched is each preset's
    means = []
    for run, column in zip(runs, ("success", "on_time"), strict=True):
        (episodes,) = run.glob("evaluations/eval-intact/episodes.parquet")
        means.append(_mean(episodes, column))
    assert first["value"] == pytest.approx(np.mean(means)) and means[0] > 0.0
    agents = tomllib.loads((tmp_path / "agents.toml").read_text())["agents"]
    best = max(trials(tmp_path)["gru"], key=lambda trial: trial["value"])
    assert agents["gru"]["memory"] == "gru" and "batch_size" not in agents["gru"]
    assert f"gate_bias={best['params']['gate_bias']}" in agents["gru"]["memory_kwargs"]
    study = {
        "name": "s",
        "seeds": 1,
        "scenarios": {"s": {"scenario": "exit-recall"}},
        "agents": agents,
    }
    assert study_from(study, "s").agents["gru"]


def test_a_scenario_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DrivememError, match="name each once"):
        tune(["exit-recall", "exit-recall", "--trials", "1", "--out", str(tmp_path / "search")])


def test_a_search_that_cannot_begin_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(DrivememError, match="did you mean 'exit-recall'"):
        tune(["exit-recal", "--trials", "1", "--out", str(tmp_path / "search")])
    assert not any(tmp_path.iterdir())
