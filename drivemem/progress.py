"""Progress of a long job: a rich bar on a terminal, plain timed lines off one."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console

_LINE_EVERY_S = 15.0


def console() -> Console:
    """Where commands print for people."""
    # Off a terminal rich assumes 80 columns and wraps tables to uselessness.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 140)


class Progress:
    """Counts up to a total, with rate and time left.

    Args:
        title: what is counted.
        total: how far.
        unit: of the count.
        done: where it starts (a resumed job).
        quiet: print nothing.
    """

    def __init__(
        self, title: str, total: int, unit: str, done: int = 0, quiet: bool = False
    ) -> None:
        self.title, self.total, self.unit, self.quiet = title, total, unit, quiet
        self._start, self._started_at = time.monotonic(), done
        self._last_line = self._start
        self._bar: Any = None
        self.done = done
        if not quiet and sys.stderr.isatty():
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
            )  # fmt: skip
            self._task = self._bar.add_task(title, total=total, completed=done, rate="", note="")

    def __enter__(self) -> Self:
        """Show it."""
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it away, leaving the last line."""
        if self._bar is not None:
            self._bar.stop()
        elif not self.quiet and self.done > self._started_at:
            self._line("")

    def rate(self) -> float:
        """Counted per second so far."""
        return (self.done - self._started_at) / max(time.monotonic() - self._start, 1e-9)

    def update(self, done: int, note: str = "") -> None:
        """Say how far the job is."""
        self.done = done
        if self.quiet:
            return
        if self._bar is not None:
            rate = f"{self.rate():,.0f} {self.unit}/s"
            self._bar.update(self._task, completed=done, rate=rate, note=note)
        elif time.monotonic() - self._last_line > _LINE_EVERY_S:
            self._line(note)

    def _line(self, note: str) -> None:
        self._last_line = time.monotonic()
        missing = max(self.total - self.done, 0)  # whole rollouts end beyond the total
        left = f"{missing / self.rate():.0f}" if self.done > self._started_at else "?"
        print(
            f"{self.title}: {self.done:,}/{self.total:,} {self.unit}, {self.rate():,.0f}/s, "
            f"{left} s left  {note}".rstrip(),
            file=sys.stderr,
            flush=True,
        )
