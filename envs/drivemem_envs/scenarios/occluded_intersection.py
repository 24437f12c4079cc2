"""Occluded intersection: buildings at the corners hide the traffic that the ego must cross.

Task
    Cross highway-env's intersection from the south and turn left, through traffic that does not
    yield to the ego.
What is hidden
    Cars behind four corner buildings and behind each other (line of sight).
What must be remembered
    Cars seen through a gap and hidden since, for a second or two.
Observation
    `vehicles` (15, 7), absolute positions as in highway-env's intersection.
Actions
    SLOWER, IDLE, FASTER among 0, 4.5 and 9 m/s.
Reward
    +1 arrived, -1 collision, up to 0.01 for speed at every decision. Standing still earns nothing,
    driving on regardless loses more in collisions than it gains.
Outcome
    success: arrived on the far side; collision; stuck; timeout after 13 s.
Ceiling
    Measured, not proved: when the decision is due the relevant car is often in view, so plain
    buildings open only a small gap (this is a realistic scene, not a memory test).
Dials
    Memory horizon: `building_size`, `building_setback`. Difficulty: `spawn_probability`.
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
    """highway-env's intersection with a building at each corner."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and this world's dials."""
        config: dict[str, Any] = super().default_config()
        config.update(
            {
                "simulation_frequency": 15,
                "policy_frequency": 5,
                "spawn_probability": 0.15,
                "building_size": 30.0,  # [m]
                "building_setback": 7.0,  # [m] from the roads' centre lines
                "collision_reward": -1.0,
                "arrived_reward": 1.0,
                "high_speed_reward": 0.01,
                "reward_speed_range": [0.0, 9.0],
            }
        )
        return config

    def occluders(self) -> np.ndarray[Any, Any]:
        """Four square buildings (4, 5): x, y, heading, length, width."""
        size = self.config["building_size"]
        centre = self.config["building_setback"] + size / 2
        return np.array(
            [[sx * centre, sy * centre, 0.0, size, size] for sx in (-1, 1) for sy in (-1, 1)]
        )


EASY = Scenario(
    name="occluded-intersection-easy-v0",
    world=f"{__name__}:OccludedIntersectionWorld",
    sensors=Sensors(line_of_sight=("actors", "occluders")),
    observation=ObservationSpec(
        vehicles_count=15,
        features_range={"x": (-100, 100), "y": (-100, 100), "vx": (-20, 20), "vy": (-20, 20)},
        absolute=True,
        see_behind=True,
    ),
    summary="turn left across traffic that corner buildings hide and that does not yield",
    memory_horizon_s=2.0,
    ceiling="measured: plain corners open only a small gap",
)

MEDIUM = EASY.level("medium", config={"spawn_probability": 0.3})
HARD = EASY.level("hard", config={"spawn_probability": 0.45, "building_setback": 6.0})
