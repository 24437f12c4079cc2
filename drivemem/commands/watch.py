"""`drivemem watch`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from drivemem.commands.parsing import read_options
from drivemem.errors import UsageError


@dataclass
class Options:
    """Watch a driver in a window, or drive by hand; without a display, write a page."""

    run: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = None
    """Folder of a trained run."""
    driver: str | None = None
    """In place of a run: a driver as in `evaluate`, or manual (arrow keys; Escape ends)."""
    scenario: str | None = None
    """The scenario, with --driver."""
    episodes: int = 5
    """How many episodes."""
    layers: tuple[str, ...] | None = None
    """truth, sees, remembers, shown; default all of them, by hand only what the ego sees."""
    speed: float = 1.0
    """1 is real time."""
    out: str | None = None
    """Where a driver's results go; default runs/<scenario>-<driver>."""
    trust: bool = False
    """Load sb3: files, which run code that is stored in them."""


def run(words: list[str]) -> int:
    """Open the window, or write the page."""
    options = read_options(Options, "watch", words)
    if (options.run is None) == (options.driver is None):
        raise UsageError("give a run, or --driver NAME --scenario NAME")
    from drivemem.output import console
    from drivemem.replays.watching import watch

    done = watch(**vars(options))
    if done.page is not None:
        console().print(f"no display: watch the page {done.page} instead", soft_wrap=True)
        return 0
    for row in done.evaluation.rows:
        console().print(f"episode {row['episode']}: {row['outcome']}")
    console().print(f"recording: {done.evaluation.recording}", soft_wrap=True)
    return 0
