"""`drivemem.study`: run what is missing of a study file, then report it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drivemem.errors import DrivememError
from drivemem.studies import archive
from drivemem.studies.costs import Cost, costs, table
from drivemem.studies.local import Summary, run_local
from drivemem.studies.plan import Part, Plan, make_plan
from drivemem.studies.results import Results, write_results
from drivemem.studies.spec import load_study
from drivemem.tables import Shown, Table
from drivemem.training.mirrors import logging_to
from drivemem_envs.cores import usable_cores

NO_REPORT = "none"
"""In place of a folder for the report: none is written."""


@dataclass
class StudyDone(Shown):
    """What came of a call."""

    plan: Plan
    done: list[str] = field(default_factory=list)
    """Runs that are complete, those of earlier calls included."""
    failed: dict[str, str] = field(default_factory=dict)
    """Runs that failed, with the reason."""
    results: Results | None = None
    """The report; None where none was asked for, or there is nothing to report."""
    costs: list[Cost] | None = None
    """Of a dry run: each run, where it stands, and what it would cost."""
    jobs: int = 1
    """Runs at once that the costs are shared by."""

    def as_tables(self) -> list[Table]:
        """Of a dry run the costs, else the comparison of what is reported."""
        if self.costs is not None:
            return [table(self.plan, self.costs, self.jobs)]
        return [] if self.results is None else self.results.comparison.as_tables()


def study(
    file: str | Path,
    *,
    jobs: int | None = None,
    ray: str | None = None,
    dry_run: bool = False,
    out: str | Path | None = None,
    scenarios: Sequence[str] = (),
    agents: Sequence[str] = (),
    seeds: Sequence[int] = (),
    results: str | Path | None = None,
    restore: str | Path | None = None,
    only_report: bool = False,
    log: Sequence[str] | None = None,
    told: Callable[[str], None] = lambda line: None,
) -> StudyDone:
    """Run what is missing of a study: scenarios x agents x seeds x lesions; then report it.

    Args:
        file: the study's TOML file.
        jobs: runs at once on this machine; default: one for each core.
        ray: run on a Ray cluster in place of this machine: auto, or HOST:PORT (extra `ray`).
        dry_run: run nothing: only ask what is there already, and what the rest would cost.
        out: the study's folder; default `runs/<study>`.
        scenarios: run only these scenarios of the study.
        agents: run only these agents (or reference drivers) of the study.
        seeds: run only these seeds of the study.
        results: folder for the report; default `<study>/results` beside the file; `none`: no
            report.
        restore: results folder whose runs are taken as done where the study's folder lacks them.
        only_report: run nothing: report what is there.
        log: where metrics of runs are shown besides, as for `drivemem.train`; on a cluster it is
            what the environment variable DRIVEMEM_LOG names there.
        told: gets a line for each thing that happens.

    Returns:
        What was done, what failed, and the report.

    Raises:
        DrivememError: a file that is no study, names that it does not have, folders that hold
            other runs, or nothing to report.
        KeyboardInterrupt: after Ctrl-C; the same call goes on.
    """
    if jobs is not None and ray is not None:
        raise DrivememError("jobs is for this machine, ray for a cluster: give one of them")
    if ray is not None and log is not None:
        raise DrivememError("log is for this machine: on a cluster set DRIVEMEM_LOG in its jobs")
    part = Part(scenarios or None, agents or None, seeds or None)
    plan = make_plan(load_study(file), out, part)
    for note in plan.notes:
        told(note)
    if dry_run:
        return StudyDone(plan, costs=costs(plan), jobs=jobs or usable_cores())
    if restore is not None:
        _restore(plan, restore, told)
    outcome = StudyDone(plan)
    if not only_report:
        with logging_to(log):
            summary = _run(plan, jobs, ray)
        outcome.done, outcome.failed = summary.done, summary.failed
        told(f"{len(outcome.done)} of {len(plan.cells)} runs are done: {plan.folder}")
        for name, why in outcome.failed.items():
            told(f"failed: {name}: {why} (log: {plan.folder / name / 'log.txt'})")
        if outcome.failed and not outcome.done:
            return outcome
    if results != NO_REPORT:
        outcome.results = _report(Path(file), out, results, told)
    return outcome


def _restore(plan: Plan, folder: str | Path, told: Callable[[str], None]) -> None:
    found = archive.restore(plan, folder)
    told(f"{len(found.cells)} runs restored from {folder}")
    for name, why in found.outdated.items():
        told(f"not restored: {name}: {why}")


def _run(plan: Plan, jobs: int | None, ray: str | None) -> Summary:
    if ray is None:
        return run_local(plan, jobs)
    from drivemem.studies.cluster import run_on_ray

    return run_on_ray(plan, ray)


def _report(
    file: Path, out: str | Path | None, folder: str | Path | None, told: Callable[[str], None]
) -> Results:
    """Report all of the study, also when only a part of it was to run."""
    spec = load_study(file)
    place = Path(folder or file.parent / spec.name / "results")
    results = write_results(make_plan(spec, out), place, f"drivemem study {file.as_posix()}")
    for suite in results.comparison.tables:
        told(suite.headline())
    for path in results.left_out:
        told(f"left out, the results would be too large for git: {path}")
    told(f"results: {place / 'RESULTS.md'}, {results.report}")
    return results
