"""Running a study on this machine: as many runs at once as there are cores, each in a process."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from drivemem.errors import DrivememError
from drivemem.studies.board import Board
from drivemem.studies.plan import Cell, Plan
from drivemem.studies.state import State, forget_failure, note_failure, state_of
from drivemem.studies.warm import WarmWorker
from drivemem.studies.worker import stale_advice
from drivemem_envs.cores import usable_cores

_POLL_S = 0.2
_PATIENCE_S = 10.0
"""How long a worker may take to save what it has after Ctrl-C."""


@dataclass
class Summary:
    """What came of running a study."""

    done: list[str] = field(default_factory=list)
    """Cells that are complete, those of earlier calls included."""
    failed: dict[str, str] = field(default_factory=dict)
    """Cells that failed, with the reason."""


@dataclass
class _Worker:
    process: WarmWorker
    cell: Cell | None = None
    """What it runs; None: it waits for a cell."""


def threads_each(workers: int) -> int:
    """Threads for the worlds of each of so many workers; NUMBA_NUM_THREADS, when set, bounds it."""
    bound = os.environ.get("NUMBA_NUM_THREADS", "")
    share = max(1, usable_cores() // workers)
    return min(share, int(bound)) if bound.isdigit() and int(bound) else share


def missing_cells(plan: Plan) -> dict[str, State]:
    """Cells that are not complete, by name.

    Raises:
        DrivememError: folders that hold other runs; nothing is run before that is mended.
    """
    states = {cell.name: state_of(plan.run(cell), cell) for cell in plan.cells}
    stale = [cell for cell in plan.cells if states[cell.name].stage == "stale"]
    if stale:
        first = stale_advice(plan.run(stale[0]), states[stale[0].name].why)
        more = f" (and {len(stale) - 1} more such folders)" if len(stale) > 1 else ""
        raise DrivememError(first + more)
    return {name: state for name, state in states.items() if state.stage != "done"}


def outstanding(plan: Plan) -> tuple[list[Cell], Summary]:
    """Cells to run, in order, and a summary of those that are done; the study is stored.

    Raises:
        DrivememError: folders that hold other runs.
    """
    missing = missing_cells(plan)
    plan.save()
    todo = [cell for cell in plan.cells if cell.name in missing]
    return todo, Summary([cell.name for cell in plan.cells if cell.name not in missing])


def conclude(plan: Plan, cell: Cell, why: str, board: Board, summary: Summary) -> None:
    """Note what came of a cell whose process has ended.

    Args:
        plan: the study.
        cell: of it.
        why: it failed, if it has and does not say so itself.
        board: shows it.
        summary: takes it.
    """
    run = plan.run(cell)
    state = state_of(run, cell)
    if state.stage == "done":
        summary.done.append(cell.name)
    else:
        if state.stage != "failed":
            note_failure(run, why)
        summary.failed[cell.name] = state.why or why
    board.ended(cell, summary.failed.get(cell.name))


def run_local(plan: Plan, jobs: int | None = None, *, quiet: bool = False) -> Summary:
    """Run what is missing of a study, here.

    Args:
        plan: the study.
        jobs: runs at once; default: one for each core.
        quiet: show nothing.

    Raises:
        DrivememError: no such number of jobs, or folders that hold other runs.
        KeyboardInterrupt: after Ctrl-C; the same call goes on.
    """
    if jobs is not None and jobs < 1:
        raise DrivememError(f"jobs is {jobs}; run at least 1 at once")
    todo, summary = outstanding(plan)
    if todo:
        with Board(plan, len(summary.done), quiet) as board:
            _Pool(plan, deque(todo), min(jobs or usable_cores(), len(todo)), board, summary).run()
    return summary


class _Pool:
    """Workers, and the cells that wait for one."""

    def __init__(
        self, plan: Plan, todo: deque[Cell], size: int, board: Board, summary: Summary
    ) -> None:
        self.plan, self.todo, self.size, self.board, self.summary = plan, todo, size, board, summary
        self.threads = threads_each(size)
        self.lost: dict[str, int] = {}
        self.alone = size > 1
        """Whether the first worker has yet to show that kernels are compiled: others would all
        compile them at the same time."""
        self.before = 0
        self.workers: list[_Worker] = []
        self.news = threading.Event()
        """Set when a cell may have ended."""

    def run(self) -> None:
        try:
            while self.todo or self._running():
                while self._has_room() and (cell := self._next()) is not None:
                    self._start(cell)
                self.board.show(self._running(), len(self.todo))
                self.news.wait(_POLL_S)
                self.news.clear()
                self.workers = [worker for worker in self.workers if self._stays(worker)]
        finally:
            self._stop()

    def _running(self) -> list[Cell]:
        return [worker.cell for worker in self.workers if worker.cell is not None]

    def _has_room(self) -> bool:
        return len(self._running()) < (1 if self._compiling() else self.size)

    def _next(self) -> Cell | None:
        """The next cell whose teacher does not wait or run itself; it is taken off the list."""
        unfinished = {cell.name for cell in [*self.todo, *self._running()]}
        ready = next((cell for cell in self.todo if cell.teacher not in unfinished), None)
        if ready is not None:
            self.todo.remove(ready)
        return ready

    def _compiling(self) -> bool:
        if self.alone and (running := self._running()):
            state = state_of(self.plan.run(running[0]), running[0])
            self.alone = state.step <= self.before and not state.evaluated
        return self.alone

    def _start(self, cell: Cell) -> None:
        run = self.plan.run(cell)
        if self.alone:
            self.before = state_of(run, cell).step
        run.folder.mkdir(parents=True, exist_ok=True)
        forget_failure(run)
        worker = next((each for each in self.workers if each.cell is None), None)
        if worker is None:
            worker = _Worker(WarmWorker(self.plan.folder, self.threads, self.news))
            self.workers.append(worker)
        worker.cell = cell
        worker.process.begin(cell.name)
        self.board.started(cell)

    def _stays(self, worker: _Worker) -> bool:
        """Whether a worker is still of use; what came of its cell is noted, if that has ended."""
        cell = worker.cell
        if cell is None or (code := worker.process.code()) is None:
            return True
        self.alone, worker.cell = False, None
        if code < 0 and self.lost.get(cell.name, 0) < self.plan.study.resources.retries:
            self.lost[cell.name] = self.lost.get(cell.name, 0) + 1
            self.todo.appendleft(cell)
            self.board.say(f"{cell.name}: its process was killed ({_signal(code)}); it goes on")
        else:
            why = f"its process ended with {_signal(code) if code < 0 else code}"
            conclude(self.plan, cell, why, self.board, self.summary)
        if worker.process.may_go_on:
            return True
        worker.process.end()
        return False

    def _stop(self) -> None:
        """End all workers; what they have done is kept."""
        busy = [worker.process for worker in self.workers if worker.cell is not None]
        for process in busy:
            process.interrupt()
        until = time.monotonic() + _PATIENCE_S
        try:
            while time.monotonic() < until and any(process.is_alive for process in busy):
                time.sleep(0.05)
        finally:
            for worker in self.workers:
                worker.process.end()


def _signal(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
