"""Evaluation: every driver meets the same episodes, each reset with its own seed.

Episodes are divided over worlds in advance, or short ones (crashes) would be over-counted.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drivemem.backends import choose_backend
from drivemem.errors import DrivememError
from drivemem.evaluation.drivers import Evaluated, Identity, PolicyDriver
from drivemem.evaluation.episode_log import EpisodeLog
from drivemem.evaluation.jobs import (
    Backend,
    Changes,
    Entry,
    agent_entry,
    driver_entry,
    evaluation_name,
    open_worlds,
)
from drivemem.evaluation.resume import Unfinished
from drivemem.evaluation.selection import record_number, select
from drivemem.evaluation.suites import Suite, SuiteSeeds
from drivemem.lesions import INTACT, parse_lesions
from drivemem.progress import Progress
from drivemem.runs import open_run
from drivemem.threads import limit_threads

WORLDS = {"compiled": 64, "reference": 16}
"""Worlds driven at once, by backend: more share what a decision costs besides simulation."""

Audience = Callable[[Any, Evaluated], Evaluated]


@dataclass
class Evaluation:
    """The result of one driver on one suite."""

    folder: Path
    identity: Identity
    suite: Suite
    backend: str
    rows: list[dict[str, Any]]
    recording: Path | None = None
    reused: bool = False
    """Driven before, by the same agent on the same episodes; nothing was driven anew."""

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
    num_envs: int | None = None,
    num_workers: int | None = None,
    full_sensors: bool = False,
    sensors: dict[str, Any] | None = None,
    dials: Iterable[str] = (),
    out: str | Path | None = None,
    trust: bool = False,
    again: bool = False,
    quiet: bool = False,
) -> list[Evaluation]:
    """Evaluate a trained run, or a driver on a scenario.

    An agent meets the scenario, sensors and dials that it was trained with, unless told otherwise
    (so one trained with full sensors is the upper bound of the same episodes).

    Args:
        run: folder of a trained run, or of a driver evaluated before.
        driver: in place of a run, with `scenario`: a reference driver, `module:factory`, or
            `sb3:ALGORITHM:FILE`; see `drivemem.evaluation.external_drivers`.
        scenario: for a run: evaluate on another scenario than it was trained on.
        episodes: how many (of the suite's stream).
        suite: `test`, `eval`, `train` (the first episodes that the run was trained on, to measure
            overfitting), or the path of a published suite.json.
        lesion: `name:argument`; several with commas, as in `span:1,2,4`.
        sampled: draw actions from the policy in place of the most likely.
        record: how many episodes to record for replay (the first ones), `all`, `failures`, or
            `disagreements:RUN` (those that one of the two ends well and the other does not).
        backend: auto, compiled or reference.
        num_envs: worlds driven at once; default: `WORLDS` of the backend.
        num_workers: threads or processes.
        full_sensors: evaluate on the twin.
        sensors: changes to the sensors.
        dials: changes of the scenario's dials as key=value words.
        out: where a driver's results go; default `runs/<scenario>-<driver>`.
        trust: load files that run code when they are loaded (SB3's).
        again: drive what is there already anew. Else an agent's evaluation that is finished is
            returned as it is, and one that was interrupted goes on where it was.
        quiet: no progress.

    Returns:
        One evaluation for each lesion.

    Raises:
        DrivememError: no such run, driver, scenario or lesion; files that cannot be written.
        KeyboardInterrupt: after Ctrl-C; repeat the call for the rest.
    """
    limit_threads()
    if num_envs is not None and num_envs < 1:
        raise DrivememError(f"num_envs is {num_envs}; drive at least 1 world")
    record_number(record)  # complain before anything is driven
    changes = Changes(full_sensors, sensors, tuple(dials))
    home = None if run is None else open_run(run)
    if home is not None and home.is_driver():
        stored = home.settings()
        driver, scenario = stored["driver"], scenario or stored["scenario"]
        out, home = out or home.folder, None
    if driver == "manual":
        raise DrivememError("a person drives in a window: `drivemem watch --driver manual`")
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
        done.append(drive(entry, record, backend, num_envs, num_workers, quiet, again))
    return done


def drive(
    entry: Entry, record: str | int, backend: Backend, num_envs: int | None,
    num_workers: int | None, quiet: bool, again: bool, audience: Audience | None = None,
) -> Evaluation:  # fmt: skip
    """Drive one entry; arguments as in `evaluate`.

    Args:
        entry: who meets what.
        record: which episodes to record.
        backend: auto, compiled or reference.
        num_envs: worlds driven at once.
        num_workers: threads or processes.
        quiet: no progress.
        again: drive what is there already anew.
        audience: given the worlds and the driver, returns one that is watched; an interruption
            then ends the suite with the episodes driven so far.

    Raises:
        DrivememError: see `evaluate`; an audience that left before the first episode ended.
        KeyboardInterrupt: after Ctrl-C, without an audience.
    """
    home, identity, suite = entry.home, entry.identity, entry.suite
    selection = select(record, suite)
    name = evaluation_name(entry)
    progress = Unfinished(
        entry, home.folder / "evaluations" / name, choose_backend(backend, suite.scenario)
    )
    before = None if again or selection.limit else progress.finished()
    if before is not None:
        return Evaluation(progress.folder, identity, suite, progress.backend, before, reused=True)
    keeps = not selection.limit  # a recording is not kept in parts
    done = progress.rows() if keeps and not again else []
    worlds = min(num_envs or WORLDS[progress.backend], len(suite.seeds))
    numbers = {row["episode"] for row in done}
    left = [number for number in range(len(suite.seeds)) if number not in numbers]
    seeds = SuiteSeeds(suite, worlds, left)
    env, chosen = open_worlds(suite, seeds, progress.backend, _workers(num_workers))
    label = identity.driver if identity.lesion == INTACT else f"{identity.driver} {identity.lesion}"
    title = f"{home.name} {label} ({chosen})"
    driver = entry.driver
    if selection.limit and isinstance(driver, PolicyDriver):
        driver.show_attention()
    log = EpisodeLog(env, suite, seeds, identity, chosen, selection, done)
    try:
        with Progress(title, len(suite.seeds), "episodes", len(done), quiet) as bar:
            pilot = driver if audience is None else audience(env, driver)
            run_suite(env, pilot, log, bar, progress if keeps else None)
    except KeyboardInterrupt:
        if keeps:
            progress.save(log.episodes)
        if audience is None:
            raise
        suite = log.cut_short()
        progress.suite = suite
    finally:
        env.close()
    recording = home.folder / "recordings" / name
    recorded = log.write_recording(recording)
    progress.finish(log.episodes)
    return Evaluation(
        progress.folder, identity, suite, chosen, log.episodes, recording if recorded else None
    )


def _workers(wanted: int | None) -> int | None:
    return os.cpu_count() if wanted is None else wanted


def run_suite(
    env: Any, driver: Evaluated, log: EpisodeLog, bar: Progress, saved: Unfinished | None = None
) -> None:
    """Drive all episodes of a suite.

    Args:
        env: worlds whose episode seeds are the suite's.
        driver: who drives.
        log: what is kept.
        bar: where progress is shown.
        saved: where episodes are saved now and then, in case of an interruption.
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
        if saved is not None:
            saved.save_now_and_then(log.episodes)
    log.sort()
