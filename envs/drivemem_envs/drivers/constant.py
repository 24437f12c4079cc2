"""Drivers that look at nothing: one action always, or a random one."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.sensing.spec import Tracker

_ALL = ("LANE_LEFT", "IDLE", "LANE_RIGHT", "FASTER", "SLOWER")
_LONGITUDINAL = ("SLOWER", "IDLE", "FASTER")


def action_labels(scenario: Scenario) -> tuple[str, ...]:
    """highway-env's labels of a scenario's discrete actions, in order; () if continuous."""
    action = scenario.resolved_config()["action"]
    if action["type"] != "DiscreteMetaAction":
        return ()
    longitudinal, lateral = action.get("longitudinal", True), action.get("lateral", True)
    return _ALL if longitudinal and lateral else _LONGITUDINAL if longitudinal else _ALL[:3]


def batch_size(observation: Any) -> int:
    """N of a batched observation."""
    first = next(iter(observation.values())) if isinstance(observation, dict) else observation
    return len(first)


class ConstantDriver:
    """Takes one action always."""

    tracker: Tracker = "none"

    def __init__(self, action: str, scenario: Scenario, action_space: spaces.Space[Any]) -> None:
        labels = action_labels(scenario)
        if action in labels:
            self.action: Any = np.int64(labels.index(action))
        elif action.isdigit() and isinstance(action_space, spaces.Discrete):
            self.action = np.int64(int(action))
            if not action_space.contains(self.action):
                raise ValueError(f"action {action} is not below {action_space.n}")
        elif isinstance(action_space, spaces.Box) and action in ("", "zero"):
            self.action = np.zeros(action_space.shape, dtype=action_space.dtype)
        else:
            near = difflib.get_close_matches(action.upper(), labels, n=1)
            hint = f"; did you mean 'constant:{near[0]}'?" if near else ""
            allowed = ", ".join(labels) or "zero"
            raise ValueError(f"unknown action '{action}' for constant{hint} (one of: {allowed})")

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[Any], Any]:
        """The action for each world; see `Driver`."""
        return np.stack([self.action] * batch_size(observation)), None


class RandomDriver:
    """Draws available actions uniformly; its stream is its state, so evaluations repeat."""

    tracker: Tracker = "none"

    def __init__(self, action_space: spaces.Space[Any]) -> None:
        self.action_space = action_space

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[Any], Any]:
        """Random actions; see `Driver`."""
        generator = state if state is not None else np.random.default_rng(0)
        worlds = batch_size(observation)
        if isinstance(self.action_space, spaces.Discrete):
            weights = np.ones((worlds, int(self.action_space.n)))
            if action_masks is not None:
                weights *= action_masks
            return (generator.random(weights.shape) * weights).argmax(axis=1), generator
        box = self.action_space
        if not isinstance(box, spaces.Box):
            raise ValueError(f"no random driver for {box}")
        low, high = np.maximum(box.low, -1.0), np.minimum(box.high, 1.0)
        return generator.uniform(low, high, (worlds, *box.shape)).astype(box.dtype), generator
