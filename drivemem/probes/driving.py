"""Opening worlds to probe a run's agent in: who meets what, and the traces of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivemem.errors import DrivememError
from drivemem.evaluation.config import Backend, EvaluateConfig
from drivemem.evaluation.drivers import PolicyDriver
from drivemem.evaluation.jobs import Job, agent_job, open_worlds
from drivemem.evaluation.suites import Suite, SuiteSeeds
from drivemem.probes.linear import MIN_EPISODES
from drivemem.probes.tellings import Retold
from drivemem.probes.traces import ProbeCallback, Traces, collect_traces
from drivemem.progress import Progress
from drivemem.runs import open_run


@dataclass(frozen=True)
class WorldSettings:
    """In which worlds a suite is driven to be probed."""

    backend: Backend
    num_envs: int
    num_workers: int | None
    quiet: bool

    def __post_init__(self) -> None:
        if self.num_envs < 1:
            raise DrivememError(f"num_envs is {self.num_envs}; drive at least 1 world")

    @contextmanager
    def opened(self, suite: Suite) -> Iterator[tuple[Any, SuiteSeeds]]:
        """Worlds that drive a suite, closed afterwards, and the rule that gives them episodes."""
        seeds = SuiteSeeds(suite, min(self.num_envs, len(suite.seeds)))
        env = open_worlds(suite, seeds, self.backend, self.num_workers)
        try:
            yield env, seeds
        finally:
            env.close()


def probing_job(run: str | Path, lesion: str, config: EvaluateConfig) -> Job:
    """A run's agent about to meet a suite that can be probed.

    Raises:
        DrivememError: no trained run, unknown names, or too few episodes.
    """
    home = open_run(run)
    if home.is_driver():
        raise DrivememError(f"{home.folder} is a reference driver: it has no memory state to probe")
    job = agent_job(home, lesion, config)
    if len(job.suite.seeds) < MIN_EPISODES:
        raise DrivememError(
            f"{len(job.suite.seeds)} episodes are too few to probe: give --episodes "
            f"{MIN_EPISODES} or more"
        )
    return job


def suite_traces(
    job: Job, driver: PolicyDriver, worlds: WorldSettings, title: str,
    *, frames: int = 4, callbacks: tuple[ProbeCallback, ...] = (), retold: Retold | None = None,
) -> Traces:  # fmt: skip
    """Open worlds and collect the traces of a job's suite in them.

    Args:
        job: who meets what.
        driver: who drives; of the job, or in its place.
        worlds: how they are driven.
        title: of the progress.
        frames: depth of the frame stack.
        callbacks: told of every decision.
        retold: what the driver is told in place of what is true.

    Raises:
        DrivememError: worlds that cannot be opened.
    """
    with worlds.opened(job.suite) as (env, seeds):
        title = f"{job.home.name} {title} ({env.backend})"
        with Progress(title, len(job.suite.seeds), "episodes", 0, worlds.quiet) as bar:
            return collect_traces(
                env, driver, job.suite, seeds, bar,
                frames=frames, callbacks=callbacks, retold=retold,
            )  # fmt: skip
