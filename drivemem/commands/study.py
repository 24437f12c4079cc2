"""`drivemem study`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

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


def run(words: list[str]) -> int:
    """Run a study."""
    options = read_options(Options, "study", words)
    if not options.file:
        raise UsageError("give a study file, such as experiments/*.toml")
    if options.jobs is not None and options.ray is not None:
        raise UsageError("--jobs is for this machine, --ray for a cluster")
    from drivemem.progress import console
    from drivemem.studies.plan import Part, make_plan
    from drivemem.studies.spec import load_study

    part = Part(options.scenarios or None, options.agents or None, options.seeds or None)
    plan = make_plan(load_study(options.file), options.out, part)
    out = console()
    for note in plan.notes:
        out.print(note, markup=False, soft_wrap=True)
    if options.dry_run:
        return _dry_run(plan, options.jobs)
    if options.restore is not None:
        _restore(plan, options.restore)
    failed: dict[str, str] = {}
    if not options.only_report:
        try:
            summary = _run(plan, options)
        except KeyboardInterrupt:
            print("\ninterrupted; the same command goes on", file=sys.stderr)
            return 1
        failed = summary.failed
        out.print(f"{len(summary.done)} of {len(plan.cells)} runs are done: {plan.folder}")
        for name, why in failed.items():
            log = plan.folder / name / "log.txt"
            out.print(f"failed: {name}: {why} (log: {log})", markup=False, soft_wrap=True)
        if failed and not summary.done:
            return 1
    if options.results != "none":
        _report(options)
    return 1 if failed else 0


def _restore(plan: Any, folder: str) -> None:
    from drivemem.progress import console
    from drivemem.studies.archive import restore

    found = restore(plan, folder)
    out = console()
    out.print(f"{len(found.cells)} runs restored from {folder}", markup=False, soft_wrap=True)
    for name, why in found.outdated.items():
        out.print(f"not restored: {name}: {why}", markup=False, soft_wrap=True)


def _run(plan: Any, options: Options) -> Any:
    if options.ray is None:
        from drivemem.studies.local import run_local

        return run_local(plan, options.jobs)
    from drivemem.studies.cluster import run_on_ray

    return run_on_ray(plan, options.ray)


def _report(options: Options) -> None:
    """Report all of the study, also when only a part of it was to run."""
    from drivemem.progress import console
    from drivemem.studies.plan import make_plan
    from drivemem.studies.results import write_results
    from drivemem.studies.spec import load_study

    study, file = load_study(options.file), Path(options.file)
    folder = Path(options.results or file.parent / study.name / "results")
    results = write_results(
        make_plan(study, options.out), folder, f"drivemem study {file.as_posix()}"
    )
    out = console()
    for suite in results.comparison.tables:
        out.print(suite.headline(), markup=False, soft_wrap=True)
    for path in results.left_out:
        out.print(f"left out, the results would be too large for git: {path}", markup=False)
    out.print(f"results: {folder / 'RESULTS.md'}, {results.report}", markup=False, soft_wrap=True)


def _dry_run(plan: Any, jobs: int | None) -> int:
    from drivemem.progress import console
    from drivemem.studies.costs import costs, table
    from drivemem_envs.cores import usable_cores

    console().print(table(plan, costs(plan), jobs or usable_cores()))
    return 0
