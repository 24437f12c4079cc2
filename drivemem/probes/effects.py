"""What came of edits of memory: each measure of each drive, with its interval over episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from drivemem.comparison.statistics import Interval, bootstrap, wilson
from drivemem.probes.behaviour import behaviour_after
from drivemem.probes.edit_plan import Fitted, Plan
from drivemem.probes.following import Contrast
from drivemem.probes.traces import Traces
from drivemem.schemas import EDIT_OUTCOME, EDIT_READ, FOLLOWS_KIND, FOLLOWS_TELLING

Arm = Literal["no edit", "control", "edit", "told otherwise"]
ARMS: tuple[Arm, ...] = ("no edit", "control", "edit", "told otherwise")
"""The control is a change of the same size in a random direction that the probe does not read. Told
otherwise: memory is left alone, and the cue tells the value that the edit brings about."""
TOLD: Arm = "told otherwise"
CHANGES = "being told the new value changes what it does"


@dataclass(frozen=True)
class Effect:
    """One measure of what came of an edit, over the episodes of one run."""

    measure: str
    arm: Arm
    value: Interval
    """95 % over episodes: Wilson's of shares, else a bootstrap."""
    episodes: int


def effects_of(fitted: Fitted, plan: Plan, drives: Mapping[Arm, Traces]) -> list[Effect]:
    """All measures of all drives of a suite.

    Args:
        fitted: what was learnt of the run.
        plan: what was changed when.
        drives: by arm; one that is told otherwise where a cue tells kinds.
    """
    plain = drives["no edit"]
    contrast = Contrast(plain, drives[TOLD], plan.moments) if TOLD in drives else None
    found: list[Effect] = []
    for arm in ARMS:
        if arm not in drives:
            continue
        traces = drives[arm]
        if arm != TOLD:
            found += _read(fitted, plan, arm, traces)
        if contrast is not None:
            found += _followed(contrast, arm, traces)
        elif fitted.told_by is not None:
            found += _told(fitted, plan, arm, traces)
        found += _ended(plan, arm, traces)
        if arm != "no edit":
            found += _against(plan, arm, traces, plain)
    return found


def _read(fitted: Fitted, plan: Plan, arm: Arm, traces: Traces) -> list[Effect]:
    """What the probe reads once memory is edited."""
    own = plan.moments.value
    here = np.searchsorted(traces.episode, plan.moments.episode) + plan.moments.step
    state = traces.inputs["memory"][here]
    if fitted.target.kinds:
        reads = fitted.probe.predict(state) == plan.wanted
        return [_share(EDIT_READ, arm, reads)]
    moved = fitted.directions.outputs(state)[:, 0] - own
    return [_mean("the probe reads more than is true", arm, moved)]


def _followed(contrast: Contrast, arm: Arm, traces: Traces) -> list[Effect]:
    """Whether it does what it does when it is told so, where that is something else."""
    differs = contrast.differs
    if arm == TOLD:
        return [_share(CHANGES, arm, differs)]
    if not differs.any():
        return []
    return [_share(FOLLOWS_TELLING, arm, contrast.follows(traces)[differs])]


def _told(fitted: Fitted, plan: Plan, arm: Arm, traces: Traces) -> list[Effect]:
    """Which kind goes with what it does, where no cue tells kinds."""
    acts = fitted.told_by.predict(behaviour_after(traces, plan.moments).features)
    return [
        _share(FOLLOWS_KIND, arm, acts == plan.wanted),
        _share("acts as with its own value", arm, acts == plan.moments.value),
    ]


def _ended(plan: Plan, arm: Arm, traces: Traces) -> list[Effect]:
    """How the edited episodes ended, and whether before the fact was told again."""
    outcomes = _outcomes(traces, plan)
    found = [_share("succeeds", arm, outcomes == "success")]
    if plan.is_told_again and traces.telling is not None and plan.moments.telling is not None:
        lasts = np.searchsorted(traces.episode, plan.moments.episode, side="right") - 1
        at_once = traces.telling[lasts] == plan.moments.telling
        failed = at_once & (outcomes != "success")
        found.append(_share("fails before it is told again", arm, failed))
    return found


def _against(plan: Plan, arm: Arm, traces: Traces, plain: Traces) -> list[Effect]:
    """What is not as without an edit."""
    moments = plan.moments
    other = _share(EDIT_OUTCOME, arm, _outcomes(traces, plan) != _outcomes(plain, plan))
    if arm == TOLD:  # it differs before the moment, so that no decision is like another's
        return [other]
    before, did = behaviour_after(plain, moments), behaviour_after(traces, moments)
    found = []
    if plain.probs is not None and traces.probs is not None:
        shift = np.abs(traces.probs[did.next_row] - plain.probs[before.next_row]).sum(axis=1) / 2
        found.append(_mean("probability moved to other actions at once", arm, shift))
    faster = _mean("drives faster by, m/s", arm, did.mean_speed - before.mean_speed)
    return [*found, other, faster]


def _outcomes(traces: Traces, plan: Plan) -> NDArray[Any]:
    """(E,) how the edited episodes ended."""
    return np.array([traces.outcomes[episode] for episode in plan.moments.episode.tolist()])


def _share(measure: str, arm: Arm, true: NDArray[np.bool_]) -> Effect:
    return Effect(measure, arm, wilson(int(true.sum()), len(true)), len(true))


def _mean(measure: str, arm: Arm, values: NDArray[np.float64]) -> Effect:
    value = bootstrap([values[:, None]], np.random.default_rng(0))
    return Effect(measure, arm, value, len(values))
