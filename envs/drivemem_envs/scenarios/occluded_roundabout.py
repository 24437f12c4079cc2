"""Occluded roundabout: the island and a parked truck hide the ring that the ego enters.

Task
    Enter highway-env's roundabout from the south within 10 s, without a collision. Traffic on the
    ring keeps its pace.
What is hidden
    Cars behind a building on the island and behind a truck parked left of the entry: it hides
    the ring on the last 10 m, where the ego was in view of it before.
What must be remembered
    When the cars seen past the truck reach the entry, for about two seconds.
Observation
    `vehicles` (10, 7), absolute positions as in highway-env's roundabout.
Actions
    SLOWER, IDLE, FASTER among 4, 8 and 12 m/s: patience is limited, for nobody can stand still.
Reward
    -1 collision, up to 0.01 for speed at every decision.
Outcome
    success: unharmed after 10 s; collision.
Ceiling
    Measured, see the table of results.
Dials
    Memory horizon: `truck_length`, `island_size`. Difficulty: `vehicles_count`.
Source
    highway-env's roundabout-generic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from highway_env.envs.roundabout_env import RoundaboutGenericEnv

from drivemem_envs.scenarios.base import ObservationSpec, Scenario
from drivemem_envs.sensing.spec import Sensors

TRUCK_Y = 27.0
"""Where the truck begins, just outside the ring, m."""
TRUCK_WIDTH = 4.0
"""m."""


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
                "truck_length": 8.0,  # [m] along the ego's road, between its entry and the exit
                "collision_reward": -1.0,
                "high_speed_reward": 0.01,
                "lane_change_reward": 0.0,
                "normalize_reward": False,
            }
        )
        return config

    def occluders(self) -> np.ndarray[Any, Any]:
        """The building and the truck (2, 5): x, y, heading, length, width."""
        size, length = self.config["island_size"], self.config["truck_length"]
        truck = [0.0, TRUCK_Y + length / 2, 0.0, TRUCK_WIDTH, length]
        return np.array([[0.0, 0.0, 0.0, size, size], truck])


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

MEDIUM = EASY.level("medium", config={"vehicles_count": 10, "truck_length": 10.0})
HARD = EASY.level("hard", config={"vehicles_count": 12, "truck_length": 12.0})
