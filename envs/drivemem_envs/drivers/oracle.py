"""A driver that knows what is hidden: the upper bound, and the proof that a scenario is solvable.

It drives the twin (full sensors, so that a cue is always shown) by the rule that the scenario's
world gives, and counts decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from drivemem_envs.drivers.constant import batch_size
from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.sensing.spec import Tracker

OracleRule = Callable[[dict[str, Any], NDArray[np.int64]], NDArray[np.int64]]
"""Batched observation and decisions since each episode began (N,), to actions (N,)."""


class OracleDriver:
    """Follows the rule that a scenario's world gives as `oracle(scenario)`.

    Args:
        scenario: what it drives.
        action_space: of one world.

    Raises:
        ValueError: the world gives no rule, or the observation is flat.
    """

    tracker: Tracker = "none"
    full_sensors = True

    def __init__(self, scenario: Scenario, action_space: spaces.Space[Any]) -> None:
        make = getattr(scenario.world_class(), "oracle", None)
        if make is None:
            raise ValueError(
                f"{scenario.name} has no oracle: take idm with full sensors in its place"
            )
        if scenario.observation.flat:
            raise ValueError("the oracle reads a Dict observation: use flat=False")
        if "rows" not in scenario.observation.views:
            raise ValueError("the oracle reads rows: add 'rows' to views")
        self._rule: OracleRule = make(scenario)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[Any], Any]:
        """The rule's actions; the state is the number of decisions. See `Driver`."""
        if state is None:
            state = np.zeros(batch_size(observation), dtype=np.int64)
        if episode_start is not None:
            state = np.where(episode_start, 0, state)
        return self._rule(observation, state), state + 1
