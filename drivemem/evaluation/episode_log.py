"""What an evaluation keeps of its episodes: a row of each, and of some everything, for replay."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.episodes import as_json, plain, write_columns, write_table
from drivemem.errors import DrivememError
from drivemem.evaluation.drivers import Decision, Identity
from drivemem.evaluation.recorder import Recorder
from drivemem.evaluation.rollout import Moment, SuiteCallback, Transition
from drivemem.evaluation.selection import Selection
from drivemem.evaluation.suites import Suite
from drivemem.schemas import (
    ACTOR_COLUMNS,
    EPISODE_COLUMNS,
    RECORDED_COLUMNS,
    SCHEMA_VERSION,
    STEP_COLUMNS,
)


class EpisodeLog(SuiteCallback):
    """Collects episodes of a vector environment, and the recordings asked for.

    Args:
        env: the worlds.
        suite: the episodes.
        identity: who drives.
        backend: on which backend.
        selection: what to record.
        done: rows of episodes that were driven before.
        save: given the rows so far after every step, in case of an interruption.
    """

    def __init__(
        self,
        env: Any,
        suite: Suite,
        identity: Identity,
        backend: str,
        selection: Selection,
        done: Sequence[dict[str, Any]] = (),
        save: Callable[[list[dict[str, Any]]], None] | None = None,
    ) -> None:
        self._suite, self._identity, self._backend = suite, identity, backend
        self._save = save
        self.recorder = Recorder(env, selection)
        self._dt = suite.scenario.decision_s
        self.episodes: list[dict[str, Any]] = list(done)
        self._returns = np.zeros(env.num_envs)

    def decided(
        self, moment: Moment, observation: Any, masks: NDArray[Any] | None, decision: Decision
    ) -> None:
        """Record what the decision met."""
        if self.recorder.active:
            self.recorder.look(moment, observation)

    def stepped(self, moment: Moment, decision: Decision, transition: Transition) -> None:
        """Record what was done, and close the episodes that ended."""
        if self.recorder.active:
            self.recorder.decide(moment, decision, transition)
        self._returns += transition.rewards
        for world in np.flatnonzero(transition.ended):
            if moment.episode[world] < len(self._suite.seeds):
                self._close(int(world), moment, transition.infos["final_info"])
            self._returns[world] = 0.0
        if self._save is not None:
            self._save(self.episodes)

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

    def _close(self, world: int, moment: Moment, info: dict[str, Any]) -> None:
        number, length = int(moment.episode[world]), int(moment.step[world]) + 1
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
                "length": length,
                "duration_s": float(length * self._dt),
                "digest": "",
                "schema_version": SCHEMA_VERSION,
            }
        )
