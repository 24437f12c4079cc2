"""Entries: one driver about to meet one suite, a trained run's agent or any other driver."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from drivemem.backends import announce, choose_backend
from drivemem.errors import DrivememError
from drivemem.evaluation.drivers import (
    AgentDriver,
    Evaluated,
    Identity,
    ReferenceDriver,
    agent_identity,
    driver_identity,
)
from drivemem.evaluation.external_drivers import build_driver
from drivemem.evaluation.suites import Suite, SuiteSeeds, load_suite, make_suite, training_suite
from drivemem.lesions import folder_name
from drivemem.runs import RUNS, Run, write_json_file
from drivemem.settings import parse_pairs
from drivemem_envs import Scenario

Backend = Literal["auto", "compiled", "reference"]


@dataclass(frozen=True)
class Changes:
    """How the evaluated scenario differs from the driver's own."""

    full_sensors: bool = False
    sensors: dict[str, Any] | None = None
    dials: tuple[str, ...] = ()

    def apply(self, scenario: Scenario) -> Scenario:
        """The changed scenario.

        Raises:
            DrivememError: unknown keys or values out of range.
        """
        try:
            changed = scenario.twin() if self.full_sensors else scenario
            return changed.with_(
                sensors=self.sensors or None, config=parse_pairs(self.dials, "--dials") or None
            )
        except ValueError as error:
            raise DrivememError(str(error).splitlines()[0]) from error


@dataclass(frozen=True)
class Entry:
    """One driver about to meet one suite."""

    home: Run
    driver: Evaluated
    identity: Identity
    own: Scenario
    """What the driver was made for; evaluations elsewhere get a name that says so."""
    suite: Suite


def agent_entry(
    home: Run, elsewhere: str | None, changes: Changes, lesion: str, sampled: bool,
    suite: str | Path, episodes: int,
) -> Entry:  # fmt: skip
    """A trained run's agent about to meet a suite.

    Args:
        home: the run.
        elsewhere: another scenario than it was trained on.
        changes: of the scenario.
        lesion: `name:argument` or `intact`.
        sampled: draw actions in place of the most likely.
        suite: `test`, `eval`, `train` or the path of a suite.json.
        episodes: how many.

    Raises:
        DrivememError: no trained agent, unknown names, a lesion that does not fit.
    """
    if not (home.model / "agent.json").is_file():
        raise DrivememError(f"{home.folder} has no trained agent; {_way_to_an_agent(home)}")
    config = home.config()
    own = _changed(config.scenario, config.scenario_changes())
    met = own
    if elsewhere is not None:  # the run's dials are those of its own scenario
        met = _changed(elsewhere, {**config.scenario_changes(), "config": None})
    met = changes.apply(met)
    chosen = (
        training_suite(met, episodes, config.seed, config.num_envs)
        if suite == "train"
        else _suite(suite, met, episodes)
    )
    agent = AgentDriver(home.model, lesion, not sampled)
    return Entry(home, agent, agent_identity(home, lesion, not sampled), own, chosen)


def _way_to_an_agent(home: Run) -> str:
    if home.latest_checkpoint() is not None:
        return "go on with the same `drivemem train` command and --resume"
    return (
        "nor has it a checkpoint (runs restored from a study's results come without weights); "
        "train one with the same `drivemem train` command and another --out"
    )


def driver_entry(
    driver: str, scenario: str, changes: Changes, sampled: bool, suite: str | Path,
    episodes: int, out: str | Path | None, trust: bool,
) -> Entry:  # fmt: skip
    """A driver that was not trained here, about to meet a suite; arguments as in `evaluate`.

    Raises:
        DrivememError: unknown names, a driver that fails, a folder that is another run's.
    """
    own = _changed(scenario, {})
    if suite == "train":
        raise DrivememError("suite 'train' is a run's own training episodes; a driver has none")
    met = _suite(suite, changes.apply(own), episodes)
    built = build_driver(driver, met.scenario, trust)
    met = Suite(met.name, built.scenario, met.seeds)
    home = Run(Path(out) if out else RUNS / f"{_bare(own.name)}-{folder_name(built.name)}")
    _write_driver_folder(home, driver, own.name, built.tracker)
    identity = driver_identity(
        built.name, home.name, built.tracker, built.scenario.sensors.is_full, not sampled
    )
    return Entry(home, ReferenceDriver(built.driver, not sampled), identity, own, met)


def _changed(name: str, changes: dict[str, Any]) -> Scenario:
    import drivemem_envs

    try:
        return drivemem_envs.scenario(name).with_(**changes)
    except ValueError as error:
        raise DrivememError(str(error).splitlines()[0]) from error


def _bare(name: str) -> str:
    return name.removeprefix("drivemem/")


def _suite(suite: str | Path, scenario: Scenario, episodes: int) -> Suite:
    """A suite by name, or a published one met with the driver's own observation."""
    if suite in ("test", "eval"):
        return make_suite(scenario, episodes, suite)  # type: ignore[arg-type]
    if Path(suite).suffix != ".json":
        raise DrivememError(
            f"unknown suite '{suite}' (one of: test, eval, train, or the path of a suite.json)"
        )
    published = load_suite(Path(suite))
    driver = scenario.observation
    met = published.scenario.with_(slots=driver.slots, tracker=driver.tracker, flat=driver.flat)
    return Suite(published.name, met, published.seeds)


def _write_driver_folder(home: Run, driver: str, scenario: str, tracker: str) -> None:
    settings = {"driver": driver, "scenario": scenario, "tracker": tracker}
    if home.config_file.exists() and home.settings() != settings:
        raise DrivememError(f"{home.folder} holds another run: choose another --out")
    write_json_file(home.config_file, settings)


def open_worlds(
    suite: Suite, seeds: SuiteSeeds, backend: Backend, num_workers: int | None
) -> tuple[Any, str]:
    """The worlds that drive a suite, and the backend that was chosen for them.

    Args:
        suite: the episodes.
        seeds: the rule that gives them to the worlds.
        backend: auto, compiled or reference.
        num_workers: threads or processes.

    Raises:
        DrivememError: the backend does not run the scenario, or no workers.
    """
    import drivemem_envs

    if num_workers is not None and num_workers < 1:
        raise DrivememError(f"num_workers is {num_workers}; give at least 1")
    chosen = choose_backend(backend, suite.scenario)
    announce(chosen)
    env = drivemem_envs.make_vec(
        suite.scenario, seeds.worlds, backend=chosen, seeds=seeds, num_workers=num_workers
    )
    return env, chosen


def evaluation_name(entry: Entry) -> str:
    """`<suite>-<lesion>`; elsewhere than at home behind the scenario's name and a hash."""
    identity, suite = entry.identity, entry.suite
    name = f"{suite.name}-{folder_name(identity.lesion)}"
    name += "" if identity.deterministic else "-sampled"
    if suite.episodes_hash() == Suite("", entry.own, ()).episodes_hash():
        return name
    return f"{_bare(suite.scenario.name)}-{suite.episodes_hash()[:6]}-{name}"
