"""One small trained run for all tests of the product, and run folders written by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import drivemem_envs
from drivemem.comparison import Comparison
from drivemem.comparison.rows import Row
from drivemem.config import TrainConfig, build_config
from drivemem.episodes import as_json, write_table
from drivemem.evaluation.suites import make_suite
from drivemem.runs import Run, write_json_file
from drivemem.schemas import EPISODE_COLUMNS
from drivemem.training.train import train

torch.set_num_threads(1)

OUTCOMES = {
    "S": "success", "C": "collision", "T": "timeout", "K": "stuck", "W": "wrong_route",
    "O": "off_road",
}  # fmt: skip


def small(**changes: object) -> TrainConfig:
    """A configuration that trains in seconds."""
    settings: dict[str, object] = {
        "scenario": "exit-recall", "memory": "gru", "memory_kwargs": ("hidden_size=16",),
        "steps": 512, "num_envs": 4, "n_steps": 32, "batch_size": 64, "num_workers": 1,
        "checkpoint_every": 2, "seed": 0,
    }  # fmt: skip
    return TrainConfig(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A trained run; tests must not change it."""
    folder: Path = tmp_path_factory.mktemp("runs") / "exit-recall-gru-s0"
    return train(small(), folder, quiet=True)


def writer(place: Path) -> Callable[..., Path]:
    """What writes runs into `place/runs`, each with one evaluation.

    An episode is a letter of `OUTCOMES`. Further columns have one value for all episodes, or
    a list of one for each.
    """

    def run(
        name: str, outcomes: str, *, memory: str = "none", seed: int | None = 0,
        lesion: str = "intact", full: bool = False, stream: str = "test",
        sensors: dict[str, Any] | None = None, scenario: str = "exit-recall",
        settings: dict[str, Any] | None = None, dials: dict[str, Any] | None = None,
        **columns: Any,
    ) -> Path:  # fmt: skip
        folder = place / "runs" / name
        config: dict[str, Any] = {"driver": memory, "scenario": scenario}
        if seed is not None:
            known = {"scenario": scenario, "memory": memory, "seed": seed, "full_sensors": full}
            config = build_config({**known, **(settings or {})}).model_dump(mode="json")
        write_json_file(folder / "config.json", config)
        met = drivemem_envs.scenario(scenario).with_(sensors=sensors, config=dials)
        suite = make_suite(met.twin() if full else met, len(outcomes), stream)  # type: ignore[arg-type]
        rows = [
            {
                "episode": number, "seed": suite.seeds[number], "scenario": met.name,
                "sensors": as_json(suite.scenario.sensors.model_dump(mode="json")),
                "slots": "sorted", "tracker": "none", "backend": "reference",
                "driver": memory, "run": folder.name, "train_seed": seed, "full_sensors": full,
                "lesion": lesion, "deterministic": True, "suite": stream,
                "outcome": OUTCOMES[letter], "success": letter == "S", "collision": letter == "C",
                "return": number + (letter == "S"), "length": 10 + number, "duration_s": 1.0,
                "mean_speed": 10.0 + number, "hard_brakes": 0, "exposure": 0, "digest": "",
                "schema_version": 1,
                **{k: v[number] if isinstance(v, list) else v for k, v in columns.items()},
            }
            for number, letter in enumerate(outcomes)
        ]  # fmt: skip
        evaluated = folder / "evaluations" / f"{stream}-{lesion.replace(':', '-')}"
        write_table(evaluated / "episodes.parquet", EPISODE_COLUMNS, rows)
        suite.save(evaluated / "suite.json")
        return folder

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes runs for one test, as `writer` does."""
    return writer(tmp_path)


@pytest.fixture
def study(write: Callable[..., Path], tmp_path: Path) -> Path:
    """Two runs each of a memoryless, a recurrent and a full-sensor agent, lesions, a driver."""
    write("none-s0", "SSCCTTCCCC", seed=0)
    write("none-s1", "SSSSTCCCCO", seed=1)
    write("none-full-s0", "SSSSSSSSSC", full=True, seed=0)
    write("none-full-s1", "SSSSSSSSSS", full=True, seed=1)
    write("gru-s0", "SSSSSSSCCT", memory="gru", seed=0)
    write("gru-s0", "SCCCSSSCCT", memory="gru", seed=0, lesion="reset_every:1")
    write("gru-s1", "SSSSSSSSCK", memory="gru", seed=1)
    write("gru-s1", "SSCCSSSCCT", memory="gru", seed=1, lesion="reset_every:1")
    write("idle", "SCCCCCCWTT", memory="constant:IDLE", seed=None)
    return tmp_path / "runs"


def row(comparison: Comparison, label: str) -> Row:
    """The row of a comparison with a label."""
    return next(row for table in comparison.tables for row in table.rows if row.label == label)
