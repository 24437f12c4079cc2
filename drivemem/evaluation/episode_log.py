"""What an evaluation keeps of its episodes: a row of each, and of some everything, for replay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.episodes import as_json, plain, write_columns, write_table
from drivemem.errors import DrivememError
from drivemem.evaluation.drivers import Decision, Identity
from drivemem.evaluation.recorder import Recorder
from drivemem.evaluation.selection import Selection
from drivemem.evaluation.suites import Suite, SuiteSeeds
from drivemem.schemas import (
    ACTOR_COLUMNS,
    EPISODE_COLUMNS,
    RECORDED_COLUMNS,
    SCHEMA_VERSION,
    STEP_COLUMNS,
)


class EpisodeLog:
    """Collects episodes of a vector environment, and the recordings asked for.

    Args:
        env: the worlds.
        suite: the episodes.
        seeds: the rule that gives them to the worlds.
        identity: who drives.
        backend: on which backend.
        selection: what to record.
        done: rows of episodes that were driven before.
    """

    def __init__(
        self,
        env: Any,
        suite: Suite,
        seeds: SuiteSeeds,
        identity: Identity,
        backend: str,
        selection: Selection,
        done: Sequence[dict[str, Any]] = (),
    ) -> None:
        self._env, self._suite, self._seeds = env, suite, seeds
        self._identity, self._backend = identity, backend
        self.recorder = Recorder(env, selection)
        self._dt = suite.scenario.decision_s
        self.episodes: list[dict[str, Any]] = list(done)
        worlds = env.num_envs
        # Number in the suite of each world's episode.
        self._number = np.array([seeds.index(world, 0) for world in range(worlds)])
        self._count = np.zeros(worlds, dtype=np.int64)
        self._returns = np.zeros(worlds)
        self._lengths = np.zeros(worlds, dtype=np.int64)

    @property
    def open(self) -> bool:
        """Whether episodes of the suite are still being driven."""
        return len(self.episodes) < len(self._suite.seeds)

    def begin(self, observation: Any) -> None:
        """After the first reset."""
        if self.recorder.active:
            self.recorder.look(self._number, self._lengths, observation)

    def add(
        self,
        decision: Decision,
        rewards: NDArray[np.float64],
        ended: NDArray[np.bool_],
        infos: dict[str, Any],
        observation: Any,
    ) -> None:
        """After every step; `observation` is what the next decision will see."""
        if self.recorder.active:
            self.recorder.decide(self._number, self._lengths, decision, rewards, ended, infos)
        self._returns += rewards
        self._lengths += 1
        for world in np.flatnonzero(ended):
            if self._number[world] < len(self._suite.seeds):
                self._close(int(world), infos["final_info"])
            self._count[world] += 1
            self._number[world] = self._seeds.index(int(world), int(self._count[world]))
            self._returns[world], self._lengths[world] = 0.0, 0
        if self.recorder.active:
            self.recorder.look(self._number.copy(), self._lengths.copy(), observation)

    def cut_short(self) -> Suite:
        """End the suite with the episodes that were driven; one world drives them in order.

        Raises:
            DrivememError: none has ended yet.
        """
        count = len(self.episodes)
        if not count:
            raise DrivememError("no episode had ended: nothing was kept")
        self._suite = replace(self._suite, seeds=self._suite.seeds[:count])
        return self._suite

    def sort(self) -> None:
        """Episodes in the suite's order."""
        self.episodes.sort(key=lambda row: row["episode"])

    def write_recording(self, folder: Path) -> bool:
        """Write the episodes recorded into a folder; False if there are none.

        Raises:
            DrivememError: the folder cannot be written.
        """
        kept = self.recorder.kept
        if not kept:
            return False
        steps, actors = self.recorder.tables(self._dt)
        for row in self.episodes:
            row["digest"] = self.recorder.digests.get(row["episode"], "")
        config = json.dumps(self._suite.scenario.config, sort_keys=True)
        rows = [
            {**row, "occluders": self.recorder.occluders[row["episode"]], "config": config}
            for row in self.episodes
            if row["episode"] in kept
        ]
        write_table(folder / "episodes.parquet", RECORDED_COLUMNS, rows)
        write_columns(folder / "steps.parquet", STEP_COLUMNS, steps)
        write_columns(folder / "actors.parquet", ACTOR_COLUMNS, actors)
        self._suite.save(folder / "suite.json")
        return True

    def _close(self, world: int, info: dict[str, Any]) -> None:
        number = int(self._number[world])
        told = {key: plain(info[key][world]) for key in EPISODE_COLUMNS if key in info}
        outcome = str(told["outcome"])
        scenario, who = self._suite.scenario, self._identity
        self.recorder.close(number, outcome == "success")
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
                "digest": "",
                "schema_version": SCHEMA_VERSION,
            }
        )
