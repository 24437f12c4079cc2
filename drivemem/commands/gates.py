"""`drivemem gates`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated

import tyro

from drivemem.commands.parsing import read_options
from drivemem.errors import UsageError


@dataclass
class Options:
    """Ask whether a scenario may judge memories: oracle, learnable, headroom, shortcuts.

    Runs agents without memory as a study does, gate by gate, until one is not passed; the same
    command goes on. Exit code 0: every gate is passed; 1: not.
    """

    scenario: Annotated[str, tyro.conf.Positional] = ""
    """Name of a scenario."""
    seeds: int = 3
    """Training runs of each agent."""
    steps: int | None = None
    """Decisions of each; default: the preset's."""
    episodes: int = 300
    """Test episodes that each run is judged on."""
    set: tuple[str, ...] = ()
    """Settings of `drivemem train` that win over the preset, as key=value words (values as JSON),
    such as num_envs=64 'encoder_kwargs={"widths":[128,128]}'."""
    preset: str | None = None
    """A TOML file in place of the scenario's own preset; none: no preset."""
    oracle: str | None = None
    """The driver that is told the truth, as `drivemem evaluate --driver` takes it; default:
    oracle, which goes by the scenario's own rule if it has one, else by a plan."""
    all: bool = False
    """Run also what comes after a gate that was not passed."""
    out: str | None = None
    """Folder of runs, gates.json and gates.md; default runs/gates-<scenario>."""
    jobs: int | None = None
    """Runs at once; default: one for each core."""


def run(words: list[str]) -> int:
    """Run the gates and print what came of them."""
    options = read_options(Options, "gates", words)
    if not options.scenario:
        raise UsageError("name a scenario; `drivemem list scenarios` shows them")
    from drivemem.gates.arms import Budget
    from drivemem.gates.run import run_gates
    from drivemem.output import console, show
    from drivemem.settings import parse_pairs

    settings = parse_pairs(options.set, "--set")
    settings |= {} if options.steps is None else {"steps": options.steps}
    out = console()
    try:
        report = run_gates(
            options.scenario,
            Budget(options.seeds, options.episodes, settings, options.preset),
            out=options.out, oracle=options.oracle, every=options.all, jobs=options.jobs,
            told=lambda line: out.print(line, soft_wrap=True),
        )  # fmt: skip
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on", file=sys.stderr)
        return 1
    show(*report.as_tables())
    out.print(f"written: {report.folder / 'gates.json'}, gates.md", soft_wrap=True)
    out.print(report.summary, soft_wrap=True)
    return 0 if report.passed else 1
