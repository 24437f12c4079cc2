"""`drivemem study`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from drivemem.commands.parsing import read_options


@dataclass
class Options:
    """Run what is missing of a study: scenarios x agents x seeds x lesions; then report it."""

    file: Annotated[str, tyro.conf.Positional] = ""
    """The study's TOML file."""
    jobs: int | None = None
    """Runs at once on this machine; default: one for each core."""
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


def run(words: list[str]) -> int:
    """Run a study."""
    options = read_options(Options, "study", words)
    if not options.file:
        print("drivemem study: give a study file, such as experiments/*.toml", file=sys.stderr)
        return 2
    from drivemem.progress import console
    from drivemem.study.local import run_local
    from drivemem.study.plan import Part, make_plan
    from drivemem.study.spec import load_study

    part = Part(options.scenarios or None, options.agents or None, options.seeds or None)
    plan = make_plan(load_study(options.file), options.out, part)
    out = console()
    for note in plan.notes:
        out.print(note, markup=False, soft_wrap=True)
    if options.dry_run:
        return _dry_run(plan, options.jobs)
    try:
        summary = run_local(plan, options.jobs)
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on", file=sys.stderr)
        return 1
    out.print(f"{len(summary.done)} of {len(plan.cells)} runs are done: {plan.folder}")
    for name, why in summary.failed.items():
        log = plan.folder / name / "log.txt"
        out.print(f"failed: {name}: {why} (log: {log})", markup=False, soft_wrap=True)
    return 1 if summary.failed else 0


def _dry_run(plan: Any, jobs: int | None) -> int:
    from drivemem.progress import console
    from drivemem.study.costs import costs, table
    from drivemem.study.local import cores

    console().print(table(plan, costs(plan), jobs or cores()))
    return 0
