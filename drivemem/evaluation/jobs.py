"""Jobs: one driver about to meet one suite, a trained run's agent or any other driver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivemem.backends import choose_backend, compile_ahead
from drivemem.errors import DrivememError, one_line
from drivemem.evaluation.config import Backend, EvaluateConfig
from drivemem.evaluation.drivers import (
    ActingDriver,
    AgentDriver,
    Identity,
    ReferenceDriver,
    agent_identity,
    driver_identity,
)
from drivemem.evaluation.external_drivers import resolve_driver
from drivemem.evaluation.suites import Suite, SuiteSeeds, load_suite, make_suite
from drivemem.lesions import INTACT, folder_name, parse_lesions
from drivemem.runs import RUNS, Run, open_run, write_json_file
from drivemem_envs import Scenario, make_vec, registry
from drivemem_envs.cores import usable_cores


@dataclass(frozen=True)
class Job:
    """One driver about to meet one suite."""

    home: Run
    driver: ActingDriver
    identity: Identity
    own: Scenario
    """What the driver was made for; evaluations elsewhere get a name that says so."""
    suite: Suite


def make_jobs(run: str | Path | None, config: EvaluateConfig) -> Iterator[Job]:
    """What an evaluation comes to: a job for each lesion.

    Args:
        run: folder of a trained run, or of a driver evaluated before; None: the driver of the
            configuration.
        config: what is asked for.

    Raises:
        DrivememError: no such run, driver, scenario or lesion.
    """
    home = None if run is None else open_run(run)
    if home is not None and home.is_driver():
        stored = home.settings()
        config = config.model_copy(
            update={
                "driver": stored["driver"], "scenario": config.scenario or stored["scenario"],
                "out": config.out or str(home.folder),
            }
        )  # fmt: skip
        home = None
    lesions = parse_lesions(config.lesion)
    if home is None:
        if config.driver is None or config.scenario is None:
            raise DrivememError("give a run, or --driver NAME and --scenario NAME")
        if lesions != [INTACT]:
            raise DrivememError(
                f"lesion '{config.lesion}' cuts trained agents; {config.driver} is none"
            )
        yield driver_job(config.driver, config.scenario, config)
        return
    for lesion in lesions:
        yield agent_job(home, lesion, config)


def agent_job(home: Run, lesion: str, config: EvaluateConfig) -> Job:
    """A trained run's agent about to meet a suite.

    Args:
        home: the run.
        lesion: `name:argument` or `intact`.
        config: what else is asked for.

    Raises:
        DrivememError: no trained agent, unknown names, a lesion that does not fit.
    """
    if not (home.model / "agent.json").is_file():
        raise DrivememError(f"{home.folder} has no trained agent; {_way_to_an_agent(home)}")
    trained = home.config()
    own = met = trained.changed_scenario()
    if config.scenario is not None:  # the run's dials are those of its own scenario
        other = trained.model_copy(update={"scenario": config.scenario, "dials": ()})
        met = other.changed_scenario()
    met = config.changed(met)
    suite = (
        make_suite(met, config.episodes, "train", trained.seed, trained.num_envs)
        if config.suite == "train"
        else _suite(config.suite, met, config.episodes)
    )
    agent = AgentDriver(home.model, lesion, not config.sampled)
    return Job(home, agent, agent_identity(home, lesion, not config.sampled), own, suite)


def _way_to_an_agent(home: Run) -> str:
    if home.latest_checkpoint() is not None:
        return "go on with the same `drivemem train` command and --resume"
    return (
        "nor has it a checkpoint (runs restored from a study's results come without weights); "
        "train one with the same `drivemem train` command and another --out"
    )


def driver_job(driver: str, scenario: str, config: EvaluateConfig) -> Job:
    """A driver that was not trained here, about to meet a suite.

    Raises:
        DrivememError: unknown names, a driver that fails, a folder that is another run's.
    """
    with one_line(ValueError):
        own = registry.scenario(scenario)
    if config.suite == "train":
        raise DrivememError("suite 'train' is a run's own training episodes; a driver has none")
    met = _suite(config.suite, config.changed(own), config.episodes)
    found = resolve_driver(driver, met.scenario, config.trust)
    met = Suite(met.name, found.scenario, met.seeds)
    name = f"{_bare(own.name)}-{folder_name(found.name)}"
    home = Run(RUNS / name if config.out is None else Path(config.out))
    _write_driver_folder(home, driver, own.name, found.tracker)
    identity = driver_identity(
        found.name, home.name, found.tracker, found.scenario.sensors.is_full, not config.sampled
    )
    return Job(home, ReferenceDriver(found.driver, not config.sampled), identity, own, met)


def _bare(name: str) -> str:
    return name.removeprefix("drivemem/")


def _suite(suite: str, scenario: Scenario, episodes: int) -> Suite:
    """A suite by name, or a published one met with the driver's own observation."""
    if suite in ("test", "eval"):
        return make_suite(scenario, episodes, suite)  # type: ignore[arg-type]
    if Path(suite).suffix != ".json":
        raise DrivememError(
            f"unknown suite '{suite}' (one of: test, eval, train, or the path of a suite.json)"
        )
    published = load_suite(Path(suite))
    driver = scenario.observation
    met = published.scenario.with_(
        slots=driver.slots, tracker=driver.tracker, flat=driver.flat, views=driver.views
    )
    return Suite(published.name, met, published.seeds)


def _write_driver_folder(home: Run, driver: str, scenario: str, tracker: str) -> None:
    settings = {"driver": driver, "scenario": scenario, "tracker": tracker}
    if home.config_file.exists() and home.settings() != settings:
        raise DrivememError(f"{home.folder} holds another run: choose another --out")
    write_json_file(home.config_file, settings)


def open_worlds(suite: Suite, seeds: SuiteSeeds, backend: Backend, num_workers: int | None) -> Any:
    """The worlds that drive a suite; `backend` of theirs is the one that was chosen.

    Args:
        suite: the episodes.
        seeds: the rule that gives them to the worlds.
        backend: auto, compiled or reference.
        num_workers: threads or processes; None: the machine's cores.

    Raises:
        DrivememError: the backend does not run the scenario, or no workers.
    """
    if num_workers is not None and num_workers < 1:
        raise DrivememError(f"num_workers is {num_workers}; give at least 1")
    chosen = choose_backend(backend, suite.scenario)
    if chosen == "compiled":
        compile_ahead(suite.scenario)
    workers = usable_cores() if num_workers is None else num_workers
    return make_vec(suite.scenario, seeds.worlds, backend=chosen, seeds=seeds, num_workers=workers)


def evaluation_name(job: Job) -> str:
    """`<suite>-<lesion>`; elsewhere than at home behind the scenario's name and a hash."""
    identity, suite = job.identity, job.suite
    name = f"{suite.name}-{folder_name(identity.lesion)}"
    name += "" if identity.deterministic else "-sampled"
    if suite.episodes_hash() == Suite("", job.own, ()).episodes_hash():
        return name
    return f"{_bare(suite.scenario.name)}-{suite.episodes_hash()[:6]}-{name}"
