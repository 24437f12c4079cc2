"""Where a cell stands, read from its run folder alone: whoever runs it, and from which machine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from drivemem.config import WITHOUT_EFFECT
from drivemem.errors import DrivememError
from drivemem.runs import NUMBER, Run, read_json, write_json_file
from drivemem.studies.plan import Cell

DONE = "done.json"
FAILED = "failed.json"
LOG = "log.txt"
LOCK = ".lock"
"""Held by the process that works on a run; its number is in it."""
_TAIL_BYTES = 65536

Stage = Literal["new", "training", "evaluating", "done", "failed", "stale"]


@dataclass(frozen=True)
class State:
    """Where a cell stands."""

    stage: Stage
    step: int = 0
    """Decisions trained."""
    mean_return: float | None = None
    """Of the last 100 training episodes."""
    success: float | None = None
    """Of the last 100 training episodes."""
    evaluated: int = 0
    """Evaluations that are finished."""
    why: str = ""
    """Of a failed or stale cell."""


def state_of(run: Run, cell: Cell) -> State:
    """Where a cell stands."""
    stale = _stale(run, cell)
    if stale:
        return State("stale", why=stale)
    done = _done(run)
    keys = {evaluation_key(one) for one in cell.evaluations}
    finished = keys & {*done.get("evaluations", {}), *done.get("left_out", {})}
    complete = finished == keys and done.get("probe", 0) >= cell.probe
    if done and complete:
        return State("done", cell.steps, *_last(run), len(finished))
    failed = _json(run.folder / FAILED)
    trained = cell.is_driver or run.has_agent()
    last = _last(run)
    if failed:
        return State("failed", _step(run), *last, len(finished), str(failed.get("error", "")))
    if trained and run.config_file.exists():
        return State("evaluating", cell.steps, *last, len(finished))
    step = _step(run)
    return State("training" if step or run.config_file.exists() else "new", step, *last)


def read_done(run: Run) -> dict[str, Any]:
    """What the marker of a finished run says; nothing without one.

    Raises:
        DrivememError: it is damaged.
    """
    path = run.folder / DONE
    if not path.exists():
        return {}
    return read_json(
        path, evaluations=dict, left_out=dict, probe=NUMBER, training_s=NUMBER,
        evaluation_s=NUMBER, steps_per_s=NUMBER,
    )  # fmt: skip


def evaluation_key(arguments: dict[str, Any]) -> str:
    """Identity of an evaluation within a run."""
    return hashlib.sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()[:16]


def note_done(run: Run, **facts: Any) -> None:
    """Add to a run's marker; `evaluations` and `left_out` grow, other facts are replaced."""
    before = _done(run)
    for key in ("evaluations", "left_out"):
        facts[key] = {**before.get(key, {}), **facts.get(key, {})}
    write_json_file(run.folder / DONE, {**before, **facts})


def note_failure(run: Run, error: str) -> None:
    """Say why a cell failed; the next attempt takes it away."""
    write_json_file(run.folder / FAILED, {"error": error})


def forget_failure(run: Run) -> None:
    """Take the note of a failure away."""
    (run.folder / FAILED).unlink(missing_ok=True)


def clear(run: Run) -> None:
    """Take away what was restored into a run's folder, which has no weights to go on with."""
    for path in (run.folder / DONE, run.config_file, run.folder / "manifest.json"):
        path.unlink(missing_ok=True)
    shutil.rmtree(run.folder / "evaluations", ignore_errors=True)


def is_restored(run: Run) -> bool:
    """Whether a run was taken from an archive."""
    return bool(_done(run).get("restored"))


def finished_evaluations(run: Run) -> dict[str, str]:
    """Evaluations by key, as folder names."""
    found: dict[str, str] = _done(run).get("evaluations", {})
    return found


@contextlib.contextmanager
def held(run: Run) -> Iterator[None]:
    """Hold a run alone: two processes never work on one at once; waits for the other one."""
    run.folder.mkdir(parents=True, exist_ok=True)
    with (run.folder / LOCK).open("a") as file:
        try:
            import fcntl
        except ImportError:  # no POSIX: nothing keeps two studies apart
            yield
            return
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _stale(run: Run, cell: Cell) -> str:
    """Why what is in the folder is not this cell's; empty if it is, or nothing is there."""
    stored = _json(run.config_file)
    if not stored:
        return ""
    if cell.is_driver:
        same = stored.get("driver") == cell.config["driver"]
        differing = [] if same else ["driver"]
    elif "driver" in stored:
        differing = ["driver"]
    else:
        try:
            known = run.config().model_dump(mode="json")
        except DrivememError as error:
            return str(error)
        wanted = cell.train_config().model_dump(mode="json")
        keys = {**wanted, **known}.keys() - {*WITHOUT_EFFECT}
        differing = sorted(key for key in keys if known.get(key) != wanted.get(key))
    if differing:
        return f"holds a run with other settings ({', '.join(differing)})"
    trained = _json(run.folder / "manifest.json").get("scenario_hash")
    if cell.is_driver or trained is None or trained == cell.scenario_hash:
        return ""
    return f"was trained on another version of {cell.config['scenario']}"


def _last(run: Run) -> tuple[float | None, float | None]:
    """Return and success in the last lines of the metrics."""
    found: dict[str, float | None] = {"rollout/ep_rew_mean": None, "rollout/success_rate": None}
    for line in _metrics(run):
        found |= {key: line[key] for key in found if line.get(key) is not None}
    mean_return, success = found.values()
    return mean_return, success


def _step(run: Run) -> int:
    lines = _metrics(run)
    return int(lines[-1]["step"]) if lines else 0


def _metrics(run: Run) -> list[dict[str, Any]]:
    """The last lines of the metrics; one that is half written is left out."""
    lines = []
    if run.metrics_file.exists():
        for text in _end(run.metrics_file).splitlines():
            with contextlib.suppress(ValueError):
                line = json.loads(text)
                lines += [line] if isinstance(line, dict) else []
    return lines


def _end(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace")


def _done(run: Run) -> dict[str, Any]:
    """The marker; nothing where it is missing or damaged: then the run is not done."""
    try:
        return read_done(run)
    except DrivememError:
        return {}


def _json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return read_json(path)
    except DrivememError:
        return {}
