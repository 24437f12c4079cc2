"""Drawn configurations of training, from Python and the command line."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.campaigns.apart import Ending, apart, run_here
from tests.campaigns.draw_agents import memory_fields
from tests.campaigns.draw_scenes import SCENARIOS, dial_fields
from tests.campaigns.draws import (
    Drawn,
    as_options,
    changes,
    is_huge,
    key_value_words,
    of_model,
    seconds_for,
)

BASE: dict[str, Any] = {
    "scenario": "exit-recall", "memory": "gru", "steps": 1, "num_envs": 2, "n_steps": 8,
    "batch_size": 16, "n_epochs": 1, "num_workers": 1,
}  # fmt: skip


class Built(Exception):
    """Everything is built; training would begin now."""


def training() -> tuple[st.SearchStrategy[Any], Callable[[Any], Ending]]:
    from drivemem import TrainConfig
    from drivemem_agents.memory import memory_names

    special: dict[str, st.SearchStrategy[Any]] = {
        "scenario": st.sampled_from([*SCENARIOS, "exit-recal", "drivemem/exit-recall-v0"]),
        "memory": st.sampled_from([*memory_names(), "gruu"]),
        "memory_kwargs": key_value_words(lambda: memory_fields("gru")),
        "encoder": st.sampled_from(["vector", "vehicles", "grid", "image", "fusion"]),
        "encoder_kwargs": key_value_words(lambda: {"widths": st.just([32]), "width": st.just(8)}),
        "dials": key_value_words(lambda: dial_fields("exit-recall")),
        "device": st.sampled_from(["cpu", "auto"]),
        "compile": st.just(False),  # a C++ compiler at work for a minute
        "start_from": st.just("nowhere"),
        "backend": st.sampled_from(["auto", "compiled", "reference"]),
    }
    places = st.sampled_from(["python", "python", "command line"])
    fields = of_model(TrainConfig, special)
    drawn = st.tuples(places, changes(fields)).map(lambda pair: Drawn(*pair))
    return drawn, _train


def _train(drawn: Drawn) -> Ending:
    settings = {**BASE, **drawn.changed}
    if drawn.where == "command line":
        return _train_by_command(settings)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        return apart(lambda: _build_and_train(settings, out), seconds_for(drawn.changed))


def _build_and_train(settings: dict[str, Any], out: Path) -> Ending | None:
    """Build; where it is small also train, and look at the weights."""
    from stable_baselines3.common.callbacks import BaseCallback

    import drivemem
    from drivemem.config import build_config

    class Stop(BaseCallback):
        def _on_training_start(self) -> None:
            raise Built

        def _on_step(self) -> bool:
            return True

    config = build_config(settings)
    sizes = (config.steps, config.num_envs, config.n_steps, config.n_epochs)
    is_small = all(size <= 64 for size in sizes) and math.prod(sizes[1:]) <= 1024
    try:
        drivemem.train(config, out, quiet=True, callback=None if is_small else Stop())
    except Built:
        return None
    return _unless_finite(out / "model" / "model.safetensors")


def _train_by_command(settings: dict[str, Any]) -> Ending:
    if is_huge(settings):  # there is no callback to stop it with
        return _train(Drawn("python", settings))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        rest = {key: value for key, value in settings.items() if key != "scenario"}
        words = [str(settings["scenario"]), *as_options(rest), "--preset", "none"]

        def work() -> Ending | None:
            ending = run_here("train", *words, "--out", str(out))
            return _unless_finite(out / "model" / "model.safetensors", ending)

        return apart(work, seconds_for(settings))


def _unless_finite(file: Path, ending: Ending | None = None) -> Ending | None:
    from safetensors.numpy import load_file

    if ending is not None and ending.how != "done":
        return ending
    bad = [name for name, value in load_file(file).items() if not np.isfinite(value).all()]
    if bad:
        return Ending("traceback", "finished with weights that are not finite", bad[0])
    return ending
