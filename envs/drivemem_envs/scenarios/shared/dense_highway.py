"""The world of drivemem's highway scenarios: weave through traffic slower than the ego.

The ego keeps a speed well above that of traffic and chooses its lane, nothing else: crawling
behind traffic is no way out. (Rewards under which both rushing and crawling are optimal make
seeds, not memory, decide.)
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from highway_env.envs.highway_env import HighwayEnvFast
from highway_env.vehicle.behavior import IDMVehicle

from drivemem_envs.scenario_spec import ObservationSpec, Scenario
from drivemem_envs.scenarios.shared.lane_planner import LANE_WIDTH_M, plan_lane

if TYPE_CHECKING:
    from drivemem_envs.actions import OracleRule

# Cars 200 m ahead are met after some 12 s. With 100 m even a perfect memory would know nothing
# after six seconds of darkness, and an exponential law has many that are longer.
FEATURES_RANGE = {
    "x": (-200.0, 200.0),
    "y": (-12.0, 12.0),
    "vx": (-40.0, 40.0),
    "vy": (-40.0, 40.0),
}


def dense_highway(name: str, **fields: Any) -> Scenario:
    """A scenario of this world: cars ahead in seven rows beside the ego's.

    Args:
        name: with level and version.
        fields: others of a Scenario: sensors, summary, memory horizon, ceiling.
    """
    rows = ObservationSpec(vehicles_count=8, features_range=FEATURES_RANGE, see_behind=False)
    shared = {"world": f"{__name__}:DenseHighwayWorld", "tags": ("traffic",)}
    return Scenario(name=name, observation=rows, **{**shared, **fields})


class SteadyVehicle(IDMVehicle):  # type: ignore[misc]
    """IDM traffic that keeps its lane and, but for one that it catches up with, its speed.

    So what was seen of a car stays true: what is asked for is memory, not foresight. With IDM's own
    headways, some 43 m at 22 m/s, traffic of this density brakes and queues, and even a perfect
    memory is wrong after seconds.
    """

    LANE_CHANGE_MIN_ACC_GAIN = 1e6  # [m/s2], more than any change of lanes brings
    TIME_WANTED = 0.3  # [s]
    DISTANCE_WANTED = 7.0  # [m], between centers


class DenseHighwayWorld(HighwayEnvFast):  # type: ignore[misc]
    """highway-env's fast highway at 3 decisions a second, the ego faster than lane-true traffic."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and this world's parameters."""
        config: dict[str, Any] = super().default_config()
        config.update(
            {
                # Without FASTER and SLOWER the ego keeps the lowest target speed.
                "action": {
                    "type": "DiscreteMetaAction",
                    "longitudinal": False,
                    "target_speeds": [36, 40],
                },
                "other_vehicles_type": f"{__name__}.SteadyVehicle",
                "simulation_frequency": 15,
                "policy_frequency": 3,  # at 5, restless lane changes crash before any is learned
                "lanes_count": 3,
                "vehicles_count": 15,
                "vehicles_density": 0.6,
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

    @classmethod
    def oracle(cls, scenario: Scenario) -> OracleRule:
        """The driver that sees all cars within its rows: `lane_planner`."""
        return partial(_free_lanes, scenario)

    def _rewards(self, action: Any) -> dict[str, float]:
        terms: dict[str, float] = super()._rewards(action)
        terms["survived_reward"] = float(self._is_truncated() and not self.vehicle.crashed)
        return terms


# A lane change shows in the heading: so far ahead, s, the ego points at the lane it changes to.
CHANGE_AHEAD_S = 0.4


def lane_aimed_at(y: Any, speed: Any, sine: Any, lanes: int) -> Any:
    """The lane that the ego drives on or changes to, any shape.

    Args:
        y: across the road, lane 0 at 0, m.
        speed: along its heading or the road, which differ little, m/s.
        sine: of its heading.
        lanes: how many there are.
    """
    aim = (y + CHANGE_AHEAD_S * speed * sine) / LANE_WIDTH_M
    return np.clip(np.rint(aim), 0, lanes - 1).astype(np.int64)


def _free_lanes(
    scenario: Scenario, observation: dict[str, Any], _decisions: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Actions (N,) by `plan_lane` of who is shown all cars near it."""
    spec, lanes = scenario.observation, int(scenario.resolved_config()["lanes_count"])
    rows = observation["vehicles"].astype(np.float64)
    present, x, y, speed, sine = (
        spec.column(rows, name) for name in ("presence", "x", "y", "vx", "sin_h")
    )
    targets = lane_aimed_at(y[:, 0], speed[:, 0], sine[:, 0], lanes)
    x[:, 0] = 0.0  # rows of others are relative to the ego
    y[:, 1:] += y[:, :1]
    speed[:, 1:] += speed[:, :1]
    # A car at the end of the range may be anywhere beyond: normalization clips.
    shown = (present > 0.0) & (x < FEATURES_RANGE["x"][1])
    actions = [
        plan_lane(x[k, seen], y[k, seen], speed[k, seen], lanes, target)
        for k, (seen, target) in enumerate(zip(shown, targets.tolist(), strict=True))
    ]
    return np.array(actions, dtype=np.int64)
