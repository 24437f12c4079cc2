"""Suites: fixed lists of episodes, hashed, so that every driver meets the same ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.errors import DrivememError
from drivemem.runs import check_kinds, read_json, write_json_file
from drivemem.seeds import Stream, episode_seed
from drivemem.settings import check_name
from drivemem_envs import Scenario, Sensors, registry

FORMAT = "drivemem-suite"
_KEYS = ("name", "scenario", "config", "sensors", "scenario_hash", "seeds", "hash")
MOST_EPISODES = 1_000_000
"""Of a suite: the seeds of all are held at once."""


@dataclass(frozen=True)
class Suite:
    """Episodes of one scenario under given sensors.

    The tracker, the rows' order and the views belong to the driver, so they are no part of a suite.
    """

    name: str
    scenario: Scenario
    seeds: tuple[int, ...]

    def hash(self) -> str:
        """SHA-256 of what the episodes are: scenario, sensors, seeds."""
        return _hash(self.episodes_hash(), list(self.seeds))

    def episodes_hash(self) -> str:
        """Hash of the scenario without what belongs to the driver."""
        return self.scenario.with_(
            slots="sorted", tracker="none", flat=False, views=("rows",)
        ).hash()

    def to_json(self) -> dict[str, Any]:
        """What `suite.json` holds."""
        return {
            "format": FORMAT,
            "version": 1,
            "name": self.name,
            "scenario": self.scenario.name,
            "config": self.scenario.config,
            "sensors": self.scenario.sensors.model_dump(mode="json"),
            "scenario_hash": self.episodes_hash(),
            "seeds": list(self.seeds),
            "hash": self.hash(),
        }

    def save(self, path: Path) -> None:
        """Write it, atomically."""
        write_json_file(path, self.to_json())


def check_episodes(episodes: int) -> None:
    """Refuse a number of episodes that no suite has.

    Raises:
        DrivememError: less than one, or more than `MOST_EPISODES`.
    """
    if not 1 <= episodes <= MOST_EPISODES:
        bounds = f"1 to {MOST_EPISODES:,}" if episodes > 0 else "at least 1"
        raise DrivememError(f"episodes is {episodes}; evaluate {bounds}")


def make_suite(
    scenario: Scenario, episodes: int, name: Stream = "test", run_seed: int = 0, worlds: int = 1
) -> Suite:
    """The first episodes of a stream.

    Args:
        scenario: with the sensors to evaluate under.
        episodes: how many.
        name: the stream of seeds: `test` (final) and `eval` (while developing) are the same for
            every run; `train` are the episodes that a run was trained on.
        run_seed: for `train`, the run's seed.
        worlds: for `train`, its num_envs.
    """
    check_episodes(episodes)
    seeds = tuple(
        episode_seed(run_seed, name, number % worlds, number // worlds)
        for number in range(episodes)
    )
    return Suite(name, scenario, seeds)


def load_suite(path: Path) -> Suite:
    """Read a published suite.

    Raises:
        DrivememError: unreadable, or the scenario has changed since it was written.
    """
    stored = read_json(path, scenario=str, sensors=dict, config=dict, seeds=list, name=str)
    if stored.get("format") != FORMAT:
        raise DrivememError(f"{path} is no suite (format {stored.get('format')!r})")
    try:
        scenario = registry.scenario(stored["scenario"]).with_(
            sensors=stored["sensors"], config=stored["config"]
        )
        name = check_name(stored["name"])
        suite = Suite(name, scenario, tuple(int(seed) for seed in stored["seeds"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DrivememError(f"{path} is no valid suite: {error}") from error
    if suite.hash() != stored.get("hash"):
        raise DrivememError(
            f"suite {path} was made with another version of {scenario.name} (or was edited): its "
            "episodes cannot be met again; make a new suite"
        )
    return suite


def check_stored(stored: dict[str, Any], where: str) -> None:
    """Refuse what is no suite, or none whose hash is that of its scenario and seeds.

    Unlike `load_suite` it takes suites of scenarios that have changed since, or are unknown here.

    Args:
        stored: what `suite.json` holds.
        where: names it in the error.

    Raises:
        DrivememError: it is none.
    """
    check_kinds(
        stored, where, scenario=str, config=dict, sensors=dict, seeds=list, hash=str,
        scenario_hash=str, name=str,
    )  # fmt: skip
    missing = [key for key in _KEYS if key not in stored]
    if missing:
        raise DrivememError(f"{where} is no suite: it lacks {', '.join(missing)}")
    if stored["hash"] != _hash(stored["scenario_hash"], stored["seeds"]):
        raise DrivememError(f"{where} is damaged: its hash is not that of its episodes")


def _hash(episodes_hash: str, seeds: list[Any]) -> str:
    return hashlib.sha256(json.dumps([episodes_hash, seeds]).encode()).hexdigest()


def with_later_limits(sensors: Any) -> Any:
    """A stored suite's sensors with the defaults of limits that came after it was written."""
    if not isinstance(sensors, dict):
        return sensors
    return {**Sensors().model_dump(mode="json"), **sensors}


class SuiteSeeds:
    """The rule that gives each world its share of a suite: the i-th episode to world i mod N.

    Args:
        suite: the episodes.
        worlds: N.
        order: numbers of the episodes to drive; None: all of them.
    """

    def __init__(self, suite: Suite, worlds: int, order: Sequence[int] | None = None) -> None:
        self.seeds, self.worlds = suite.seeds, worlds
        self.order = range(len(suite.seeds)) if order is None else order

    def index(self, world: int, episode: int) -> int:
        """Number in the suite of a world's episode; beyond the suite's end for idle ones."""
        place = world + episode * self.worlds
        return self.order[place] if place < len(self.order) else len(self.seeds) + place

    def indices(self, count: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers in the suite (N,) of the episodes that worlds drive after `count` (N,) others."""
        return np.array([self.index(world, int(number)) for world, number in enumerate(count)])

    def __call__(self, world: int, episode: int) -> int:
        """Seed of a world's episode; idle worlds repeat the last."""
        return self.seeds[min(self.index(world, episode), len(self.seeds) - 1)]
