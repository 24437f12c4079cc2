"""Run folders: plain files, written atomically, never a pickle (see docs/files.md)."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivemem import zoo
from drivemem.config import TrainConfig, build_config
from drivemem.errors import DrivememError, did_you_mean
from drivemem.tables import Shown, Table
from drivemem.version import __version__

if TYPE_CHECKING:
    import pandas as pd

RUNS = Path("runs")
SEARCH = "search.json"
"""Marks a folder whose runs are trials of a search for settings."""
_PACKAGES = ("torch", "numpy", "gymnasium", "highway-env", "stable-baselines3", "numba")


_LEARNT = {
    "rollout/ep_rew_mean": "return (last 100 episodes)",
    "rollout/success_rate": "success (last 100 episodes)",
}
"""Of the last update, and what tables call it."""


@dataclass(frozen=True)
class Run(Shown):
    """A run's folder and what is in it."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def config_file(self) -> Path:
        """Resolved configuration."""
        return self.folder / "config.json"

    @property
    def metrics_file(self) -> Path:
        """One JSON line per update."""
        return self.folder / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """One folder per checkpoint, named by the decisions trained for."""
        return self.folder / "checkpoints"

    @property
    def model(self) -> Path:
        """The trained agent; there once training is done."""
        return self.folder / "model"

    @property
    def importance(self) -> Path:
        """How much each weight matters, if it could be measured; see `training.warm_start`."""
        return self.folder / "importance.safetensors"

    @property
    def distillation(self) -> Path:
        """How far a student is from its teacher, if it has one; see `distillation.check`."""
        return self.folder / "distillation.json"

    def settings(self) -> dict[str, Any]:
        """The stored configuration as a dict.

        Raises:
            DrivememError: missing or unreadable.
        """
        return read_json(self.config_file)

    def config(self) -> TrainConfig:
        """The stored configuration of a training run."""
        return build_config(self.settings())

    def has_agent(self) -> bool:
        """Whether the trained agent is there and whole: what was written, to the last bit."""
        from safetensors import SafetensorError, safe_open

        from drivemem_agents.checksums import changed_file, is_description_whole

        try:
            described = read_json(self.model / "agent.json")
            with safe_open(self.model / "model.safetensors", framework="numpy"):
                whole = is_description_whole(described)
            return whole and changed_file(described, self.model) is None
        except (DrivememError, OSError, SafetensorError):
            return False

    def is_driver(self) -> bool:
        """Whether this is the folder of a reference driver, which has no agent."""
        return "driver" in self.settings()

    @property
    def manifest_file(self) -> Path:
        """What the result depends on besides its configuration, and the `status` of training."""
        return self.folder / "manifest.json"

    def manifest(self) -> dict[str, Any]:
        """The stored manifest; {} without one."""
        return read_json(self.manifest_file, versions=dict) if self.manifest_file.exists() else {}

    def status(self) -> str | None:
        """Where training stands: running or done; None without a manifest.

        A run is done when its agent is there, even if its process was ended before it could say so.
        """
        stored = self.manifest()
        return "done" if stored and self.has_agent() else stored.get("status")

    def all_checkpoints(self) -> list[Path]:
        """Folders of the checkpoints, that with the most decisions first."""
        found = [path for path in self.checkpoints.glob("*") if path.name.isdigit()]
        return sorted(found, key=lambda path: int(path.name), reverse=True)

    def latest_checkpoint(self) -> Path | None:
        """The checkpoint with the most decisions; None if there is none."""
        return next(iter(self.all_checkpoints()), None)

    def as_tables(self) -> list[Table]:
        """What training came to, as far as it has come."""
        facts, last = self.manifest(), dict[str, Any]()
        for line in self._updates():
            last |= {key: value for key, value in line.items() if value is not None}
        learnt = {label: last[key] for key, label in _LEARNT.items() if key in last}
        known = {"backend": str(facts.get("backend"))}
        known |= {
            label: facts.get(key, 0)
            for key, label in (
                ("steps", "steps"), ("steps_per_s", "steps/s"), ("parameters", "parameters")
            )
        }  # fmt: skip
        rows = [(label, v if isinstance(v, str) else f"{v:,.0f}") for label, v in known.items()]
        rows += [(label, f"{value:z.3f}") for label, value in learnt.items()]
        record = {"run": self.folder, **known, **learnt}
        return [Table(("", ""), rows, title=self.name, records=[record])]

    def to_pandas(self) -> pd.DataFrame:
        """The learning curve: the metrics of every update, a row each."""
        import pandas as pd

        return pd.DataFrame(self._updates())

    def _updates(self) -> list[dict[str, Any]]:
        return read_metrics(self.metrics_file) if self.metrics_file.exists() else []


def run_folder(place: str | Path) -> Path:
    """The folder that is meant: a path itself, or a copy of an agent of the zoo (`zoo:...`).

    Raises:
        DrivememError: the zoo has no such agent, or it cannot be copied.
    """
    return zoo.located(place, RUNS / zoo.FOLDER) if zoo.is_named(place) else Path(place)


