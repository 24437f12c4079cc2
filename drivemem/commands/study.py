"""`drivemem study`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated

import tyro

from drivemem.commands.parsing import read_options
from drivemem.errors import UsageError


@dataclass
class Options:
    """Run what is missing of a study: scenarios x agents x seeds x lesions; then report it."""

    file: Annotated[str, tyro.conf.Positional] = ""
    """The study's TOML file."""
    jobs: int | None = None
    """Runs at once on this machine; default: one for each core."""
    ray: str | None = None
    """Run on a Ray cluster in place of this machine: auto, or HOST:PORT (extra `ray`)."""
    dry_run: bool = False
    """Only show the runs, what is there already, and what the rest would cost."""
    out: str | None = None
    """The study's folder; default runs/<study>."""
    scenarios: tuple[str, ...] = ()
    """Run only these scenarios of the study."""
    agents: tuple[str, ...] = ()
    """Run only these agents (or reference drivers) of the study."""
    seeds: tuple[int, ...] = ()
    """Run only these seeds of the study."""
    results: str | None = None
    """Folder for the report; default <study>/results beside the study file; none: no report."""
    restore: str | None = None
    """Results folder whose runs are taken as done where the study's folder lacks them."""
    only_report: bool = False
    """Run nothing: report what is there, also while another process runs the study."""
    log: tuple[str, ...] | None = None
    """Where metrics of runs are shown besides: tensorboard, wandb (Weights & Biases), none; on a
    cluster, what DRIVEMEM_LOG names there."""


def run(words: list[str]) -> int:
    """Run a study."""
    options = read_options(Options, "study", words)
    if not options.file:
        raise UsageError("give a study file, such as experiments/*.toml")
    if options.jobs is not None and options.ray is not None:
        raise UsageError("--jobs is for this machine, --ray for a cluster")
    from drivemem.output import console, keep, show
    from drivemem.studies.running import study

    out = console()
    try:
        done = study(
            **vars(options),
            told=lambda line: out.print(line, soft_wrap=True),
        )
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on", file=sys.stderr)
        return 1
    if done.costs is not None:
        show(*done.as_tables())
    else:  # people have been told the headlines
        keep(*done.as_tables())
    return 1 if done.failed else 0
