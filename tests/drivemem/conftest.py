"""One small trained run for all tests of the product."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from drivemem.config import TrainConfig
from drivemem.runs import Run
from drivemem.training import train

torch.set_num_threads(1)


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