def open_run(path: str | Path) -> Run:
    """The run at a path, or an agent of the zoo.

    Raises:
        DrivememError: no run there; the message names the nearest folder that is one.
    """
    folder = run_folder(path)
    if not (folder / "config.json").is_file():
        siblings = [run.folder.as_posix() for run in find_runs([folder.parent])]
        hint = did_you_mean(folder.as_posix(), siblings, cutoff=0.5)
        hint = hint or "; train one with `drivemem train`"
        raise DrivememError(f"{folder} is no run (it has no config.json){hint}")
    return Run(folder)


def find_runs(paths: list[Path]) -> Iterator[Run]:
    """All runs at or below the paths, sorted."""
    seen: set[Path] = set()
    for path in paths:
        candidates = [path] if (path / "config.json").is_file() else []
        if not candidates and path.is_dir():
            candidates = sorted(file.parent for file in path.rglob("config.json"))
        for folder in candidates:
            if folder not in seen:
                seen.add(folder)
                yield Run(folder)


def search_of(run: Run, below: Path) -> Path | None:
    """The folder of the search that a run is a trial of, where that is below a path; else None."""
    found = [below / part for part in run.folder.relative_to(below).parents if part != Path()]
    return next((folder for folder in found if (folder / SEARCH).is_file()), None)


Kind = type | tuple[type, ...]
NUMBER: Kind = (int, float)
_WORDS = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number"}


def read_json(path: Path, **kinds: Kind) -> dict[str, Any]:
    """A JSON object from a file.

    Args:
        path: the file.
        kinds: of which type the values of some keys are, where they are there.

    Raises:
        DrivememError: missing, truncated or no object, or a value of another type.
    """
    from drivemem_agents import files

    try:
        found = files.read_json(path)
    except FileNotFoundError as error:
        raise DrivememError(f"{path} is missing") from error
    except ValueError as error:
        raise DrivememError(str(error)) from error
    check_kinds(found, str(path), **kinds)
    return found


def check_kinds(found: Any, where: str, **kinds: Kind) -> None:
    """Refuse a table of a file in which a value is of another type than it is read as.

    Raises:
        DrivememError: it is, or this is no table.
    """
    for key, kind in {"": dict, **kinds}.items():
        value = found.get(key) if key else found
        if key and key not in found:
            continue
        if not isinstance(value, kind) or (isinstance(value, bool) and kind == NUMBER):
            due = _WORDS[kind[0] if isinstance(kind, tuple) else kind]
            what = f"'{key}'" if key else "it"
            raise DrivememError(
                f"{where} is damaged: {what} is {value!r:.60}, not {due}; mend or delete it"
            )


def write_json_file(path: Path, value: dict[str, Any]) -> None:
    """Write JSON atomically.

    Raises:
        DrivememError: the folder cannot be written.
    """
    from drivemem_agents.files import write_json

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, value)
    except OSError as error:
        raise DrivememError(
            f"cannot write {path}: {error.strerror or error}; choose another folder with --out"
        ) from error


@contextlib.contextmanager
def saving(path: Path) -> Iterator[None]:
    """Writing something of a run that is being trained, which can go on from its checkpoint.

    Raises:
        DrivememError: what is written inside cannot be, as where a disk is full.
    """
    from safetensors import SafetensorError

    from drivemem_agents import CheckpointError

    try:
        yield
    except (OSError, SafetensorError, CheckpointError) as error:
        why = getattr(error, "strerror", None) or error
        raise DrivememError(
            f"cannot write {path}: {why}; mend that, then the same command with --resume goes on"
        ) from error


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a `metrics.jsonl`; a last one that is half written is left out.

    Raises:
        DrivememError: missing or unreadable, or a line that is no JSON object with a step.
    """
    try:
        whole, _, _ = path.read_bytes().rpartition(b"\n")
    except OSError as error:
        raise DrivememError(f"cannot read {path}: {error.strerror or error}") from error
    found = []
    for number, line in enumerate(whole.split(b"\n") if whole else [], start=1):
        try:
            entry = json.loads(line.decode("utf-8"))
        except ValueError:
            entry = None
        if not isinstance(entry, dict) or not isinstance(entry.get("step"), int | float):
            raise DrivememError(
                f"{path} is damaged: line {number} is {_shown(line)}, no metrics of an update; "
                "mend or delete the file"
            )
        found.append(entry)
    return found


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace")
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def manifest(status: str, **facts: Any) -> dict[str, Any]:
    """What a result depends on besides its configuration."""
    return {
        "status": status,
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "git": _git_revision(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        **facts,
    }


# Both stay what they were when this process loaded its code.


def versions() -> dict[str, str | None]:
    """Versions of the packages that results depend on; None: not installed."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"drivemem": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


@cache
def _git_revision() -> str | None:
    folder = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],
            capture_output=True, text=True, timeout=5, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None
