"""Edits of memory: whether what an agent does follows what its memory is made to hold.

That a probe reads something does not mean that the driver uses it. Here the memory state is moved,
once in an episode, by the least that makes the probe read another value, and the episode goes on.
Of what is told several times in an episode, that is done after one of the tellings, and what is
done until the next one counts.
Sources: Elazar et al., "Amnesic probing", 2021; Li et al., "Emergent world representations", 2023.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from drivemem.comparison.formats import interval_text
from drivemem.episodes import write_table
from drivemem.errors import DrivememError
from drivemem.evaluation.config import evaluate_config
from drivemem.evaluation.drivers import AgentDriver, PolicyDriver
from drivemem.evaluation.jobs import Job, evaluation_name
from drivemem.lesions import INTACT
from drivemem.probes.driving import WorldSettings, probing_job, suite_traces
from drivemem.probes.edit_plan import StateEditor, fit, make_plan
from drivemem.probes.effects import ARMS, CHANGES, TOLD, Arm, Effect, effects_of
from drivemem.probes.shown import record
from drivemem.probes.traces import Traces
from drivemem.runs import manifest, write_json_file
from drivemem.schemas import EDITS
from drivemem.tables import Shown, Table
from drivemem.threads import limit_threads


@dataclass(frozen=True)
class Edits(Shown):
    """What came of editing one run's memory."""

    folder: Path
    run: str
    driver: str
    target: str
    after_s: float
    size: float
    """Mean length of the change, standardised."""
    effects: list[Effect]
    tellings: int
    """How often it is told in an episode at most; 0: no cue tells it."""

    def as_tables(self) -> list[Table]:
        """What the agent did with its memory edited and not, a column for each arm."""
        cells: dict[str, dict[str, str]] = {}
        for one in self.effects:
            cells.setdefault(one.measure, {})[one.arm] = interval_text(one.value)
        arms = [arm for arm in ARMS if any(arm in of for of in cells.values())]
        table = Table(
            ("measure", *arms),
            [(measure, *(of.get(arm, "") for arm in arms)) for measure, of in cells.items()],
            title=f"{self.run}: {self.target} edited after {self.after_s:g} s",
            caption="\n".join(self._notes()),
            records=[record(self.run, effect) for effect in self.effects],
        )
        return [table]

    def _notes(self) -> list[str]:
        """What must be known to read the table."""
        notes = [f"control: as large ({self.size:.2g} standardised), where the probe does not read"]
        if self.tellings > 1:
            notes.append(
                f"told up to {self.tellings} times in an episode: edited after one of them, drawn "
                "at random; what is done until the next counts"
            )
        changes = [one for one in self.effects if one.measure == CHANGES]
        if changes and not changes[0].value.estimate:
            notes.append(
                "told the new value by the cue itself, it does the same: there is nothing that an "
                "edit could make it do"
            )
        return notes


def edit(
    run: str | Path,
    target: str = "latent",
    *,
    after_s: float = 0.0,
    by: float | None = None,
    episodes: int = 200,
    suite: str | Path = "test",
    lesion: str = INTACT,
    backend: Literal["auto", "compiled", "reference"] = "auto",
    num_envs: int = 16,
    num_workers: int | None = None,
    quiet: bool = False,
) -> Edits:
    """Make a run's memory hold another value of something hidden, and see what the agent does.

    The probe, and what tells values from behaviour where no cue does, are fitted on episodes that
    the run was trained on. Where a cue tells the value, episodes are also driven in which it tells
    the other one.

    Args:
        run: folder of a trained run.
        target: what to edit: `latent`, or part of the name of one that `drivemem probe` decodes.
        after_s: how long it has been hidden since it was told, s; 0: as soon as it is.
        by: how far a quantity is moved; default: its standard deviation. A kind becomes another
            one at random.
        episodes: how many, of the suite and of those to fit on.
        suite: as in `evaluate`, less `train`.
        lesion: edit the memory with a lesion.
        backend: auto, compiled or reference.
        num_envs: worlds driven at once.
        num_workers: threads or processes.
        quiet: no progress.

    Raises:
        DrivememError: no trained run, a memory without a state, unknown names, a target that is
            not there or not often enough, or an unwritable folder.
    """
    limit_threads()
    if suite == "train":
        raise DrivememError("suite 'train' is what edits are fitted on: edit on test or eval")
    worlds = WorldSettings(backend, num_envs, num_workers, quiet)
    job, fit_job = (
        probing_job(run, lesion, evaluate_config(suite=name, episodes=episodes))
        for name in (suite, "train")
    )
    driver = cast(AgentDriver, job.driver)
    _refuse_stateless(driver, job)
    fitted = fit(suite_traces(fit_job, driver, worlds, "is watched"), target, after_s)
    traces = suite_traces(job, driver, worlds, "no edit")
    plan = make_plan(fitted, traces, driver, after_s, by)
    drives: dict[Arm, Traces] = {"no edit": traces}
    changes: tuple[tuple[Arm, Any], ...] = (("control", plan.control), ("edit", plan.change))
    for arm, change in changes:
        editor = StateEditor(driver, plan.moments, change)
        drives[arm] = suite_traces(job, driver, worlds, arm, callbacks=(editor,))
    retold = plan.retold(fitted.target)
    if retold is not None:
        drives[TOLD] = suite_traces(job, driver, worlds, TOLD, retold=retold)
    what = re.sub("[^a-z0-9]+", "-", fitted.target.name.lower()).strip("-")
    folder = job.home.folder / "edits" / f"{evaluation_name(job)}-{what}"
    size = float(np.linalg.norm(plan.standardised, axis=1).mean())
    found = Edits(
        folder, job.home.name, job.identity.driver, fitted.target.name, after_s, size,
        effects_of(fitted, plan, drives), plan.tellings,
    )  # fmt: skip
    _write(found, job, traces.backend)
    return found


def _refuse_stateless(driver: PolicyDriver, job: Job) -> None:
    state = driver.policy.initial_state(1)
    if not state:
        raise DrivememError(
            f"memory '{job.identity.driver}' carries no state, so nothing can be edited: choose a "
            "run with a memory"
        )
    whole = [key for key, value in state.items() if not value.is_floating_point()]
    if whole:
        raise DrivememError(
            f"memory '{job.identity.driver}' holds whole numbers ({', '.join(whole)}), which have "
            "no direction: choose a run with another memory"
        )


def _write(found: Edits, job: Job, backend: str) -> None:
    about = {
        "run": found.run, "driver": found.driver, "lesion": job.identity.lesion,
        "scenario": job.suite.scenario.name, "target": found.target, "after_s": found.after_s,
    }  # fmt: skip
    rows = [
        {
            **about, "measure": one.measure, "arm": one.arm, "estimate": one.value.estimate,
            "low": one.value.low, "high": one.value.high, "episodes": one.episodes,
        }
        for one in found.effects
    ]  # fmt: skip
    write_table(found.folder / "effects.parquet", EDITS, rows)
    job.suite.save(found.folder / "suite.json")
    facts = {
        "backend": backend, "target": found.target, "size": found.size, "tellings": found.tellings,
    }  # fmt: skip
    write_json_file(found.folder / "manifest.json", manifest("done", **facts))
