"""`drivemem probe`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from drivemem.commands.parsing import read_options
from drivemem.errors import UsageError


@dataclass
class Options:
    """Decode what is hidden from the memory state of trained runs, and see where they look."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Folders of trained runs."""
    episodes: int = 200
    """How many episodes."""
    suite: str = "test"
    """test, eval, train, or the path of a suite.json."""
    lesion: str = "intact"
    """Probe the memory while it is cut: name:argument; `drivemem list lesions`."""
    frames: int = 4
    """Depth of the frame stack that the memory is compared with."""
    backend: Literal["auto", "compiled", "reference"] = "auto"
    """auto: compiled where the scenario supports it."""
    num_envs: int = 16
    """Worlds driven at once."""
    num_workers: int | None = None
    """Threads (compiled) or processes (reference); default: the machine's cores."""


def run(words: list[str]) -> int:
    """Probe and print a table for each run."""
    options = read_options(Options, "probe", words)
    if not options.runs:
        raise UsageError("give trained runs, such as runs/gru")
    from drivemem.output import console, show
    from drivemem.probes import probe

    settings = vars(options)
    for path in settings.pop("runs"):
        found = probe(path, **settings)
        show(*found.as_tables())
        for line in found.lines():
            console().print(line)
        console().print(f"probes: {found.folder}", soft_wrap=True)
    return 0
