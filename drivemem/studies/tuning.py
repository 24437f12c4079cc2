"""`drivemem.tune`: search settings of training, and write them as a preset."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivemem.errors import DrivememError
from drivemem.runs import RUNS, manifest
from drivemem.studies.search import Budget, Found, agents_text, preset_text, search
from drivemem.tables import Shown, Table


@dataclass(frozen=True)
class Tuned(Shown):
    """What a search found."""

    found: tuple[Found, ...]
    """The best trial of each memory."""
    preset: Path
    """What was found, as a file: of one scenario a preset to train with,
    `drivemem.train(scenario, preset=...)`; of several the agents of a study."""

    def as_tables(self) -> list[Table]:
        """The best of each memory."""
        rows = [
            (one.memory, f"{one.score:.3f}", str(one.trials), str(one.settings))
            for one in self.found
        ]
        records = [vars(one) for one in self.found]
        return [Table(("memory", "score", "trials", "settings"), rows, records=records)]


def tune(
    scenario: str | Sequence[str],
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
    """Search settings of training, the same budget for every memory; writes what it found.

    Args:
        scenario: a name, or several: then settings are searched that are best on all together.
        memories: memories to search settings for.
        trials: runs for each memory; more go on with an earlier search.
        steps: decisions of each run; a trial is a run on each scenario.
        episodes: that a run is judged on (of the eval stream; the test stream is not touched).
        seed: of the proposals and of training.
        fixed: settings that stay as they are, such as `{"num_envs": 64}`.
        out: folder of journal and runs; default `runs/tune-<scenario>`, names of several joined.
        preset: file for what was found; default `<out>/<scenario>.toml`, of several
            `<out>/agents.toml`.
        command: that made it, for its reader; default: this call.
        told: gets a line for each trial.

    Raises:
        DrivememError: Optuna is not installed, no such scenario or memory, the folder holds
            another search, or the preset cannot be written.
        KeyboardInterrupt: after Ctrl-C; the same call goes on.
    """
    if trials < 1:
        raise DrivememError(f"trials is {trials}; give at least 1")
    names = [scenario] if isinstance(scenario, str) else list(scenario)
    folder = Path(out or RUNS / f"tune-{'-'.join(names)}")
    budget = Budget(trials, steps, episodes, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = search(names, memories, budget, folder, told, dict(fixed or {}))
    call = command or f"drivemem.tune({scenario!r}, memories={tuple(memories)!r}, fixed={fixed!r})"
    facts = manifest("done")
    if len(names) > 1:
        path = Path(preset or folder / "agents.toml")
        _write(path, agents_text(names, found, budget, call, facts))
    else:
        path = Path(preset or folder / f"{names[0]}.toml")
        _write(path, preset_text(names[0], found, budget, call, facts))
    return Tuned(tuple(found), path)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise DrivememError(
            f"cannot write {path}: {error.strerror or error}; choose another file for the preset"
        ) from error
