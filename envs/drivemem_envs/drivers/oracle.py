"""A driver that knows what is hidden: the upper bound, and the proof that a scenario is solvable.

It drives the twin (full sensors, so that a cue is always shown) by the rule that the scenario's
world gives, and counts decisions. Where the world gives none, the planner is the oracle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from drivemem_envs.actions import OracleRule
from drivemem_envs.drivers.base import Driver
from drivemem_envs.drivers.constant import batch_size
from drivemem_envs.drivers.planner import PlannerDriver
from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.sensing.spec import Tracker


def make_oracle(scenario: Scenario, action_space: spaces.Space[Any]) -> Driver:
    """Who drives by the world's own rule, or else by a plan.

    Raises:
        ValueError: see `OracleDriver` and `PlannerDriver`.
    """
    if hasattr(scenario.world_class(), "oracle"):
        return OracleDriver(scenario)
    return PlannerDriver("", scenario, action_space)


class OracleDriver:
    """Follows the rule that a scenario's world gives as `oracle(scenario)`.

    Args:
        scenario: what it drives.

    Raises:
        ValueError: the observation is flat, or has no rows.
    """

    tracker: Tracker = "none"
    full_sensors = True

    def __init__(self, scenario: Scenario) -> None:
        if scenario.observation.flat:
            raise ValueError("the oracle reads a Dict observation: use flat=False")
        if "rows" not in scenario.observation.views:
            raise ValueError("the oracle reads rows: add 'rows' to views")
        self._rule: OracleRule = scenario.world_class().oracle(scenario)

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
