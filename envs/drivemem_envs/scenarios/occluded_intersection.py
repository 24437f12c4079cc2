"""Occluded intersection: cross traffic is in view from afar and lost near the crossing.

Task
    Cross highway-env's intersection from south to north, through traffic that does not yield.
What is hidden
    Cars behind four buildings at the corners (line of sight). From 30 m and more before the
    crossing the ego sees past them; nearer by, until its nose is over the line, it does not.
What must be remembered
    When the cars seen earlier reach the crossing, for two to five seconds.
Observation
    `vehicles` (15, 7), absolute positions as in highway-env's intersection.
Actions
    SLOWER, IDLE, FASTER among 3, 6 and 9 m/s: one cannot stand and wait for a view.
Reward
    +1 arrived, -1 collision, up to 0.01 for speed at every decision.
Outcome
    success: arrived on the far side; collision; timeout after 20 s.
Ceiling
    Measured, see the table of results: when the decision is due some of the relevant cars are
    in view.
Dials
    Memory horizon: `building_depth`, `building_length`. Difficulty: `spawn_probability`.
Source
    Isele et al. 2018 (arXiv 1705.01196) on highway-env's intersection.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from highway_env.envs.intersection_env import ConnectedLaneIntersectionEnv

from drivemem_envs.scenarios.base import ObservationSpec, Scenario
from drivemem_envs.sensing.spec import Sensors


class OccludedIntersectionWorld(ConnectedLaneIntersectionEnv):  # type: ignore[misc]
    """highway-env's intersection with two rows of houses along the road that the ego crosses."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and this world's dials."""
        config: dict[str, Any] = super().default_config()
        config.update(
            {
                # No standing still: whoever waits for a view must go on before one opens.
                "action": {
                    "type": "DiscreteMetaAction",
                    "longitudinal": True,
                    "lateral": False,
                    "target_speeds": [3.0, 6.0, 9.0],
                },
                "simulation_frequency": 15,
                "policy_frequency": 5,
                "duration": 20,  # [s]
                "destination": "o2",
                "spawn_probability": 0.15,
                "building_length": 12.0,  # [m] along the road that is crossed
                "building_depth": 8.0,  # [m] along the ego's road: how long the view is lost
                "building_setback": 7.0,  # [m] of the near edges from both roads' centre lines
                "collision_reward": -1.0,
                "arrived_reward": 1.0,
                "high_speed_reward": 0.01,
                "reward_speed_range": [0.0, 9.0],
            }
        )
        return config

    def occluders(self) -> np.ndarray[Any, Any]:
        """Four buildings (4, 5): x, y, heading, length, width."""
        length, depth = self.config["building_length"], self.config["building_depth"]
        setback = self.config["building_setback"]
        x, y = setback + length / 2, setback + depth / 2
        return np.array([[sx * x, sy * y, 0.0, length, depth] for sx in (-1, 1) for sy in (-1, 1)])


EASY = Scenario(
    name="occluded-intersection-easy-v0",
    world=f"{__name__}:OccludedIntersectionWorld",
    sensors=Sensors(line_of_sight=("occluders",)),
    observation=ObservationSpec(
        vehicles_count=15,
        features_range={"x": (-100, 100), "y": (-100, 100), "vx": (-20, 20), "vy": (-20, 20)},
        absolute=True,
        see_behind=True,
    ),
    summary="cross traffic that is hidden near the crossing and does not yield",
    memory_horizon_s=2.0,
    ceiling="measured",
)

MEDIUM = EASY.level("medium", config={"spawn_probability": 0.3})
HARD = EASY.level("hard", config={"spawn_probability": 0.45, "building_depth": 14.0})
