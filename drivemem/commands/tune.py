"""`drivemem tune`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from typing import Annotated

import tyro

from drivemem.commands.parsing import read_options
from drivemem.errors import UsageError


@dataclass
class Options:
    """Search settings of training, the same budget for every memory; writes what it found.

    On one scenario that is a preset; on several, settings that are best on all of them together,
    as the agents of a study.
    """

    scenario: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Names of scenarios."""
    memories: tuple[str, ...] = ("none", "frame_stack", "gru")
    """Memories to search settings for."""
    trials: int = 20
    """Runs for each memory; more go on with an earlier search."""
    steps: int = 200_000
    """Decisions of each run; a trial is a run on each scenario."""
    episodes: int = 200
    """Episodes that a run is judged on (of the eval stream; the test stream is not touched)."""
    seed: int = 0
    """Of the proposals and of training."""
    fixed: tuple[str, ...] = ()
    """Settings that stay as they are, as key=value words, such as num_envs=64."""
    out: str | None = None
    """Folder of journal and runs; default runs/tune-<scenario>, names of several joined."""
    preset: str | None = None
    """File for what was found; default <out>/<scenario>.toml, of several <out>/agents.toml."""


def run(words: list[str]) -> int:
    """Search, and write what was found."""
    options = read_options(Options, "tune", words)
    if not options.scenario:
        raise UsageError("name a scenario; `drivemem list scenarios` shows them")
    if options.trials < 1:
        raise UsageError(f"trials is {options.trials}; give at least 1")
    from drivemem.output import console, keep
    from drivemem.settings import parse_pairs
    from drivemem.studies.tuning import tune

    out = console()
    names = options.scenario
    scenario = names[0] if len(names) == 1 else names
    settings = {**vars(options), "fixed": parse_pairs(options.fixed, "--fixed")}
    settings["scenario"] = scenario
    try:
        tuned = tune(
            **settings,
            command=shlex.join(["drivemem", "tune", *words]),
            told=lambda line: out.print(line, soft_wrap=True),
        )
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on", file=sys.stderr)
        return 1
    for one in tuned.found:
        out.print(f"{one.memory}: {one.score:.3f} with {one.settings}", soft_wrap=True)
    keep(*tuned.as_tables())
    path = tuned.preset
    if len(names) > 1:
        out.print(f"agents: {path}\nnext: copy them into the file of a study (docs/studies.md)")
    else:
        out.print(f"preset: {path}\nnext: drivemem train {names[0]} --preset {path}")
    return 0
