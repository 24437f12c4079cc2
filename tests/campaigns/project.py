"""What a user has on disk after a day: runs, a checkpoint to go on from, recordings, a study."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.campaigns.apart import apart, command

SETTINGS: dict[str, Any] = {
    "scenario": "exit-recall", "memory": "gru", "memory_kwargs": ["hidden_size=8"], "steps": 256,
    "num_envs": 4, "n_steps": 16, "batch_size": 32, "n_epochs": 1, "num_workers": 1,
    "checkpoint_every": 1, "encoder_kwargs": ["widths=[8]"],
}  # fmt: skip
EPISODES = ("--episodes", "4", "--num-envs", "2", "--num-workers", "1")
STUDY = """
claims = "A memory recalls the sign."
seeds = [0]
[train]
steps = 64
num_envs = 2
n_steps = 16
batch_size = 32
num_workers = 1
[scenarios.exit-recall]
preset = false
[agents.none]
memory = "none"
[evaluation]
episodes = 2
"""
_KEPT: list[tempfile.TemporaryDirectory[str]] = []
PRESET = "steps = 256\nnum_envs = 4\n[memories.gru]\nmemory_kwargs = { hidden_size = 8 }\n"


def train(out: Path, resume: bool = False, stop_at: int | None = None, **changes: Any) -> None:
    """Train the small run in this process.

    Args:
        out: its folder.
        resume: go on.
        stop_at: behave like Ctrl-C at the first decision after so many.
        changes: of `SETTINGS`.
    """
    from stable_baselines3.common.callbacks import BaseCallback

    import drivemem
    from drivemem.config import build_config

    class Stop(BaseCallback):
        def _on_step(self) -> bool:
            if self.num_timesteps > (stop_at or 0):
                raise KeyboardInterrupt
            return True

    callback = None if stop_at is None else Stop()
    config = build_config({**SETTINGS, **changes})
    try:
        drivemem.train(config, out, resume=resume, quiet=True, callback=callback)
    except KeyboardInterrupt:
        if stop_at is None:
            raise


def kept_folder() -> Path:
    """A new folder that is removed when this process ends (a forked child leaves it alone)."""
    _KEPT.append(tempfile.TemporaryDirectory(prefix="drivemem-campaign-"))
    folder = Path(_KEPT[-1].name) / "project"
    folder.mkdir()
    return folder


def make(folder: Path) -> None:
    """Make everything below a folder: `gru`, `none`, `begun`, `suite.json`, `preset.toml`."""
    for name, work in {
        "gru": lambda: train(folder / "gru"),
        "none": lambda: train(folder / "none", memory="none", memory_kwargs=[]),
        "begun": lambda: train(folder / "begun", stop_at=200),
    }.items():
        _must(apart(work), name)
    for name in ("gru", "none"):
        _must(command("evaluate", str(folder / name), *EPISODES, "--record", "2"), name)
    shutil.copy(folder / "gru/evaluations/test-intact/suite.json", folder / "suite.json")
    (folder / "preset.toml").write_text(PRESET)


def make_study(folder: Path) -> None:
    """Run a study below a folder: `tiny.toml`, `out`, `results`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.toml").write_text(STUDY)
    _must(command(*study_words(folder), seconds=180, memory=None), "study")


def study_words(folder: Path, *more: str) -> list[str]:
    """The command that runs it."""
    return [
        "study", str(folder / "tiny.toml"), "--out", str(folder / "out"), "--results",
        str(folder / "results"), "--jobs", "1", *more,
    ]  # fmt: skip


def _must(ending: Any, what: str) -> None:
    if ending.how != "done":
        raise RuntimeError(f"the campaign's own {what} failed: {ending}")
