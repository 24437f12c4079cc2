"""What a submission says of itself: who made it, how it was trained, what it saw, what it met."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from drivemem.settings import check_name
from drivemem_agents.settings import Settings
from drivemem_envs.sensing.spec import Tracker

FORMAT = "drivemem-submission"
_LONGEST = 300
_MARKS = "<>|`"
"""What tables and pages in Markdown would read as more than text."""


def _plain(text: str) -> str:
    """Text that is shown beside others' in one line.

    Raises:
        ValueError: it is longer than that, or holds what is not printed, or marks.
    """
    if len(text) > _LONGEST or not text.isprintable() or set(text) & set(_MARKS):
        raise ValueError(
            f"{text!r:.60} is no text of one line: give up to {_LONGEST} characters, none of "
            f"{' '.join(_MARKS)}"
        )
    return text


Name = Annotated[str, AfterValidator(check_name), Field(max_length=60)]
Text = Annotated[str, AfterValidator(_plain)]
Seed = Annotated[int, Field(ge=0)]


class Manifest(Settings):
    """What `submission.json` holds beside its format and checksums."""

    agent: Name
    """What tables call it; every training run of it has a seed of its own."""
    by: Text
    """Who submits it."""
    trained: Text
    """How it was trained, in a sentence."""
    steps: int = Field(ge=0)
    """Decisions that each run was trained for."""
    trained_on: Name
    """The scenario that it was trained on."""
    saw: Text
    """What it was given besides the observation, in training; empty: nothing."""
    seeds: tuple[Seed, ...] = Field(min_length=1)
    """Of the training runs, in order."""
    parameters: int | None
    """Trained numbers of one run, where that is known."""
    interface: Text
    """What drove: run, factory, sb3 or onnx."""
    tracker: Tracker
    """What fills the rows of hidden actors."""
    backend: Text
    """Which made the episodes: compiled or reference."""
    versions: dict[str, str | None]
    """Of the packages that made the episodes."""
    suite: dict[str, Any]
    """The episodes, as in `suite.json`."""

    def run_name(self, seed: int) -> str:
        """What tables call the training run of a seed."""
        return f"{self.agent}-s{seed}"

    def told(self) -> str:
        """Who submitted what, in one sentence."""
        seeds = "seeds " if len(self.seeds) > 1 else "seed "
        return (
            f"{self.agent} is submitted by {self.by}: {self.steps:,} decisions, "
            f"{seeds}{', '.join(map(str, self.seeds))}; besides the observation it was given "
            f"{self.saw or 'nothing'}."
        )
