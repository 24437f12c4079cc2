"""The world of drivemem's highway scenarios: weave through traffic slower than the ego.

Every target speed is faster than traffic, so that crawling behind it is no way out: the decision
is the lane. (Rewards under which both rushing and crawling are optimal make seeds, not memory,
decide.)
"""

from __future__ import annotations

from typing import Any

from highway_env.envs.highway_env import HighwayEnvFast

FEATURES_RANGE = {
    "x": (-150.0, 150.0),
    "y": (-12.0, 12.0),
    "vx": (-40.0, 40.0),
    "vy": (-40.0, 40.0),
}


class HighwayWeavingWorld(HighwayEnvFast):  # type: ignore[misc]
    """highway-env's fast highway at 5 decisions a second, the ego always faster than traffic."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and this world's dials."""
        config: dict[str, Any] = super().default_config()
        config.update(
            {
                "action": {"type": "DiscreteMetaAction", "target_speeds": [25, 27.5, 30]},
                "simulation_frequency": 15,
                "policy_frequency": 5,
                "lanes_count": 3,
                "vehicles_count": 15,
                "vehicles_density": 1.0,
                "duration": 15,  # [s]
                "collision_reward": -1.0,
                "high_speed_reward": 0.01,
                "right_lane_reward": 0.0,
                "survived_reward": 1.0,
                "reward_speed_range": [20, 30],
                "normalize_reward": False,
            }
        )
        return config

    def _rewards(self, action: Any) -> dict[str, float]:
        terms: dict[str, float] = super()._rewards(action)
        terms["survived_reward"] = float(self._is_truncated() and not self.vehicle.crashed)
        return terms
