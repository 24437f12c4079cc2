"""Drivers whose memory is known, and what comes of editing it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import drivemem_envs
from drivemem.evaluation.drivers import Decision
from drivemem.evaluation.suites import SuiteSeeds, make_suite
from drivemem.probes.edit_plan import Fitted, Plan, StateEditor, fit, make_plan
from drivemem.probes.effects import Arm, effects_of
from drivemem.probes.tellings import Retold
from drivemem.probes.traces import Traces, collect_traces
from drivemem.progress import Progress
from drivemem_envs import Scenario

WORLDS = 12


class Recalls:
    """Drives by the oracle's rule and the fact that its state holds; nothing else is in there.

    Args:
        scenario: whose cue is one of three kinds.
    """

    obeys = True

    def __init__(self, scenario: Scenario) -> None:
        self._rule = scenario.world_class().oracle(scenario)
        self._mix = np.random.default_rng(0).standard_normal((3, 9))
        self._back = np.linalg.pinv(self._mix)

    def begin(self, env: Any) -> None:
        self._kinds = env.single_action_space.n
        self._noise = np.random.default_rng(1)
        self._state = np.zeros((env.num_envs, 9))
        self._step = np.zeros(env.num_envs, dtype=np.int64)
        self._told = np.zeros((env.num_envs, 3))

    @property
    def state(self) -> dict[str, torch.Tensor]:
        state = torch.as_tensor(self._state)
        return {"a": state[:, :4], "b": state[:, 4:8].reshape(-1, 2, 2), "c": state[:, 8:]}

    def put_state(self, state: dict[str, torch.Tensor]) -> None:
        self._state = torch.cat([state[key].flatten(1) for key in "abc"], dim=1).numpy()

    def decide(self, observation: Any, starts: Any, masks: Any) -> Decision:
        self._step = np.where(starts, 0, self._step + 1)
        seen = observation["cue"].any(axis=1)
        self._told = np.where(seen[:, None], observation["cue"], self._told)
        noise = 0.05 * self._noise.standard_normal(self._state.shape)
        self._state = np.where(seen[:, None], self._told @ self._mix + noise, self._state)
        fact = self._state @ self._back if self.obeys else self._told
        actions = self._rule({**observation, "cue": fact}, self._step)
        return Decision(actions, probs=np.eye(self._kinds)[actions])


class Ignores(Recalls):
    """Holds the fact as readably, and goes by another memory."""

    obeys = False


def traces_of(
    driver: Any, scenario: Scenario, stream: Any, episodes: int,
    callbacks: tuple[Any, ...] = (), retold: Retold | None = None,
) -> Traces:  # fmt: skip
    """What a driver does in the episodes of a stream."""
    suite = make_suite(scenario, episodes, stream)
    seeds = SuiteSeeds(suite, WORLDS)
    env = drivemem_envs.make_vec(suite.scenario, WORLDS, seeds=seeds)
    with Progress("test", episodes, "episodes", quiet=True) as bar:
        return collect_traces(env, driver, suite, seeds, bar, callbacks=callbacks, retold=retold)


def drives_of(
    driver: Any, scenario: Scenario, episodes: int, after_s: float = 0.0
) -> tuple[Fitted, Plan, dict[Arm, Traces]]:
    """A driver's latent edited: what was fitted, planned and driven."""
    fitted = fit(traces_of(driver, scenario, "eval", episodes), "latent", after_s)
    plain = traces_of(driver, scenario, "test", episodes)
    plan = make_plan(fitted, plain, driver, after_s, None)
    drives: dict[Arm, Traces] = {"no edit": plain}
    changes: tuple[tuple[Arm, Any], ...] = (("control", plan.control), ("edit", plan.change))
    for arm, change in changes:
        editor = StateEditor(driver, plan.moments, change)
        drives[arm] = traces_of(driver, scenario, "test", episodes, (editor,))
    retold = plan.retold(fitted.target)
    if retold is not None:
        drives["told otherwise"] = traces_of(driver, scenario, "test", episodes, (), retold)
    return fitted, plan, drives


def effects_on(
    driver: Any, scenario: Scenario, episodes: int, after_s: float = 0.0
) -> dict[tuple[str, str], float]:
    """What came of it, by measure and arm."""
    return measured(*drives_of(driver, scenario, episodes, after_s))


def measured(fitted: Fitted, plan: Plan, drives: dict[Arm, Traces]) -> dict[tuple[str, str], float]:
    """The effects of an edit, by measure and arm."""
    found = effects_of(fitted, plan, drives)
    return {(one.measure, one.arm): one.value.estimate for one in found}
