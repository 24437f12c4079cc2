"""The world of drivemem's highway scenarios: weave through traffic slower than the ego.

The ego keeps a speed well above that of traffic and chooses its lane, nothing else: crawling
behind traffic is no way out. (Rewards under which both rushing and crawling are optimal make
seeds, not memory, decide.)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from highway_env.envs.highway_env import HighwayEnvFast
from highway_env.vehicle.behavior import IDMVehicle

from drivemem_envs.scenarios.base import Scenario

if TYPE_CHECKING:
    from drivemem_envs.drivers.scripted import ScriptedRule

LANE_WIDTH_M = 4.0

FEATURES_RANGE = {
    "x": (-100.0, 100.0),
    "y": (-12.0, 12.0),
    "vx": (-40.0, 40.0),
    "vy": (-40.0, 40.0),
}


class LaneKeepingVehicle(IDMVehicle):  # type: ignore[misc]
    """IDM traffic that never finds a lane change worth its while.

    So where a car was seen tells its lane later: what is asked for is memory, not foresight.
    """

    LANE_CHANGE_MIN_ACC_GAIN = 1e6  # [m/s2]


class HighwayWeavingWorld(HighwayEnvFast):  # type: ignore[misc]
    """highway-env's fast highway at 3 decisions a second, the ego faster than lane-true traffic."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and this world's dials."""
        config: dict[str, Any] = super().default_config()
        config.update(
            {
                # Without FASTER and SLOWER the ego keeps the lowest target speed.
                "action": {
                    "type": "DiscreteMetaAction",
                    "longitudinal": False,
                    "target_speeds": [36, 40],
                },
                "other_vehicles_type": f"{__name__}.LaneKeepingVehicle",
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
    def scripted(cls, scenario: Scenario) -> ScriptedRule:
        """The driver that sees all cars within its rows: `scripted_lane`."""
        return partial(_free_lanes, scenario)

    def _rewards(self, action: Any) -> dict[str, float]:
        terms: dict[str, float] = super()._rewards(action)
        terms["survived_reward"] = float(self._is_truncated() and not self.vehicle.crashed)
        return terms


# How far ahead `scripted_lane` plans, in steps of PLAN_STEP_S, how many a lane change takes,
# and the least distance of centres along the road, m: a car's length and a margin.
PLAN_STEP_S = 0.2
PLAN_STEPS = 30
CHANGE_STEPS = 6
CLEARANCE_M = 8.0
# A lane change shows in the heading: so far ahead, s, the ego points at the lane it changes to.
CHANGE_AHEAD_S = 0.4


def scripted_lane(truth: Mapping[str, Any], lanes: int, target: int) -> int:
    """The action of a driver that knows where every car is: the lanes that stay free longest.

    It is the bound that a perfect memory could reach at best, not an agent: it reads the truth.

    Args:
        truth: of one world, ego first; see `ReferenceEnvironment.truth`.
        lanes: how many there are.
        target: the lane that the ego drives on or changes to.

    Returns:
        0 left, 1 idle, 2 right.
    """
    times = PLAN_STEP_S * np.arange(PLAN_STEPS + CHANGE_STEPS + 1)
    x, speed = truth["x"], truth["speed"]
    gaps = x[1:, None] - x[0] + (speed[1:, None] - speed[0]) * times
    is_on = np.abs(truth["y"][1:, None] - LANE_WIDTH_M * np.arange(lanes)) < LANE_WIDTH_M / 2
    near = np.abs(gaps) < CLEARANCE_M
    blocked = np.stack([near[is_on[:, lane]].any(axis=0) for lane in range(lanes)])
    # survives[t, lane]: for how many steps more a driver on that lane can go on.
    survives = np.zeros((PLAN_STEPS + CHANGE_STEPS + 2, lanes), dtype=np.int64)

    def going(step: int, lane: int, side: int) -> int:
        aim = lane + side
        if not 0 <= aim < lanes:
            return -1
        if side == 0:
            return 0 if blocked[lane, step] else 1 + int(survives[step + 1, lane])
        taken = blocked[[lane, aim], step : step + CHANGE_STEPS].any(axis=0)
        done = int(np.argmax(taken)) if taken.any() else CHANGE_STEPS
        return done + (0 if taken.any() else int(survives[step + CHANGE_STEPS, aim]))

    for step in range(PLAN_STEPS, 0, -1):
        for lane in range(lanes):
            survives[step, lane] = max(going(step, lane, side) for side in (-1, 0, 1))

    def merit(action: int) -> tuple[int, int]:
        lane = min(max(target + action - 1, 0), lanes - 1)
        free = int(np.argmax(blocked[lane])) if blocked[lane].any() else blocked.shape[1]
        return going(0, target, action - 1), free

    return max((1, 0, 2), key=merit)


def _free_lanes(
    scenario: Scenario, observation: dict[str, Any], _decisions: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Actions (N,) by `scripted_lane` of who is shown all cars near it."""
    spec, lanes = scenario.observation, int(scenario.resolved_config()["lanes_count"])
    rows = observation["vehicles"].astype(np.float64)
    present, x, y, speed, sine = (
        spec.column(rows, name) for name in ("presence", "x", "y", "vx", "sin_h")
    )
    aim = y[:, 0] + CHANGE_AHEAD_S * speed[:, 0] * sine[:, 0]
    targets = np.clip(np.rint(aim / LANE_WIDTH_M), 0, lanes - 1).astype(np.int64)
    x[:, 0] = 0.0  # rows of others are relative to the ego
    y[:, 1:] += y[:, :1]
    speed[:, 1:] += speed[:, :1]
    actions = [
        scripted_lane({"x": x[k, seen], "y": y[k, seen], "speed": speed[k, seen]}, lanes, target)
        for k, (seen, target) in enumerate(zip(present > 0.0, targets.tolist(), strict=True))
    ]
    return np.array(actions, dtype=np.int64)
