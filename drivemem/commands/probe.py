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
    edit: str | None = None
    """In place of decoding: make memory hold another value of this (latent, or part of a target's
    name), and see whether what the agent does follows."""
    edit_after: float = 0.0
    """How long it has been hidden when it is edited, s; 0: as soon as it is."""
    edit_by: float | None = None
    """How far a quantity is moved; default: its standard deviation. A kind becomes another one."""


def run(words: list[str]) -> int:
    """Probe and print a table for each run."""
    options = read_options(Options, "probe", words)
    if not options.runs:
        raise UsageError("give trained runs, such as runs/gru")
    from drivemem.output import console, show

    settings = vars(options)
    runs, target = settings.pop("runs"), settings.pop("edit")
    after_s, by = settings.pop("edit_after"), settings.pop("edit_by")
    if target is None:
        if after_s or by is not None:
            raise UsageError("--edit-after and --edit-by say how to edit: give --edit TARGET too")
        from drivemem.probes import probe

        for path in runs:
            found = probe(path, **settings)
            show(*found.as_tables())
            for line in found.lines():
                console().print(line)
            console().print(f"probes: {found.folder}", soft_wrap=True)
        return 0
    from drivemem.probes.edits import edit

    del settings["frames"]
    for path in runs:
        edited = edit(path, target, after_s=after_s, by=by, **settings)
        show(*edited.as_tables())
        console().print(f"edits: {edited.folder}", soft_wrap=True)
    return 0
