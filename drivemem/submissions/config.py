"""What a submission is asked for: one frozen model, from Python or the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ConfigDict, field_validator

from drivemem.evaluation.config import Backend
from drivemem.settings import OneLineErrors
from drivemem_agents.settings import Settings


class SubmitConfig(OneLineErrors, Settings):
    """Who submits what; of runs of drivemem, what they were trained for is known."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    agent: str | None = None
    """What tables call the agent: letters, digits and _ . + -."""
    by: str | None = None
    """Who submits it."""
    trained: str = ""
    """How it was trained, in a sentence, such as where the code is."""
    driver: str | None = None
    """In place of runs: module:factory[:ARGUMENT], sb3:ALGORITHM:FILE or onnx:FILE. {seed} in it
    stands for the seed of each training run."""
    scenario: str | None = None
    """With --driver: the scenario whose test suite it drives."""
    seeds: tuple[int, ...] = ()
    """With --driver: the seeds of its training runs; five or more allow claims."""
    steps: int | None = None
    """With --driver: decisions that each run was trained for; 0: it was not trained."""
    trained_on: str | None = None
    """With --driver: the scenario that it was trained on, where that is another."""
    saw: str = ""
    """With --driver: what it was given besides the observation, in training; empty: nothing."""
    episodes: int = 500
    """With --driver: how many episodes of the suite; the benchmark has 500."""
    backend: Backend = "auto"
    """With --driver. auto: compiled where the scenario supports it."""
    num_envs: int | None = None
    """With --driver: worlds driven at once; default: 64 compiled, 16 reference."""
    num_workers: int | None = None
    """With --driver: threads (compiled) or processes (reference); default: the machine's cores."""
    trust: bool = False
    """Load sb3: files, which run code that is stored in them."""
    out: str | None = None
    """The submission's folder; default submissions/<agent>-<scenario>."""

    @field_validator("out", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value
