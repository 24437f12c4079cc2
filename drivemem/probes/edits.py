"""Edits of memory: whether what an agent does follows what its memory is made to hold.

That a probe reads something does not mean that the driver uses it. Here the memory state is moved,
once in an episode, by the least that makes the probe read another value, and the episode goes on.
Sources: Elazar et al., "Amnesic probing", 2021; Li et al., "Emergent world representations", 2023.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from drivemem.comparison.formats import interval_text
from drivemem.comparison.statistics import Interval, bootstrap, wilson
from drivemem.episodes import write_table
from drivemem.errors import DrivememError
from drivemem.evaluation.config import evaluate_config
from drivemem.evaluation.drivers import AgentDriver, PolicyDriver
from drivemem.evaluation.jobs import Job, evaluation_name
from drivemem.lesions import INTACT
from drivemem.probes.behaviour import behaviour_after
from drivemem.probes.driving import WorldSettings, probing_job, suite_traces
from drivemem.probes.edit_plan import Fitted, Plan, StateEditor, fit, make_plan
from drivemem.probes.shown import record
from drivemem.probes.traces import Traces
from drivemem.runs import manifest, write_json_file
from drivemem.schemas import EDITS
from drivemem.tables import Shown, Table
from drivemem.threads import limit_threads

Arm = Literal["no edit", "control", "edit"]
ARMS: tuple[Arm, ...] = ("no edit", "control", "edit")
"""The control is a change of the same size in a random direction that the probe does not read."""


@dataclass(frozen=True)
class Effect:
    """One measure of what came of an edit, over the episodes of one run."""

    measure: str
    arm: Arm
    value: Interval
    """95 % over episodes: Wilson's of shares, else a bootstrap."""
    episodes: int


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

    def as_tables(self) -> list[Table]:
        """What the agent did with its memory edited and not, a column for each arm."""
        cells: dict[str, dict[str, str]] = {}
        for one in self.effects:
            cells.setdefault(one.measure, {})[one.arm] = interval_text(one.value)
        control = f"control: as large ({self.size:.2g} standardised), where the probe does not read"
        table = Table(
            ("measure", *ARMS),
            [(measure, *(of.get(arm, "") for arm in ARMS)) for measure, of in cells.items()],
            title=f"{self.run}: {self.target} edited after {self.after_s:g} s",
            caption=control,
            records=[record(self.run, effect) for effect in self.effects],
        )
        return [table]


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

    The probe, and what tells values from behaviour, are fitted on episodes that the run was
    trained on.

    Args:
        run: folder of a trained run.
        target: what to edit: `latent`, or part of the name of one that `drivemem probe` decodes.
        after_s: how long it has been hidden, s; 0: as soon as it is.
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
    what = re.sub("[^a-z0-9]+", "-", fitted.target.name.lower()).strip("-")
    folder = job.home.folder / "edits" / f"{evaluation_name(job)}-{what}"
    size = float(np.linalg.norm(plan.standardised, axis=1).mean())
    found = Edits(
        folder, job.home.name, job.identity.driver, fitted.target.name, after_s, size,
        _effects(fitted, plan, drives),
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


def _effects(fitted: Fitted, plan: Plan, drives: dict[Arm, Traces]) -> list[Effect]:
    """All measures of all arms; those against no edit are of the other two alone."""
    plain = drives["no edit"]
    before, own = behaviour_after(plain, plan.moments), plan.moments.value
    found: list[Effect] = []
    for arm in ARMS:
        traces = drives[arm]
        did = behaviour_after(traces, plan.moments)
        here = np.searchsorted(traces.episode, plan.moments.episode) + plan.moments.step
        state, told = traces.inputs["memory"][here], fitted.told_by
        if told is None:
            moved = fitted.directions.outputs(state)[:, 0] - own
            found.append(_mean("the probe reads more than is true", arm, moved))
        else:
            acts = told.predict(did.features)
            found += [
                _share(
                    "the probe reads the new value", arm, fitted.probe.predict(state) == plan.wanted
                ),
                _share("acts as with the new value", arm, acts == plan.wanted),
                _share("acts as with its own value", arm, acts == own),
            ]
        found.append(_share("succeeds", arm, _outcomes(traces, plan) == "success"))
        if arm == "no edit":
            continue
        if plain.probs is not None and traces.probs is not None:
            shift = (
                np.abs(traces.probs[did.next_row] - plain.probs[before.next_row]).sum(axis=1) / 2
            )
            found.append(_mean("probability moved to other actions at once", arm, shift))
        found.append(
            _share("another outcome", arm, _outcomes(traces, plan) != _outcomes(plain, plan))
        )
        found.append(_mean("drives faster by, m/s", arm, did.mean_speed - before.mean_speed))
    return found


def _outcomes(traces: Traces, plan: Plan) -> NDArray[Any]:
    """(E,) how the edited episodes ended."""
    return np.array([traces.outcomes[episode] for episode in plan.moments.episode.tolist()])


def _share(measure: str, arm: Arm, true: NDArray[np.bool_]) -> Effect:
    return Effect(measure, arm, wilson(int(true.sum()), len(true)), len(true))


def _mean(measure: str, arm: Arm, values: NDArray[np.float64]) -> Effect:
    value = bootstrap([values[:, None]], np.random.default_rng(0))
    return Effect(measure, arm, value, len(values))


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
    facts = {"backend": backend, "target": found.target, "size": found.size}
    write_json_file(found.folder / "manifest.json", manifest("done", **facts))
