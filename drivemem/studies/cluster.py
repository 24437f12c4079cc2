"""Running a study on an existing Ray cluster: one task per run, everything else as here.

A task starts the same worker process as a local study does, in the study's folder, which all
nodes must see under one path. What is lost with a node is started again and goes on from its
last checkpoint.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from drivemem.errors import DrivememError, first_line
from drivemem.studies.board import Board
from drivemem.studies.local import Summary, conclude, outstanding
from drivemem.studies.plan import Cell, Plan
from drivemem.studies.spec import Resources
from drivemem.studies.state import LOCK, forget_failure, state_of
from drivemem.studies.warm import WarmWorker

_POLL_S = 1.0
_PATIENCE_S = 10.0
_RUNNING = ("training", "evaluating")


def run_on_ray(plan: Plan, address: str, *, quiet: bool = False) -> Summary:
    """Run what is missing of a study on a Ray cluster.

    Args:
        plan: the study; its folder must be on storage that every node sees under the same path.
        address: `auto` (the cluster of this machine, or $RAY_ADDRESS) or `HOST:PORT`.
        quiet: show nothing.

    Raises:
        DrivememError: Ray is not installed, no cluster there, or one without the resources.
        KeyboardInterrupt: after Ctrl-C; the same call goes on.
    """
    todo, summary = outstanding(plan)
    if not todo:
        return summary
    ray = _connect(address)
    try:
        _check_resources(ray, plan.study.resources)
        with Board(plan, len(summary.done), quiet) as board:
            _run(ray, plan, todo, board, summary)
    finally:
        ray.shutdown()
    return summary


def _connect(address: str) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise DrivememError("Ray is not installed: pip install ray (the extra `ray`)") from error
    try:
        _answers(address)
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (OSError, RuntimeError, ValueError) as error:
        raise DrivememError(
            f"no Ray cluster at '{address}' ({first_line(error)}): start one with "
            "`ray start --head`, or leave --ray out to run here"
        ) from error
    return ray


def _answers(address: str) -> None:
    """Raise OSError if nothing listens at HOST:PORT; Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "//" not in address:
        with socket.create_connection((host, int(port)), timeout=_PATIENCE_S):
            return


def _check_resources(ray: Any, wanted: Resources) -> None:
    """Refuse what no node has; Ray would wait for it for ever."""
    best: dict[str, float] = {}
    for node in ray.nodes():
        if node["Alive"]:
            for name, amount in node["Resources"].items():
                best[name] = max(best.get(name, 0.0), float(amount))
    for name, amount in (("CPU", wanted.cpus), ("GPU", wanted.gpus)):
        if amount > best.get(name, 0.0):
            raise DrivememError(
                f"the study wants {amount:g} {name} for each run, but no node of the cluster has "
                f"more than {best.get(name, 0.0):g}: change [resources]"
            )


def _run(ray: Any, plan: Plan, todo: list[Cell], board: Board, summary: Summary) -> None:
    wanted = plan.study.resources
    options: dict[str, Any] = {
        "num_cpus": wanted.cpus, "num_gpus": wanted.gpus, "max_retries": wanted.retries,
        "memory": None if wanted.memory_gb is None else int(wanted.memory_gb * 1e9),
    }  # fmt: skip
    task = ray.remote(**options)(work)
    threads = max(1, int(wanted.cpus))
    folder = str(plan.folder.resolve())
    waiting: dict[Any, Cell] = {}
    tasks: dict[str | None, Any] = {}
    for cell in todo:  # teachers come before their students, whose task waits for theirs
        forget_failure(plan.run(cell))
        after = [tasks[cell.teacher]] if cell.teacher in tasks else []
        tasks[cell.name] = task.remote(folder, cell.name, threads, wanted.retries, *after)
        waiting[tasks[cell.name]] = cell
    running: dict[str, Cell] = {}
    try:
        while waiting:
            ready, _ = ray.wait(list(waiting), num_returns=1, timeout=_POLL_S)
            for reference in ready:
                cell = waiting.pop(reference)
                running.pop(cell.name, None)
                _finish(ray, plan, cell, reference, board, summary)
            _notice(plan, waiting.values(), running, board)
            board.show(list(running.values()), len(waiting) - len(running))
    except BaseException:
        for reference in waiting:
            ray.cancel(reference, force=True)
        raise


def _notice(plan: Plan, waiting: Any, running: dict[str, Cell], board: Board) -> None:
    """Find out which of the waiting cells some node has begun with."""
    for cell in waiting:
        lock = plan.run(cell).folder / LOCK
        if cell.name not in running and lock.exists():
            if state_of(plan.run(cell), cell).stage not in _RUNNING:
                continue
            running[cell.name] = cell
            board.started(cell)


def _finish(
    ray: Any, plan: Plan, cell: Cell, reference: Any, board: Board, summary: Summary
) -> None:
    try:
        why = f"its process ended with {ray.get(reference)}"
    except ray.exceptions.RayError as error:
        why = f"lost by the cluster: {first_line(error)}"
    conclude(plan, cell, why, board, summary)


def work(folder: str, name: str, threads: int, retries: int, teacher: int = 0) -> int:
    """What a task does on its node: the worker of a local study; returns its exit code.

    Args:
        folder: of the study.
        name: of the cell.
        threads: for its worlds.
        retries: how often a killed process is started again.
        teacher: exit code of its teacher's task: so Ray waits for that one.
    """
    place = Path(folder)
    if not (place / "study.json").exists():
        raise DrivememError(
            f"this node does not see {place}: the study's folder must be on storage that all "
            "nodes share under the same path (--out)"
        )
    (place / name).mkdir(exist_ok=True)
    code = 0
    for _ in range(retries + 1):  # killed processes only: an error would come again
        worker = WarmWorker(place, threads)
        try:
            worker.begin(name)
            code = worker.wait()
        finally:
            worker.end()
        if code >= 0:
            break
    return code
