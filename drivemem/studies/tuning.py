"""`drivemem.tune`: search settings of training, and write them as a preset."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivemem.errors import DrivememError
from drivemem.runs import RUNS, manifest
from drivemem.studies.search import Budget, Found, preset_text, search
from drivemem.tables import Shown, Table


@dataclass(frozen=True)
class Tuned(Shown):
    """What a search found."""

    found: tuple[Found, ...]
    """The best trial of each memory."""
    preset: Path
    """The file to train with: `drivemem.train(scenario, preset=...)`."""

    def as_tables(self) -> list[Table]:
        """The best of each memory."""
        rows = [
            (one.memory, f"{one.score:.3f}", str(one.trials), str(one.settings))
            for one in self.found
        ]
        records = [vars(one) for one in self.found]
        return [Table(("memory", "success", "trials", "settings"), rows, records=records)]


def tune(
    scenario: str,
    *,
    memories: Sequence[str] = ("none", "frame_stack", "gru"),
    trials: int = 20,
    steps: int = 200_000,
    episodes: int = 200,
    seed: int = 0,
    fixed: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    preset: str | Path | None = None,
    command: str | None = None,
    told: Callable[[str], None] = lambda line: None,
) -> Tuned:
    """Search settings of training, the same budget for every memory; writes a preset.

    Args:
        scenario: its name.
        memories: memories to search settings for.
        trials: runs for each memory; more go on with an earlier search.
        steps: decisions of each run.
        episodes: that a run is judged on (of the eval stream; the test stream is not touched).
        seed: of the proposals and of training.
        fixed: settings that stay as they are, such as `{"num_envs": 64}`.
        out: folder of journal and runs; default `runs/tune-<scenario>`.
        preset: file for the preset; default `<out>/<scenario>.toml`.
        command: that made the preset, for its reader; default: this call.
        told: gets a line for each trial.

    Raises:
        DrivememError: Optuna is not installed, no such scenario or memory, the folder holds
            another search, or the preset cannot be written.
        KeyboardInterrupt: after Ctrl-C; the same call goes on.
    """
    if trials < 1:
        raise DrivememError(f"trials is {trials}; give at least 1")
    folder = Path(out or RUNS / f"tune-{scenario}")
    budget = Budget(trials, steps, episodes, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = search(scenario, memories, budget, folder, told, dict(fixed or {}))
    path = Path(preset or folder / f"{scenario}.toml")
    call = command or f"drivemem.tune({scenario!r}, memories={tuple(memories)!r}, fixed={fixed!r})"
    _write(path, preset_text(scenario, found, budget, call, manifest("done")))
    return Tuned(tuple(found), path)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise DrivememError(
            f"cannot write {path}: {error.strerror or error}; choose another file for the preset"
        ) from error
