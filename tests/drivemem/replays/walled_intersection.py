"""highway-env's intersection with buildings at its corners: a lively scene to record."""

from __future__ import annotations

from typing import Any

import numpy as np
from highway_env.envs.intersection_env import ConnectedLaneIntersectionEnv

from drivemem_envs.scenario_spec import ObservationSpec, Scenario
from drivemem_envs.sensing.spec import Sensors


class WalledIntersectionWorld(ConnectedLaneIntersectionEnv):  # type: ignore[misc]
    @classmethod
    def default_config(cls) -> dict[str, Any]:
        changes = {
            "simulation_frequency": 15,
            "policy_frequency": 5,
            "spawn_probability": 0.15,
            "collision_reward": -1.0,
            "arrived_reward": 1.0,
            "high_speed_reward": 0.01,
            "reward_speed_range": [0.0, 9.0],
        }
        return {**super().default_config(), **changes}

    def occluders(self) -> np.ndarray[Any, Any]:
        size, centre = 30.0, 22.0
        return np.array(
            [[sx * centre, sy * centre, 0.0, size, size] for sx in (-1, 1) for sy in (-1, 1)]
        )


SCENARIO = Scenario(
    name="walled-intersection-v0",
    world=f"{__name__}:WalledIntersectionWorld",
    sensors=Sensors(line_of_sight=("actors", "occluders")),
    observation=ObservationSpec(
        vehicles_count=15,
        features_range={"x": (-100, 100), "y": (-100, 100), "vx": (-20, 20), "vy": (-20, 20)},
        absolute=True,
    ),
    memory_horizon_s=2.0,
)
