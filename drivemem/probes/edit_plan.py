"""What is changed of the memory state, when, and by whom; see `drivemem.probes.edits`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from drivemem.errors import DrivememError, did_you_mean, one_line
from drivemem.evaluation.drivers import PolicyDriver
from drivemem.probes.behaviour import Moments, behaviour_after, first_moments, kinds_told
from drivemem.probes.directions import Directions
from drivemem.probes.linear import fitted_probe
from drivemem.probes.targets import Target
from drivemem.probes.tellings import Retold
from drivemem.probes.traces import ProbedMoment, Traces, flat_rows, projection


class StateEditor:
    """Adds a change to the memory state at one decision of each episode (a `ProbeCallback`).

    Args:
        driver: whose state is changed.
        moments: when, in which episodes.
        change: (E, D) of the flattened state, as `flat_rows` flattens it.
    """

    def __init__(self, driver: PolicyDriver, moments: Moments, change: NDArray[Any]) -> None:
        self._driver = driver
        self._change = {
            (int(episode), int(step)): row
            for episode, step, row in zip(moments.episode, moments.step, change, strict=True)
        }

    def see(self, observation: Any, moment: ProbedMoment, masks: NDArray[Any] | None) -> None:
        """Change the states of worlds that are at their moment."""
        places = zip(moment.episode.tolist(), moment.step.tolist(), strict=True)
        due = {world: self._change[at] for world, at in enumerate(places) if at in self._change}
        if not due:
            return
        rows, state, taken = list(due), self._driver.state, 0
        change = torch.as_tensor(np.stack(list(due.values())))
        for key in sorted(state):
            value = state[key].clone()
            width = value[0].numel()
            part = change[:, taken : taken + width].reshape(len(rows), *value.shape[1:])
            value[rows] += part.to(value)
            state[key], taken = value, taken + width
        self._driver.put_state(state)


@dataclass(frozen=True)
class Fitted:
    """What was learnt of a run from episodes that are not edited."""

    target: Target
    probe: Any
    directions: Directions
    aims: dict[float, NDArray[np.float64]]
    """Of each kind what the probe computes on the average; {} of quantities."""
    told_by: Any
    """The tree that tells kinds from behaviour; None of quantities, and where a cue tells kinds."""
    deviation: float


def fit(traces: Traces, name: str, after_s: float) -> Fitted:
    """Fit the probe to edit along, and for kinds that no cue tells what does so from behaviour.

    Args:
        traces: of episodes that are not edited.
        name: of a target, or part of it.
        after_s: how long it has been hidden when memory is edited, s.

    Raises:
        DrivememError: no such target, or one that is not often enough there.
    """
    target = _named(traces, name)
    hidden = np.isfinite(target.values) & ~(target.age_s <= 0)
    shown = replace(target, values=np.where(hidden, target.values, np.nan))
    states = traces.inputs["memory"]
    probe = fitted_probe(states, shown, traces.episode)
    directions = Directions.of_probe(probe)
    deviation = float(np.std(target.values[hidden]))
    if not target.kinds:
        return Fitted(target, probe, directions, {}, None, deviation)
    aims = {
        float(kind): directions.outputs(states[hidden & (target.values == kind)]).mean(axis=0)
        for kind in np.unique(target.values[hidden])
    }
    told_by = None
    if target.telling is None:
        moments = first_moments(traces, target, after_s)
        told_by = kinds_told(behaviour_after(traces, moments), moments.value)
    return Fitted(target, probe, directions, aims, told_by, deviation)


def _named(traces: Traces, name: str) -> Target:
    """The one target whose name is, or holds, what was asked for."""
    targets = {target.name: target for target in traces.targets}
    found = [name] if name in targets else [one for one in targets if name in one]
    if len(found) != 1:
        many = f"'{name}' is part of {len(found)} names" if found else f"unknown target '{name}'"
        near = "" if found else did_you_mean(name, targets)
        raise DrivememError(f"{many}{near} (one of: {', '.join(targets)})")
    return targets[found[0]]


@dataclass(frozen=True)
class Plan:
    """What is changed when, in E episodes."""

    moments: Moments
    wanted: NDArray[np.float64]
    """(E,) the value that the probe shall read."""
    standardised: NDArray[np.float64]
    """(E, D) the change."""
    change: NDArray[np.float64]
    """(E, D) of the flattened state."""
    control: NDArray[np.float64]
    """(E, D) as large, in a direction that the probe does not read."""
    tellings: int
    """How often the fact is told in an episode at most; 0: no cue tells it."""

    @property
    def is_told_again(self) -> bool:
        """Whether other tellings replace the one after which memory is edited."""
        return self.tellings > 1

    def retold(self, target: Target) -> Retold | None:
        """Tellings of the new values in place of the edits; None where no cue tells kinds."""
        if not target.kinds or self.moments.telling is None or target.part is None:
            return None
        return Retold(self.moments.episode, self.moments.telling, self.wanted, target.part)


def make_plan(
    fitted: Fitted, traces: Traces, driver: PolicyDriver, after_s: float, by: float | None
) -> Plan:
    """What to change when in the episodes of a suite.

    Args:
        fitted: on other episodes.
        traces: of the suite, driven without an edit.
        driver: whose state is to be changed.
        after_s: how long the target has been hidden, s.
        by: how far a quantity is moved; None: its standard deviation.

    Raises:
        DrivememError: the target is never hidden for so long, `by` of a kind, or a state without
            a direction that the probe does not read.
    """
    target = _named(traces, fitted.target.name)
    moments = first_moments(traces, target, after_s)
    if not len(moments.row):
        again = "" if target.telling is None else " before it is told again"
        raise DrivememError(
            f"{target.name} is in no episode hidden for {after_s:g} s with a decision to follow"
            f"{again}: choose less, or more episodes"
        )
    moments = moments.one_each(np.random.default_rng(1))
    tellings = 0 if target.telling is None else int(target.telling.max())
    generator = np.random.default_rng(0)
    states = traces.inputs["memory"][moments.row]
    if target.kinds:
        if by is not None:
            raise DrivememError(f"{target.name} is one of several kinds: only a quantity moves by")
        wanted = _other_kinds(moments.value, list(fitted.aims), generator)
        outputs = np.stack([fitted.aims[kind] for kind in wanted.tolist()])
    else:
        outputs = fitted.directions.outputs(states) + (fitted.deviation if by is None else by)
        wanted = outputs[:, 0]
    change = fitted.directions.least_change(states, outputs)
    with one_line(ValueError):
        control = fitted.directions.elsewhere(change, generator)
    into = partial(_in_state, driver, fitted.directions)
    return Plan(moments, wanted, change, into(change), into(control), tellings)


def _in_state(
    driver: PolicyDriver, directions: Directions, change: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Changes (E, D) of what the probe reads as the least ones of the flattened state."""
    read = directions.in_inputs(change)
    random = projection(flat_rows(driver.state).shape[1])
    return read if random is None else read @ np.linalg.pinv(random.astype(np.float64))


def _other_kinds(
    own: NDArray[np.float64], kinds: list[float], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Another kind than its own for each episode, at random."""
    return np.array([generator.choice([kind for kind in kinds if kind != one]) for one in own])
