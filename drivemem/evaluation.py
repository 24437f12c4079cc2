"""Evaluation: every driver meets the same episodes, each reset with its own seed.

Episodes are divided over worlds in advance, or short ones (crashes) would be over-counted.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drivemem.driving import Evaluated, Identity
from drivemem.entries import (
    Backend,
    Changes,
    Entry,
    agent_entry,
    driver_entry,
    evaluation_name,
    open_worlds,
)
from drivemem.episodes import (
    ACTOR_COLUMNS,
    EPISODE_COLUMNS,
    RECORDED_COLUMNS,
    STEP_COLUMNS,
    write_table,
)
from drivemem.errors import DrivememError
from drivemem.lesions import INTACT, parse_lesions
from drivemem.progress import Progress
from drivemem.recording import EpisodeLog, record_limit
from drivemem.runs import manifest, open_run, write_json_file
from drivemem.suites import Suite, SuiteSeeds
from drivemem.threads import limit_threads

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
    full_sensors: bool = False,
    sensors: dict[str, Any] | None = None,
    dials: Iterable[str] = (),
    out: str | Path | None = None,
    trust: bool = False,
    quiet: bool = False,
) -> list[Evaluation]:
    """Evaluate a trained run, or a driver on a scenario.

    An agent meets the scenario, sensors and dials that it was trained with, unless told otherwise
    (so one trained with full sensors is the upper bound of the same episodes).

    Args:
        run: folder of a trained run, or of a driver evaluated before.
        driver: in place of a run, with `scenario`: a reference driver, `module:factory`, or
            `sb3:ALGORITHM:FILE`; see `drivemem.foreign`.
        scenario: for a run: evaluate on another scenario than it was trained on.
        episodes: how many (of the suite's stream).
        suite: `test`, `eval`, `train` (the first episodes that the run was trained on, to measure
            overfitting), or the path of a published suite.json.
        lesion: `name:argument`; several with commas, as in `span:1,2,4`.
        sampled: draw actions from the policy in place of the most likely.
        record: how many episodes to record for replay (the first ones), `all`, or `failures`.
        backend: auto, compiled or reference.
        num_envs: worlds driven at once.
        num_workers: threads or processes.
        full_sensors: evaluate on the twin.
        sensors: changes to the sensors.
        dials: changes of the scenario's dials as key=value words.
        out: where a driver's results go; default `runs/<scenario>-<driver>`.
        trust: load files that run code when they are loaded (SB3's).
        quiet: no progress.

    Returns:
        One evaluation for each lesion.

    Raises:
        DrivememError: no such run, driver, scenario or lesion; files that cannot be written.
        KeyboardInterrupt: after Ctrl-C; evaluations that were done by then are written.
    """
    limit_threads()
    record_limit(record, episodes)  # complain before anything is driven
    changes = Changes(full_sensors, sensors, tuple(dials))
    home = None if run is None else open_run(run)
    if home is not None and home.is_driver():
        stored = home.settings()
        driver, scenario = stored["driver"], scenario or stored["scenario"]
        out, home = out or home.folder, None
    lesions = parse_lesions(lesion)
    if home is None and driver is not None and lesions != [INTACT]:
        raise DrivememError(f"lesion '{lesion}' cuts trained agents; {driver} is none")
    done = []
    for one in lesions:
        if home is not None:
            entry = agent_entry(home, scenario, changes, one, sampled, suite, episodes)
        elif driver is None or scenario is None:
            raise DrivememError("give a run, or --driver NAME and --scenario NAME")
        else:
            entry = driver_entry(driver, scenario, changes, sampled, suite, episodes, out, trust)
        done.append(_drive(entry, record, backend, num_envs, num_workers, quiet))
    return done


def _drive(
    entry: Entry, record: str | int, backend: Backend, num_envs: int,
    num_workers: int | None, quiet: bool,
) -> Evaluation:  # fmt: skip
    home, identity, suite = entry.home, entry.identity, entry.suite
    seeds = SuiteSeeds(suite, min(num_envs, len(suite.seeds)))
    env, chosen = open_worlds(suite, seeds, backend, num_workers or os.cpu_count())
    label = identity.driver if identity.lesion == INTACT else f"{identity.driver} {identity.lesion}"
    try:
        with Progress(
            f"{home.name} {label} ({chosen})", len(suite.seeds), "episodes", 0, quiet
        ) as bar:
            log = EpisodeLog(env, suite, seeds, identity, chosen, record)
            run_suite(env, entry.driver, log, bar)
    finally:
        env.close()
    name = evaluation_name(entry)
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


def run_suite(env: Any, driver: Evaluated, log: EpisodeLog, bar: Progress) -> None:
    """Drive all episodes of a suite.

    Args:
        env: worlds whose episode seeds are the suite's.
        driver: who drives.
        log: what is kept.
        bar: where progress is shown.
    """
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
