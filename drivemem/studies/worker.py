"""Cells from beginning to end, in a process of their own: train, evaluate, say that it is done.

`python -m drivemem.studies.worker FOLDER THREADS` reads the stored study, and names of cells from
its standard input, a line each; it writes the exit code of each to its standard output. What a
cell prints goes to its log. It ends when its standard input does, so that it never outlives
whoever started it (`warm.WarmWorker`).
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from drivemem.config import DistillConfig, TrainConfig
from drivemem.errors import DrivememError
from drivemem.runs import Run
from drivemem.studies.plan import Cell, load_cell
from drivemem.studies.state import (
    LOG,
    clear,
    evaluation_key,
    finished_evaluations,
    forget_failure,
    held,
    is_restored,
    note_done,
    note_failure,
    state_of,
)
from drivemem_agents.files import clear_leavings

ORPHANED = 3
"""Exit code of a worker whose parent is gone."""


def run_cell(folder: Path, name: str, threads: int = 1) -> None:
    """Run a cell as far as it is missing.

    Args:
        folder: of the study.
        name: of the cell.
        threads: for the worlds; they change nothing but the speed.

    Raises:
        DrivememError: the folder holds another run, or training or evaluation failed.
    """
    cell, run = load_cell(folder, name), Run(folder / name)
    with held(run):
        state = state_of(run, cell)
        if state.stage == "done":
            return
        if state.stage == "stale":
            raise DrivememError(stale_advice(run, state.why))
        forget_failure(run)
        for place in (run.folder, *filter(Path.is_dir, run.folder.iterdir())):
            clear_leavings(place)
        if is_restored(run):  # it lacks an evaluation, for which there are no weights
            clear(run)
        if not cell.is_driver:
            _train(run, cell, threads)
        _evaluate(run, cell, threads)


def stale_advice(run: Run, why: str) -> str:
    """What to do about a folder that is not the study's."""
    return (
        f"{run.folder} {why}: move that folder away to run it anew, or choose another --out for "
        "the study"
    )


def _train(run: Run, cell: Cell, threads: int) -> None:
    config = cell.train_config().model_copy(update={"num_workers": threads})
    if run.has_agent():
        _learn(config, run)  # which may have been ended before its last note
        return
    before, began = state_of(run, cell).step, time.monotonic()
    _learn(config, run)
    rate = (cell.steps - before) / max(time.monotonic() - began, 1e-9)
    note_done(run, steps_per_s=round(rate, 1), training_s=round(cell.steps / rate, 1))


def _learn(config: TrainConfig, run: Run) -> None:
    if isinstance(config, DistillConfig):
        from drivemem.distillation.distill import distill

        distill(config, run.folder, resume=True)
    else:
        from drivemem.training.train import train

        train(config, run.folder, resume=True)


def _evaluate(run: Run, cell: Cell, threads: int) -> None:
    began = time.monotonic()
    finished, driven = finished_evaluations(run), 0
    for arguments in cell.evaluations:
        key = evaluation_key(arguments)
        place = run.folder / "evaluations" / finished.get(key, "")
        if key in finished and (place / "episodes.parquet").is_file():
            continue
        why = None if cell.is_driver else _misfit(run, arguments["lesion"])
        if why is None:
            note_done(run, evaluations={key: _one(run, cell, arguments, threads)})
            driven += 1
        else:
            note_done(run, left_out={key: why})
    if cell.probe and not cell.is_driver:
        _probe(run, cell, threads)
    if driven:
        note_done(run, evaluation_s=round((time.monotonic() - began) / driven, 2))
    note_done(run, probe=cell.probe)


def _one(run: Run, cell: Cell, arguments: dict[str, Any], threads: int) -> str:
    """One evaluation; returns its folder's name."""
    from drivemem.evaluation.evaluate import evaluate

    who: dict[str, Any] = {"run": run.folder}
    if cell.is_driver:
        config = cell.config
        who = {
            "driver": config["driver"], "scenario": config["scenario"], "out": run.folder,
            "sensors": config["sensors"], "dials": config["dials"],
        }  # fmt: skip
    (result,) = evaluate(**who, **arguments, num_workers=threads)
    return result.folder.name


def _misfit(run: Run, lesion: str) -> str | None:
    """Why a lesion has nothing to cut in this agent; None if it has."""
    from drivemem.evaluation.loading import load
    from drivemem.lesions import INTACT, make_lesion

    if lesion == INTACT:
        return None
    try:
        make_lesion(lesion, load(run.folder, device="cpu").policy)
    except DrivememError as error:
        return str(error)
    return None


def _probe(run: Run, cell: Cell, threads: int) -> None:
    from drivemem.probes import probe

    try:
        probe(run.folder, episodes=cell.probe, num_workers=threads)
    except DrivememError as error:  # what cannot be probed is said, and is no failed run
        note_done(run, left_out={"probe": str(error)})


def _names() -> queue.SimpleQueue[str]:
    """Names of cells as they come in; this process ends when no more can, however that comes."""
    names: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        with contextlib.suppress(OSError):
            for line in sys.stdin:
                names.put(line.rstrip("\n"))
        os._exit(ORPHANED)

    threading.Thread(target=listen, daemon=True).start()
    return names


def _print_to(log: Path) -> None:
    """Let everything that this process prints go to a file, what libraries print too."""
    sys.stdout.flush()
    sys.stderr.flush()
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)


def _attempt(folder: Path, name: str, threads: int) -> int:
    """Run a cell; returns its exit code."""
    _print_to(folder / name / LOG)
    try:
        run_cell(folder, name, threads)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # every failure is the cell's own: the study goes on
        traceback.print_exc()
        known = isinstance(error, DrivememError)
        note_failure(
            Run(folder / name), str(error) if known else f"{type(error).__name__}: {error}"
        )
        return 1
    return 0


def main(arguments: list[str]) -> int:
    """Run cells until one fails, for nobody knows what it left behind; returns its exit code."""
    folder, threads = Path(arguments[0]), int(arguments[1])
    warnings.filterwarnings("ignore", message=".*out of date.*")
    names, code = _names(), 0
    with os.fdopen(os.dup(1), "w") as told:
        while code == 0:
            try:
                name = names.get()
            except KeyboardInterrupt:
                return 130
            code = _attempt(folder, name, threads)
            print(code, file=told, flush=True)
    return code


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the listening thread sits in a read; nothing is left to tidy up
