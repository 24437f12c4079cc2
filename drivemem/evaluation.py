"""Evaluation: every driver meets the same episodes, each reset with its own seed.

Episodes are divided over worlds in advance, or short ones (crashes) would be over-counted.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from drivemem.backends import choose_backend
from drivemem.driving import (
    AgentDriver,
    Decision,
    Evaluated,
    Identity,
    ReferenceDriver,
    agent_identity,
    driver_identity,
)
from drivemem.episodes import (
    ACTOR_COLUMNS,
    EPISODE_COLUMNS,
    RECORDED_COLUMNS,
    SCHEMA_VERSION,
    STEP_COLUMNS,
    Digest,
    actor_rows,
    as_json,
    plain,
    write_table,
)
from drivemem.errors import DrivememError
from drivemem.lesions import INTACT, folder_name, parse_lesions
from drivemem.progress import Progress
from drivemem.runs import RUNS, Run, manifest, open_run, write_json_file
from drivemem.suites import Suite, SuiteSeeds, load_suite, make_suite
from drivemem.threads import limit_threads

Backend = Literal["auto", "compiled", "reference"]
WORLDS = 16


@dataclass
class Evaluation:
    """The result of one driver on one suite."""

    folder: Path
    identity: Identity
    suite: Suite
    backend: str
    rows: list[dict[str, Any]]
    recording: Path | None = None

    @property
    def outcomes(self) -> Counter[str]:
        """How often each outcome came."""
        return Counter(row["outcome"] for row in self.rows)

    def rate(self, outcome: str) -> float:
        """Share of episodes with an outcome."""
        return self.outcomes[outcome] / len(self.rows)

    def mean(self, column: str) -> float:
        """Mean of a column over the episodes where it is defined."""
        values = np.array([row[column] for row in self.rows], dtype=np.float64)
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def evaluate(
    run: str | Path | None = None,
    *,
    driver: str | None = None,
    scenario: str | None = None,
    episodes: int = 500,
    suite: str | Path = "test",
    lesion: str = INTACT,
    sampled: bool = False,
    record: str | int = 0,
    backend: Backend = "auto",
    num_envs: int = WORLDS,
    num_workers: int | None = None,
    sensors: dict[str, Any] | None = None,
    out: str | Path | None = None,
    quiet: bool = False,
) -> list[Evaluation]:
    """Evaluate a trained run, or a reference driver on a scenario.

    Args:
        run: folder of a trained run.
        driver: name of a reference driver (with `scenario`), in place of a run.
        scenario: for a run: evaluate on another scenario than it was trained on.
        episodes: how many (of the suite's stream).
        suite: `test`, `eval`, or the path of a published suite.json.
        lesion: `name:argument`; several with commas, as in `span:1,2,4`.
        sampled: draw actions from the policy in place of the most likely.
        record: how many episodes to record for replay (the first ones), `all`, or `failures`.
        backend: auto, compiled or reference.
        num_envs: worlds driven at once.
        num_workers: threads or processes.
        sensors: changes to the scenario's sensors; default: the scenario's own, so that an agent
            trained on the twin still meets the limits only if trained with them: see below.
        out: where a reference driver's results go; default `runs/<scenario>-<driver>`.
        quiet: no progress.

    An agent trained with full sensors is evaluated with full sensors: it is the upper bound of
    the same episodes. Its rows say so in the column `full_sensors`.

    Returns:
        One evaluation for each lesion.

    Raises:
        DrivememError: no such run, driver, scenario or lesion; files that cannot be written.
    """
    limit_threads()
    done = []
    for one in parse_lesions(lesion):
        if run is not None:
            home = open_run(run)
            if not (home.model / "agent.json").is_file():
                raise DrivememError(
                    f"{home.folder} has no trained agent yet: go on with the same "
                    "`drivemem train` command and --resume"
                )
            identity = agent_identity(home, one, not sampled)
            agent = AgentDriver(home.model, one, not sampled)
            chosen = _scenario_of_run(home, scenario, sensors)
            evaluated: Evaluated = agent
        else:
            if driver is None or scenario is None:
                raise DrivememError("give a run, or --driver NAME and --scenario NAME")
            chosen = _scenario(scenario, sensors)
            reference = ReferenceDriver(driver, chosen, _action_space(chosen))
            chosen = chosen.with_(tracker=reference.tracker)
            home = Run(Path(out) if out else RUNS / f"{_bare(chosen.name)}-{folder_name(driver)}")
            _write_driver_folder(home, driver, chosen)
            identity = driver_identity(driver, home.name, reference.tracker)
            evaluated = reference
        met = _suite(suite, chosen, episodes)
        done.append(
            _drive(home, evaluated, identity, met, record, backend, num_envs, num_workers, quiet)
        )
    return done


def _scenario(name: str, sensors: dict[str, Any] | None) -> Any:
    import drivemem_envs

    try:
        return drivemem_envs.scenario(name).with_(sensors=sensors)
    except ValueError as error:
        raise DrivememError(str(error).splitlines()[0]) from error


def _scenario_of_run(run: Run, other: str | None, sensors: dict[str, Any] | None) -> Any:
    config = run.config()
    changes = config.scenario_changes()
    if other is not None:
        changes = {**changes, "config": None}
    try:
        found = _scenario(other or config.scenario, None).with_(**changes)
        return found.with_(sensors=sensors) if sensors else found
    except ValueError as error:
        raise DrivememError(str(error).splitlines()[0]) from error


def _bare(name: str) -> str:
    return name.removeprefix("drivemem/")


def _action_space(scenario: Any) -> Any:
    import drivemem_envs

    env = drivemem_envs.make(scenario)
    space = env.action_space
    env.close()
    return space


def _suite(suite: str | Path, scenario: Any, episodes: int) -> Suite:
    if suite in ("test", "eval"):
        return make_suite(scenario, episodes, suite)  # type: ignore[arg-type]
    published = load_suite(Path(suite))
    driver = scenario.observation
    met = published.scenario.with_(slots=driver.slots, tracker=driver.tracker, flat=driver.flat)
    return Suite(published.name, met, published.seeds)


def _write_driver_folder(home: Run, driver: str, scenario: Any) -> None:
    settings = {
        "driver": driver,
        "scenario": scenario.name,
        "tracker": scenario.observation.tracker,
    }
    if home.config_file.exists() and home.settings() != settings:
        raise DrivememError(f"{home.folder} holds another run: choose another --out")
    write_json_file(home.config_file, settings)


def _drive(
    home: Run,
    driver: Evaluated,
    identity: Identity,
    suite: Suite,
    record: str | int,
    backend: Backend,
    num_envs: int,
    num_workers: int | None,
    quiet: bool,
) -> Evaluation:
    import drivemem_envs

    worlds = min(num_envs, len(suite.seeds))
    seeds = SuiteSeeds(suite, worlds)
    chosen = choose_backend(backend, suite.scenario)
    env: Any = drivemem_envs.make_vec(
        suite.scenario, worlds, backend=chosen, seeds=seeds,
        num_workers=num_workers or os.cpu_count(),
    )  # fmt: skip
    label = identity.driver if identity.lesion == INTACT else f"{identity.driver} {identity.lesion}"
    try:
        with Progress(
            f"{home.name} {label} ({chosen})", len(suite.seeds), "episodes", 0, quiet
        ) as bar:
            log = EpisodeLog(env, suite, seeds, identity, chosen, record)
            _run_suite(env, driver, log, bar)
    finally:
        env.close()
    name = (
        f"{suite.name}-{folder_name(identity.lesion)}{'' if identity.deterministic else '-sampled'}"
    )
    if not np.array_equal(suite.episodes_hash(), _trained_hash(home)):
        name = f"{_bare(suite.scenario.name)}-{name}" if not home.is_driver() else name
    folder = home.folder / "evaluations" / name
    write_table(folder / "episodes.parquet", EPISODE_COLUMNS, log.episodes)
    suite.save(folder / "suite.json")
    write_json_file(folder / "manifest.json", manifest("done", backend=chosen))
    recording = None
    if log.recorded:
        recording = home.folder / "recordings" / name
        write_table(recording / "episodes.parquet", RECORDED_COLUMNS, log.recorded_episodes())
        write_table(recording / "steps.parquet", STEP_COLUMNS, log.recorded_steps())
        write_table(recording / "actors.parquet", ACTOR_COLUMNS, log.recorded_actors())
        suite.save(recording / "suite.json")
    return Evaluation(folder, identity, suite, chosen, log.episodes, recording)


def _trained_hash(home: Run) -> str:
    """Hash of the episodes' scenario that a run was trained on; "" for reference drivers."""
    if home.is_driver():
        return ""
    scenario = _scenario_of_run(home, None, None)
    return Suite("", scenario, ()).episodes_hash()


def _run_suite(env: Any, driver: Evaluated, log: EpisodeLog, bar: Progress) -> None:
    worlds = env.num_envs
    observation, _ = env.reset()
    driver.begin(worlds)
    starts = np.ones(worlds, dtype=bool)
    masked = hasattr(env.single_action_space, "n")
    log.begin(observation)
    while log.open:
        masks = env.action_masks() if masked else None
        decision = driver.decide(observation, starts, masks)
        observation, rewards, terminated, truncated, infos = env.step(decision.actions)
        starts = terminated | truncated
        log.add(decision, rewards, starts, infos, observation)
        bar.update(len(log.episodes))
    log.sort()


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
        self._limit = _record_limit(record, len(suite.seeds))
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


def _record_limit(record: str | int, episodes: int) -> int:
    if record in ("all", "failures"):
        return episodes
    try:
        limit = int(record)
    except ValueError as error:
        raise DrivememError(
            f"record is '{record}': give a number of episodes, 'all' or 'failures'"
        ) from error
    return min(max(limit, 0), episodes)
