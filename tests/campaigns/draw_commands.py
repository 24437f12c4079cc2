"""Drawn study files, presets and options of evaluations: commands read them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.campaigns.apart import Ending, command
from tests.campaigns.draw_scenes import SCENARIOS, dial_fields
from tests.campaigns.draw_training import BASE
from tests.campaigns.draws import (
    STRANGE_BYTES,
    WRONG,
    as_options,
    changes,
    key_value_words,
    of_model,
    toml,
)

SECONDS = 30.0


def studies() -> tuple[st.SearchStrategy[Any], Callable[[Any], Ending]]:
    numbers = st.integers(1, 4)
    anything = st.sampled_from(WRONG)
    settings: dict[str, st.SearchStrategy[Any]] = {
        "memory": st.sampled_from(["none", "gru", "gruu"]), "steps": numbers, "num_envs": numbers,
        "memory_kwargs": st.sampled_from([{"hidden_size": 8}, ["hidden_size=8"]]),
        "sensors": st.sampled_from([{"range_m": 20.0}]), "dials": st.just({"exits_count": 3}),
    }  # fmt: skip
    scenario = {
        **settings, "scenario": st.just("exit-recall"), "level": st.just("easy"), "seeds": numbers,
        "preset": st.just(False),
    }  # fmt: skip
    agent = {
        **settings, "match_parameters": st.just(3000), "lesions": st.just(["reset_every:1"]),
        "scenarios": st.just(["exit-recall"]), "match_width": st.just("hidden_size"),
    }  # fmt: skip
    evaluation = {
        "episodes": numbers, "suites": st.just(["test"]), "actions": st.just(["sampled"]),
        "lesions": st.just(["span:1,2"]), "drivers": st.just(["idm", "constant:*"]),
        "record": numbers, "probe": numbers,
    }  # fmt: skip
    resources = {name: numbers for name in ("cpus", "gpus", "memory_gb", "retries")}
    top: dict[str, st.SearchStrategy[Any]] = {
        "claims": st.just("a"), "baseline": st.just("memory=none"), "seeds": numbers,
        "order": st.just(["seed", "agent", "scenario"]), "match_parameters": st.just(3000),
        "train": changes(settings), "evaluation": changes(evaluation),
        "resources": changes(resources), "scenarios.exit-recall": changes(scenario),
        "agents.gru": changes(agent), "overrides": st.lists(changes(agent), max_size=2),
        "scenarios": anything, "agents": anything,
    }  # fmt: skip
    return changes(top), _plan


def _plan(changed: dict[str, Any]) -> Ending:
    """Plan the study as `--dry-run` does."""
    tables: dict[str, Any] = {
        "seeds": [0], "train": {"steps": 64}, "scenarios": {"exit-recall": {"preset": False}},
        "agents": {"gru": {"memory": "gru"}},
    }  # fmt: skip
    for key, value in changed.items():
        table, _, name = key.partition(".")
        if name and isinstance(tables.get(table), dict) and name in tables[table]:
            tables[table] = {name: value}
        else:
            tables[key] = value
    text = "\n".join(f'"{key}" = {toml(value)}' for key, value in tables.items())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "drawn.toml"
        file.write_text(text, encoding="utf-8", errors="surrogateescape")
        return command("study", str(file), "--out", f"{folder}/out", "--dry-run", seconds=SECONDS)


def presets() -> tuple[st.SearchStrategy[Any], Callable[[Any], Ending]]:
    from drivemem import TrainConfig

    fields = {**of_model(TrainConfig), "same_as": st.just("exit-recall")}
    fields["memories.gru"] = fields["levels.easy"] = changes(of_model(TrainConfig), most=2)

    def meet(changed: dict[str, Any]) -> Ending:
        text = "\n".join(f"{key} = {toml(value)}" for key, value in changed.items())
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "drawn.toml"
            file.write_text(text, encoding="utf-8", errors="surrogateescape")
            base = as_options({key: value for key, value in BASE.items() if key != "scenario"})
            words = [*base, "--preset", str(file), "--out", f"{folder}/run"]
            return command("train", "exit-recall", *words, seconds=SECONDS)

    return changes(fields), meet


@cache
def _trained() -> tuple[tempfile.TemporaryDirectory[str], Path]:
    import drivemem
    from drivemem.config import build_config

    folder = tempfile.TemporaryDirectory()
    run_ = drivemem.train(build_config(BASE), Path(folder.name) / "run", quiet=True)
    return folder, run_.folder


def evaluations() -> tuple[st.SearchStrategy[Any], Callable[[Any], Ending]]:
    from drivemem_envs import Sensors

    words = ["test", "eval", "train", "nowhere.json", "span:1,2", "noise:0.1", "reset_every:0"]
    fields: dict[str, st.SearchStrategy[Any]] = {
        "scenario": st.sampled_from([*SCENARIOS, "exit-recal"]), "episodes": st.integers(1, 3),
        "suite": st.sampled_from(words), "lesion": st.sampled_from([*words, "swap", "span:a"]),
        "sampled": st.booleans(), "record": st.sampled_from(["1", "all", "failures", "-1"]),
        "backend": st.sampled_from(["auto", "compiled", "reference"]),
        "num_envs": st.integers(1, 3), "full_sensors": st.booleans(),
        "dials": key_value_words(lambda: dial_fields("exit-recall")), "again": st.booleans(),
        "sensors": changes(of_model(Sensors), most=2),
    }  # fmt: skip
    return changes(fields), _evaluate


def _evaluate(changed: dict[str, Any]) -> Ending:
    import shutil

    settings = {"episodes": 2, "num_envs": 2, "num_workers": 1, **changed}
    _, run_ = _trained()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "run"
        shutil.copytree(run_, copy)
        words = as_options(settings)
        if changed.get("sampled") and not isinstance(changed["sampled"], bool):
            words.append(STRANGE_BYTES)
        return command("evaluate", str(copy), *words, seconds=SECONDS)
