"""`drivemem watch`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

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
    from drivemem.evaluation.external_drivers import MANUAL
    from drivemem.evaluation.watching import has_display, watch
    from drivemem.progress import console

    if has_display() or options.driver == MANUAL:
        done = watch(**vars(options))
        for row in done.rows:
            console().print(f"episode {row['episode']}: {row['outcome']}")
        console().print(f"recording: {done.recording}", soft_wrap=True)
        return 0
    page = _page(options)
    console().print(f"no display: watch the page {page} instead", soft_wrap=True)
    return 0


def _page(options: Options) -> Path:
    from drivemem.evaluation.watching import record_to_watch
    from drivemem.replays import replay

    done = record_to_watch(
        options.run, driver=options.driver, scenario=options.scenario, episodes=options.episodes,
        out=options.out, trust=options.trust,
    )  # fmt: skip
    folder: Any = done.recording
    written = replay(folder).page
    return Path(folder) / "replay.html" if written is None else written
