"""A trained run is driven, made into something that can be read, and that is judged and written."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from drivemem.errors import DrivememError
from drivemem.evaluation.config import evaluate_config
from drivemem.evaluation.drivers import ActingDriver, AgentDriver
from drivemem.evaluation.episode_log import EpisodeLog
from drivemem.evaluation.evaluate import WORLDS
from drivemem.evaluation.jobs import Job, agent_job, open_worlds
from drivemem.evaluation.rollout import drive_suite
from drivemem.evaluation.selection import Selection
from drivemem.evaluation.suites import SuiteSeeds
from drivemem.explaining.config import ExplainConfig, Explanation, To
from drivemem.explaining.features import feature_names
from drivemem.explaining.made import MadeMachine, MadeTree
from drivemem.lesions import INTACT
from drivemem.probes.traces import Traces, collect_traces
from drivemem.progress import Progress
from drivemem.runs import open_run
from drivemem.threads import limit_threads
from drivemem_agents.settings import documented_by
from drivemem_envs.drivers.constant import action_labels


@documented_by(ExplainConfig)
def explain(run: str | Path, to: To, *, quiet: bool = False, **settings: Any) -> Explanation:
    """Make a run readable: a finite-state machine of its memory, or a tree of its actions.

    Files go into the run's folder `machine` or `tree`.

    Args:
        run: folder of a trained run.
        to: machine or tree.
        quiet: no progress.
        **settings: as listed below.

    Raises:
        DrivememError: no trained run, unknown settings, continuous actions, or a memory without a
            state where a machine is asked for.
    """
    limit_threads()
    config = ExplainConfig(**settings)
    home = open_run(run)
    if home.is_driver():
        raise DrivememError(f"{home.folder} is a reference driver: give a run that was trained")
    job = agent_job(home, INTACT, evaluate_config(suite="eval", episodes=config.episodes))
    labels = list(action_labels(job.suite.scenario))
    if not labels:
        raise DrivememError(
            f"{home.folder} has continuous actions: machines and trees name discrete ones"
        )
    if to == "machine" and not cast(AgentDriver, job.driver).policy.initial_state(1):
        raise DrivememError(
            f"memory '{job.identity.driver}' carries no state that could be a machine's: use "
            "--to tree"
        )
    traces, names = _traces(job, config, quiet)
    half = config.episodes // 2
    fit, held = _part(traces, traces.episode < half), _part(traces, traces.episode >= half)
    maker = MadeMachine if to == "machine" else MadeTree
    made = maker(home.name, config, fit, held, names, labels)
    again = range(half, config.episodes)
    share = partial(_success, job, config, again, quiet)
    commonest = np.bincount(held.actions.astype(np.int64)).max() / len(held.actions)
    found = Explanation(
        home.folder / to, to, made.agreement, float(commonest),
        share(made.driver, f"the {to} drives"), share(job.driver, "the run drives"), made.size,
        **made.facts,
    )  # fmt: skip
    return replace(found, files=made.write(found))


def _traces(job: Job, config: ExplainConfig, quiet: bool) -> tuple[Traces, list[str]]:
    """What the run did in all episodes, and the names of what it saw."""
    worlds = min(WORLDS["compiled"], len(job.suite.seeds))
    seeds = SuiteSeeds(job.suite, worlds)
    env = open_worlds(job.suite, seeds, config.backend, config.num_workers)
    try:
        with Progress(
            f"{job.home.name} is watched", len(job.suite.seeds), "episodes", 0, quiet
        ) as bar:
            traces = collect_traces(env, cast(AgentDriver, job.driver), job.suite, seeds, bar)
        return traces, feature_names(env.single_observation_space, job.suite.scenario)
    finally:
        env.close()


def _part(traces: Traces, rows: NDArray[np.bool_]) -> Traces:
    """Some rows of traces."""
    hidden = replace(
        traces.hidden,
        **{one.name: getattr(traces.hidden, one.name)[rows] for one in fields(traces.hidden)},
    )
    return replace(
        traces, episode=traces.episode[rows], step=traces.step[rows], hidden=hidden,
        inputs={name: part[rows] for name, part in traces.inputs.items()},
        latent=traces.latent[rows], cue_age_s=traces.cue_age_s[rows],
        actions=traces.actions[rows],
        probs=None if traces.probs is None else traces.probs[rows],
        telling=None if traces.telling is None else traces.telling[rows],
    )  # fmt: skip


def _success(
    job: Job, config: ExplainConfig, episodes: range, quiet: bool, driver: ActingDriver, title: str
) -> float:
    """Share of some episodes of the suite in which a driver succeeds."""
    seeds = SuiteSeeds(job.suite, min(WORLDS["compiled"], len(episodes)), list(episodes))
    env = open_worlds(job.suite, seeds, config.backend, config.num_workers)
    log = EpisodeLog(env, job.suite, job.identity, env.backend, Selection(0))
    try:
        with Progress(title, len(job.suite.seeds), "episodes", episodes.start, quiet) as bar:
            drive_suite(env, driver, seeds, bar, [log])
    finally:
        env.close()
    return float(np.mean([row["success"] for row in log.episodes]))
