"""`drivemem list`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from drivemem.commands.parsing import read_options


@dataclass
class Options:
    """Show what there is."""

    kind: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Such as scenarios, memories, encoders, drivers, lesions, trackers or metrics; none: all."""
    tag: str | None = None
    """Scenarios with this tag only, such as `free-driving`."""


def run(words: list[str]) -> int:
    """Print the tables asked for."""
    options = read_options(Options, "list", words)
    from drivemem.listing import tables
    from drivemem.output import show

    show(*tables(options.kind, options.tag))
    return 0
