"""`drivemem tour`."""

from __future__ import annotations

import webbrowser
from dataclasses import dataclass
from typing import Annotated

import tyro

from drivemem.commands.parsing import read_options


@dataclass
class Options:
    """Write a page that shows what memory does in one scenario, and open it; nothing is trained.

    The same episode with memory, without, and with that memory cut; what a probe reads from it; how
    all trained agents of the scenario drove. All of it came with the package.
    """

    scenario: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="SCENARIO")] = None
    """Which; default: the one where memory shows best (`drivemem zoo` lists the agents)."""
    out: str | None = None
    """The page; default runs/tour/<scenario>.html."""
    open: bool = True
    """Open it in a browser, where there is a display."""


def run(words: list[str]) -> int:
    """Write the page, say where it is, and open it."""
    options = read_options(Options, "tour", words)
    from drivemem.evaluation.watching import has_display
    from drivemem.output import console, show
    from drivemem.touring import tour

    made = tour(options.scenario, options.out)
    show(*made.as_tables())
    size = made.page.stat().st_size / 1e6
    console().print(f"page: {made.page} ({size:.2f} MB)", soft_wrap=True)
    if options.open and has_display():
        webbrowser.open(made.page.resolve().as_uri())
    return 0
