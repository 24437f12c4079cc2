"""Progress of a long job on standard error: live on a terminal, plain timed lines off one."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from drivemem.output import console


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


class Display:
    """What a long job shows of itself, while the context is open.

    Args:
        quiet: show nothing.
        line_every_s: off a terminal, the time between lines.
    """

    def __init__(self, quiet: bool, line_every_s: float) -> None:
        self.quiet, self.is_live = quiet, not quiet and sys.stderr.isatty()
        self._live: Any = None
        """A rich display, on a terminal."""
        self._line_every_s = line_every_s
        self._begun = self._lined = time.monotonic()

    def __enter__(self) -> Self:
        """Show it."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it away, leaving what it showed last."""
        if self._live is not None:
            self._live.stop()

    def per_second(self, count: float) -> float:
        """Rate of what was counted since the job began."""
        return count / max(time.monotonic() - self._begun, 1e-9)

    def line_is_due(self) -> bool:
        """Whether it is time for the next line off a terminal; if so, its turn is taken."""
        now = time.monotonic()
        if self.quiet or self.is_live or now - self._lined <= self._line_every_s:
            return False
        self._lined = now
        return True

    def line(self, text: str) -> None:
        """Print a line, off a terminal."""
        if not self.quiet and not self.is_live:
            print(text, file=sys.stderr, flush=True)


class Progress(Display):
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
        super().__init__(quiet, line_every_s=15.0)
        self.title, self.total, self.unit = title, total, unit
        self.done = self._started_at = done
        self._first: tuple[float, int] | None = None
        """When the first of it was done, and how much: kernels may have been compiled by then."""
        if self.is_live:
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._live = Bar(
                TextColumn("{task.description}", markup=False), BarColumn(),
                TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=console(stderr=True),
            )  # fmt: skip
            self._task = self._live.add_task(title, total=total, completed=done, rate="", note="")

    def __exit__(self, *error: Any) -> None:
        """Take it away, leaving the last line."""
        super().__exit__(*error)
        if self.done > self._started_at:
            self._say("")

    def rate(self) -> float:
        """Counted per second, less what was done first; all of it while there is no more."""
        if self._first is not None and self.done > self._first[1]:
            began, before = self._first
            return (self.done - before) / max(time.monotonic() - began, 1e-9)
        return self.per_second(self.done - self._started_at)

    def update(self, done: int, note: str = "") -> None:
        """Say how far the job is."""
        self.done = done
        if self._first is None and done > self._started_at:
            self._first = time.monotonic(), done
        if self.is_live:
            rate = f"{self.rate():,.0f} {self.unit}/s"
            self._live.update(self._task, completed=done, rate=rate, note=note)
        elif self.line_is_due():
            self._say(note)

    def _say(self, note: str) -> None:
        missing = max(self.total - self.done, 0)  # whole rollouts end beyond the total
        left = f"{missing / self.rate():.0f}" if self.done > self._started_at else "?"
        self.line(
            f"{self.title}: {self.done:,}/{self.total:,} {self.unit}, {self.rate():,.0f}/s, "
            f"{left} s left  {note}".rstrip()
        )


class Curve:
    """A share over a job as a line of characters: its place the time, its height the share.

    Args:
        total: how far the job goes.
        width: of the whole line.
    """

    _HEIGHTS = "▁▂▃▄▅▆▇█"

    def __init__(self, total: int, width: int = 24) -> None:
        self._total, self._heights = total, [""] * width

    def add(self, done: int, share: float) -> None:
        """Say how high it is when so much is done; a later word for the same place counts."""
        place = min(done * len(self._heights) // self._total, len(self._heights) - 1)
        height = min(int(share * len(self._HEIGHTS)), len(self._HEIGHTS) - 1)
        self._heights[place] = self._HEIGHTS[height]

    def __str__(self) -> str:
        """As far as it is known; where nothing was said, what was said before."""
        line, last = "", " "
        for height in self._heights[: self._known()]:
            last = height or last
            line += last
        return line

    def _known(self) -> int:
        return max((place + 1 for place, height in enumerate(self._heights) if height), default=0)


class Waiting(Display):
    """A share that rises to 1, with time left; off a terminal one line says how long it may take.

    Args:
        title: what is waited for.
        about_s: how long it takes at most on an idle machine, s.
        quiet: print nothing.
    """

    def __init__(self, title: str, about_s: int, quiet: bool = False) -> None:
        super().__init__(quiet, line_every_s=float("inf"))
        self.line(f"{title}: about {about_s} s")
        if self.is_live:
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._live = Bar(
                TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn(),
                console=console(stderr=True),
            )  # fmt: skip
            self._task = self._live.add_task(title, total=1.0)

    def update(self, share: float) -> None:
        """Say which share is done."""
        if self.is_live:
            self._live.update(self._task, completed=share)
