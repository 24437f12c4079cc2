"""x"""

from __future__ import annotations

from typing import Any

import numpy as np
from highway_env.envs.roundabout_env import RoundaboutGenericEnv

from drivemem_envs.scenarios.base import ObservationSpec, Scenario
from drivemem_envs.sensing.spec import Sensors


class OccludedRoundaboutWorld(RoundaboutGenericEnv):  # type: ignore[misc]
    """highway-env's roundabout with a building on the island and a parked truck at the entry."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and this world's dials."""
        config: dict[str, Any] = super().default_config()
        config.update(
            {
                "action": {
                    "type": "DiscreteMetaAction",
                    "longitudinal": True,
                    "lateral": False,
                    "target_speeds": [4.0, 8.0, 12.0],
                },
                "simulation_frequency": 15,
                "policy_frequency": 5,
                "duration": 10,  # [s]
                "vehicles_count": 8,
                "island_size": 26.0,  # [m] edge of the building on the island
                "truck": [-6.5, 33.0, 1.5707963267948966, 14.0, 3.0],  # x, y, heading, length, width
                "collision_reward": -1.0,
                "high_speed_reward": 0.01,
                "lane_change_reward": 0.0,
                "normalize_reward": False,
            }
        )
        return config

    def occluders(self) -> np.ndarray[Any, Any]:
        """The building and the truck (2, 5): x, y, heading, length, width."""
        size = self.config["island_size"]
        return np.array([[0.0, 0.0, 0.0, size, size], self.config["truck"]])


EASY = Scenario(
    name="occluded-roundabout-easy-v0",
    world=f"{__name__}:OccludedRoundaboutWorld",
    sensors=Sensors(line_of_sight=("occluders",)),
    observation=ObservationSpec(
        vehicles_count=10,
        features_range={"x": (-100, 100), "y": (-100, 100), "vx": (-15, 15), "vy": (-15, 15)},
        absolute=True,
        see_behind=True,
    ),
    summary="enter a roundabout whose ring a truck and the island hide, without standing still",
    memory_horizon_s=2.0,
    ceiling="measured",
)

MEDIUM = EASY.level("medium", config={"vehicles_count": 10})
HARD = EASY.level("hard", config={"vehicles_count": 12})
