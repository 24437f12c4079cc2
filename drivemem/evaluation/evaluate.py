"""Evaluation: every driver meets the same episodes, each reset with its own seed.

Episodes are divided over worlds in advance, or short ones (crashes) would be over-counted.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from drivemem.backends import choose_backend
from drivemem.errors import DrivememError
from drivemem.evaluation.config import EvaluateConfig, evaluate_config
from drivemem.evaluation.drivers import ActingDriver, PolicyDriver, check_fits
from drivemem.evaluation.episode_log import EpisodeLog
from drivemem.evaluation.external_drivers import MANUAL
from drivemem.evaluation.jobs import Job, evaluation_name, make_jobs, open_worlds
from drivemem.evaluation.results import Evaluation, Evaluations
from drivemem.evaluation.resume import ResumableEvaluation, missing_from, refuse_to_replace
from drivemem.evaluation.rollout import drive_suite
from drivemem.evaluation.selection import Selection, record_number, select
from drivemem.evaluation.suites import SuiteSeeds
from drivemem.lesions import INTACT
from drivemem.progress import Progress
from drivemem.runs import open_run
from drivemem.threads import limit_threads
from drivemem_agents.settings import documented_by

WORLDS = {"compiled": 64, "reference": 16}
"""Worlds driven at once, by backend: more share what a decision costs besides simulation."""

WATCHED = "-watched"
"""Behind the name of a recording that was made by looking, which is no result."""

DriverCallback = Callable[[Any, ActingDriver], ActingDriver]
"""Given the worlds and the driver, returns who drives in its place, such as one with a window."""


@documented_by(EvaluateConfig)
def evaluate(run: str | Path | None = None, *, quiet: bool = False, **settings: Any) -> Evaluations:
    """Evaluate a trained run, or a driver on a scenario.

    Args:
        run: folder of a trained run, or of a driver evaluated before; else give `driver` and
            `scenario`.
        quiet: no progress.
        **settings: as listed below, such as `episodes=100` or `lesion="span:1,2,4"`.

    Returns:
        A list with one evaluation for each lesion, which can be shown as a table.

    Raises:
        DrivememError: no such setting, run, driver, scenario or lesion; files that cannot be
            written; finished results of more episodes in their place (`again` replaces them).
        KeyboardInterrupt: after Ctrl-C; repeat the call for the rest.
    """
    limit_threads()
    config = evaluate_config(**settings)
    if config.num_envs is not None and config.num_envs < 1:
        raise DrivememError(f"num_envs is {config.num_envs}; drive at least 1 world")
    record_number(config.record)  # complain before anything is driven
    driver = config.driver if run is None else open_run(run).settings().get("driver")
    if driver == MANUAL:
        raise DrivememError("a person drives in a window: `drivemem watch --driver manual`")
    return Evaluations(drive(job, config, quiet) for job in make_jobs(run, config))


def drive(
    job: Job,
    config: EvaluateConfig,
    quiet: bool,
    watched: DriverCallback | None = None,
    only_watch: bool = False,
) -> Evaluation:
    """Drive one job.

    Args:
        job: who meets what.
        config: what is recorded, and how it is driven.
        quiet: no progress.
        watched: given the worlds and the driver, returns one that is watched; an interruption
            then ends the suite with the episodes driven so far.
        only_watch: leave evaluations and recordings as they are; what is driven is recorded in a
            folder of its own.

    Raises:
        DrivememError: see `evaluate`; results of more episodes are there and were not asked to be
            replaced; a watched driver was left before the first episode ended.
        KeyboardInterrupt: after Ctrl-C, if nobody watches.
    """
    name, selection = evaluation_name(job), select(config.record, job.suite)
    recording = job.home.folder / "recordings" / (f"{name}{WATCHED}" if only_watch else name)
    backend = choose_backend(config.backend, job.suite.scenario)
    stored = ResumableEvaluation(job, job.home.folder / "evaluations" / name, backend)
    parts = not selection.limit  # a recording is not kept in parts
    goes_on = parts and not config.again
    before = stored.finished() if goes_on else None
    if before is not None:
        return Evaluation(stored.folder, job.identity, job.suite, backend, before, reused=True)
    lost = 0 if only_watch or config.again else missing_from(job.suite.seeds, stored.folder)
    if not (only_watch or config.again):
        refuse_to_replace(stored.folder if parts else recording, job.suite, selection.limit)
    log = _driven(job, config, stored, selection, stored.rows() if goes_on else [], quiet, watched)
    recorded = log.write_recording(recording)
    if not (only_watch or lost):
        stored.finish(log.episodes)
    return Evaluation(
        stored.folder, job.identity, stored.suite, backend, log.episodes,
        recording if recorded else None, stored=not (only_watch or lost),
    )  # fmt: skip


def _driven(
    job: Job, config: EvaluateConfig, stored: ResumableEvaluation, selection: Selection,
    done: list[dict[str, Any]], quiet: bool, watched: DriverCallback | None,
) -> EpisodeLog:  # fmt: skip
    """Drive the episodes that are not done; where somebody watches, `stored` may end earlier."""
    suite, driver, identity = job.suite, job.driver, job.identity
    numbers = {row["episode"] for row in done}
    left = [number for number in range(len(suite.seeds)) if number not in numbers]
    worlds = min(config.num_envs or WORLDS[stored.backend], len(suite.seeds))
    seeds = SuiteSeeds(suite, worlds, left)
    env = open_worlds(suite, seeds, stored.backend, config.num_workers)
    label = identity.driver if identity.lesion == INTACT else f"{identity.driver} {identity.lesion}"
    title = f"{job.home.name} {label} ({stored.backend})"
    if selection.limit and isinstance(driver, PolicyDriver):
        driver.show_attention()
    save = None if selection.limit else stored.save_now_and_then
    log = EpisodeLog(env, suite, identity, stored.backend, selection, done, save)
    try:
        if isinstance(driver, PolicyDriver):
            check_fits(driver.policy, env, suite.scenario.name)
        with Progress(title, len(suite.seeds), "episodes", len(done), quiet) as bar:
            acting = driver if watched is None else watched(env, driver)
            drive_suite(env, acting, seeds, bar, [log])
            log.sort()
    except KeyboardInterrupt:
        if not selection.limit:
            stored.save(log.episodes)
        if watched is None:
            raise
        stored.suite = log.cut_short()
    finally:
        env.close()
    return log
