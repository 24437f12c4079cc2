"""What an evaluation keeps of its episodes: a row of each, and of some everything, for replay."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.driving import Decision, Identity
from drivemem.episodes import (
    EPISODE_COLUMNS,
    SCHEMA_VERSION,
    Digest,
    actor_rows,
    as_json,
    plain,
)
from drivemem.errors import DrivememError
from drivemem.suites import Suite, SuiteSeeds


@dataclass
class _Recorded:
    """What is kept of one episode for replay."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    actors: list[tuple[Any, ...]] = field(default_factory=list)
    digest: Digest = field(default_factory=Digest)
    occluders: str = "[]"


class EpisodeLog:
    """Collects episodes of a vector environment, and the recordings asked for."""

    def __init__(
        self,
        env: Any,
        suite: Suite,
        seeds: SuiteSeeds,
        identity: Identity,
        backend: str,
        record: str | int,
    ) -> None:
        self._env, self._suite, self._seeds = env, suite, seeds
        self._identity, self._backend = identity, backend
        self._failures = record == "failures"
        self._limit = record_limit(record, len(suite.seeds))
        self._dt = suite.scenario.decision_s
        self.episodes: list[dict[str, Any]] = []
        self.recorded: dict[int, _Recorded] = {}
        worlds = env.num_envs
        self._number = np.arange(worlds)  # number in the suite of each world's episode
        self._count = np.zeros(worlds, dtype=np.int64)
        self._returns = np.zeros(worlds)
        self._lengths = np.zeros(worlds, dtype=np.int64)
        self._partial: list[_Recorded] = [_Recorded() for _ in range(worlds)]

    @property
    def open(self) -> bool:
        """Whether episodes of the suite are still being driven."""
        return len(self.episodes) < len(self._suite.seeds)

    def begin(self, observation: Any) -> None:
        """After the first reset."""
        if self._limit:
            self._env.keep_final_truth(True)
            self._look(observation)

    def add(
        self,
        decision: Decision,
        rewards: NDArray[np.float64],
        ended: NDArray[np.bool_],
        infos: dict[str, Any],
        observation: Any,
    ) -> None:
        """After every step; `observation` is what the next decision will see."""
        self._returns += rewards
        self._lengths += 1
        if self._limit:
            self._record_step(decision, rewards, ended, infos)
        for world in np.flatnonzero(ended):
            if self._number[world] < len(self._suite.seeds):
                self._close(int(world), infos["final_info"])
            self._count[world] += 1
            self._number[world] = self._seeds.index(int(world), int(self._count[world]))
            self._returns[world], self._lengths[world] = 0.0, 0
            self._partial[world] = _Recorded()
        if self._limit:
            self._look(observation, ended)

    def sort(self) -> None:
        """Episodes in the suite's order."""
        self.episodes.sort(key=lambda row: row["episode"])

    def recorded_episodes(self) -> list[dict[str, Any]]:
        """Rows of recorded episodes."""
        config = json.dumps(self._suite.scenario.config, sort_keys=True)
        return [
            {**row, "occluders": self.recorded[row["episode"]].occluders, "config": config}
            for row in self.episodes
            if row["episode"] in self.recorded
        ]

    def recorded_steps(self) -> list[dict[str, Any]]:
        """Rows of the steps table."""
        return [row for number in sorted(self.recorded) for row in self.recorded[number].steps]

    def recorded_actors(self) -> list[tuple[Any, ...]]:
        """Rows of the actors table."""
        return [row for number in sorted(self.recorded) for row in self.recorded[number].actors]

    def _close(self, world: int, info: dict[str, Any]) -> None:
        number = int(self._number[world])
        told = {key: plain(info[key][world]) for key in EPISODE_COLUMNS if key in info}
        outcome = str(told["outcome"])
        scenario, who = self._suite.scenario, self._identity
        keep = self._wanted(number) and not (self._failures and outcome == "success")
        self.episodes.append(
            {
                **told,
                "episode": number,
                "seed": self._suite.seeds[number],
                "scenario": scenario.name,
                "sensors": as_json(scenario.sensors.model_dump(mode="json")),
                "slots": scenario.observation.slots,
                "tracker": who.tracker,
                "backend": self._backend,
                "driver": who.driver,
                "run": who.run,
                "train_seed": who.train_seed,
                "full_sensors": who.full_sensors,
                "lesion": who.lesion,
                "deterministic": who.deterministic,
                "suite": self._suite.name,
                "success": outcome == "success",
                "collision": outcome == "collision",
                "return": float(self._returns[world]),
                "length": int(self._lengths[world]),
                "duration_s": float(self._lengths[world] * self._dt),
                "digest": self._partial[world].digest.hexdigest() if keep else "",
                "schema_version": SCHEMA_VERSION,
            }
        )
        if keep:
            self.recorded[number] = self._partial[world]

    def _wanted(self, number: int) -> bool:
        return number < self._limit

    def _look(self, observation: Any, fresh: NDArray[np.bool_] | None = None) -> None:
        """Record the truth that the next decision meets, and the cue that it is shown."""
        cues = observation.get("cue") if isinstance(observation, dict) else None
        truth = self._env.truth()
        occluders = self._env.occluders() if fresh is None or fresh.any() else None
        for world in range(self._env.num_envs):
            if not self._wanted(int(self._number[world])):
                continue
            partial = self._partial[world]
            if occluders is not None and not partial.actors:
                partial.occluders = json.dumps(np.asarray(occluders[world]).tolist())
            present = truth["present"][world]
            mine = {key: value[world][present] for key, value in truth.items() if key != "present"}
            self._enter(partial, int(self._number[world]), int(self._lengths[world]), mine)
            partial.steps[-1]["cue"] = None if cues is None else as_json(cues[world])

    @staticmethod
    def _enter(partial: _Recorded, number: int, step: int, truth: dict[str, NDArray[Any]]) -> None:
        partial.digest.add(truth)
        partial.actors += actor_rows(number, step, truth)
        partial.steps.append(
            {
                "episode": number,
                "step": step,
                "ego_x": float(truth["x"][0]),
                "ego_y": float(truth["y"][0]),
                "ego_heading": float(truth["heading"][0]),
                "ego_speed": float(truth["speed"][0]),
            }
        )

    def _record_step(
        self,
        decision: Decision,
        rewards: NDArray[np.float64],
        ended: NDArray[np.bool_],
        infos: dict[str, Any],
    ) -> None:
        finals = self._env.final_truths() if ended.any() else None
        for world in range(self._env.num_envs):
            number = int(self._number[world])
            if not self._wanted(number):
                continue
            partial = self._partial[world]
            partial.steps[-1] |= {
                "t_s": float((self._lengths[world] - 1) * self._dt),
                "action": as_json(decision.actions[world]),
                "reward": float(rewards[world]),
                "rewards": as_json(_terms(infos, world, bool(ended[world]))),
                **{
                    name: None if column is None else plain(column[world])
                    for name, column in decision._asdict().items()
                    if name not in ("actions", "probs")
                },
                "probs": None if decision.probs is None else decision.probs[world].tolist(),
            }
            if ended[world] and finals is not None and finals[world] is not None:
                step = int(self._lengths[world])
                self._enter(partial, number, step, finals[world])
                partial.steps[-1]["t_s"] = step * self._dt


def _terms(infos: dict[str, Any], world: int, ended: bool) -> dict[str, float]:
    source = infos.get("final_info", {}) if ended else infos
    terms = source.get("rewards", {})
    return {key: float(value[world]) for key, value in terms.items() if not key.startswith("_")}


def record_limit(record: str | int, episodes: int) -> int:
    """How many of a suite's first episodes to record.

    Raises:
        DrivememError: `record` is neither a number, nor `all`, nor `failures`.
    """
    if record in ("all", "failures"):
        return episodes
    try:
        limit = int(record)
    except ValueError as error:
        raise DrivememError(
            f"record is '{record}': give a number of episodes, 'all' or 'failures'"
        ) from error
    return min(max(limit, 0), episodes)
