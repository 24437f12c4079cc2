"""A teacher with a memory of its own, trained for a moment: what it knows does not matter here."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivemem.config import DistillConfig
from drivemem.runs import Run
from drivemem.training.train import train
from tests.drivemem.conftest import small


def lesson(teacher: str | Path, **changes: object) -> DistillConfig:
    """A configuration that learns from a teacher for seconds."""
    plain = small().model_dump() | {"memory_kwargs": ("hidden_size=8",), "check_episodes": 0}
    return DistillConfig(**{**plain, "teacher": str(teacher), **changes})


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A recurrent agent with full sensors; tests must not change it."""
    folder: Path = tmp_path_factory.mktemp("teachers") / "full-s0"
    return train(small(full_sensors=True, steps=256), folder, quiet=True)
