"""A running study on the terminal: one live table, or plain lines off a terminal."""

from __future__ import annotations

import time
from typing import Any

from drivemem.output import console
from drivemem.progress import Display, duration
from drivemem.studies.plan import Cell, Plan
from drivemem.studies.state import State, state_of
from drivemem.tables import Table

_REFRESH_S = 1.0


class Board(Display):
    """Shows which cells run, how fast, and for how long yet.

    Args:
        plan: the study.
        done: cells that are complete already.
        quiet: show nothing.
    """

    def __init__(self, plan: Plan, done: int, quiet: bool = False) -> None:
        super().__init__(quiet, line_every_s=60.0)
        self._plan, self._done = plan, done
        self._failed = self._trained = 0
        self._started: dict[str, tuple[float, int]] = {}
        """When a running cell was started, and at which step."""
        self._shown = self._begun
        self._left = sum(
            max(0, cell.steps - state_of(plan.run(cell), cell).step) for cell in plan.cells
        )
        if self.is_live:
            from rich.live import Live

            self._live = Live(console=console(stderr=True), auto_refresh=False)

    def started(self, cell: Cell) -> None:
        """A cell begins or goes on."""
        state = state_of(self._plan.run(cell), cell)
        self._started[cell.name] = (time.monotonic(), state.step)
        at = f" from step {state.step:,}" if state.step else ""
        self._say(f"{cell.name}: started{at}")

    def ended(self, cell: Cell, error: str | None) -> None:
        """A cell is complete or has failed."""
        before = self._started.pop(cell.name, (0.0, 0))[1]
        state = state_of(self._plan.run(cell), cell)
        self._trained += state.step - before
        self._failed += error is not None
        self._done += error is None
        folder = self._plan.run(cell).folder
        result = f"FAILED: {error} (see {folder / 'log.txt'})" if error else "done"
        self._say(f"{cell.name}: {result} ({self._count()})")

    def say(self, text: str) -> None:
        """A line for people."""
        if self.is_live:
            self._live.console.print(text, markup=False)
        else:
            self._say(text)

    def show(self, running: list[Cell], waiting: int) -> None:
        """Bring the table up to date; called as often as one likes."""
        now = time.monotonic()
        if not (self.line_is_due() or (self.is_live and now - self._shown > _REFRESH_S)):
            return
        self._shown = now
        states = {cell.name: state_of(self._plan.run(cell), cell) for cell in running}
        if self.is_live:
            self._live.update(self._table(running, states, waiting), refresh=True)
            return
        for cell in running:
            name, *cells = self._cells(cell, states[cell.name])
            titled = zip(cells, ("", " steps/s", " return", " success", " left"), strict=True)
            self._say(f"{name}: " + ", ".join(text + unit for text, unit in titled if text))
        self._say(f"{self._count()}, {waiting} waiting, {self._time_left(states)} left")

    def _table(self, running: list[Cell], states: dict[str, State], waiting: int) -> Any:
        return Table(
            ("run", "step", "steps/s", "return", "success", "time left"),
            [self._cells(cell, states[cell.name]) for cell in running],
            title=f"study {self._plan.study.name}: {self._count()}, {waiting} waiting",
            caption=f"all: {self._time_left(states)} left; Ctrl-C leaves everything resumable",
        ).to_rich()

    def _cells(self, cell: Cell, state: State) -> tuple[str, ...]:
        began, before = self._started.get(cell.name, (time.monotonic(), state.step))
        if state.stage == "evaluating":
            number, of = state.evaluated + 1, len(cell.evaluations)
            step = f"evaluation {number} of {of}" if number <= of else "probing"
            return cell.name, step, "", _number(state.mean_return), _number(state.success), ""
        rate = (state.step - before) / max(time.monotonic() - began, 1e-9)
        left = duration((cell.steps - state.step) / rate) if rate > 0 else "?"
        return (
            cell.name, f"{state.step:,}/{cell.steps:,}", f"{rate:,.0f}",
            _number(state.mean_return), _number(state.success), left,
        )  # fmt: skip

    def _time_left(self, states: dict[str, State]) -> str:
        """From the rate of all runs together since this call began."""
        trained = self._trained + sum(
            state.step - self._started[name][1]
            for name, state in states.items()
            if name in self._started
        )
        rate = self.per_second(trained)
        return duration(max(0, self._left - trained) / rate) if rate > 0 else "?"

    def _count(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._done} of {len(self._plan.cells)} runs done{failed}"

    def _say(self, text: str) -> None:
        self.line(f"{time.strftime('%H:%M:%S')} {text}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:z.2f}"
