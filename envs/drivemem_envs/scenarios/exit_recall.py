"""Exit recall: the sign that names the exit is shown once, the exit is taken later.

Task
    Pass a slow truck on a three-lane road, drive through a single-lane stretch, and leave by
    the exit (1 of K) that a sign named at the start of the episode.
What is hidden
    The sign: `cue` is shown for the first `cue_window_s` seconds and is zero afterwards.
What must be remembered
    One of K, from the sign to the fork: (distance to the fork / 20 m/s - cue_window_s) seconds.
Observation
    `vehicles` (5, 7) and `cue` (K,) one-hot. No time, no step count.
Actions
    LANE_LEFT, IDLE, LANE_RIGHT at a constant 20 m/s. The first K // 2 actions at the fork commit.
Reward
    +1 right exit, -1 collision, 0 wrong exit.
Outcome
    success: the named exit; wrong_route: another exit; collision with a truck; never a timeout.
Ceiling
    Exactly 1/K for any memoryless policy. At the end of the single-lane stretch a gate sets the
    ego's pose, heading and speed to fixed values and the traffic is gone: from there the world,
    and so every observation, is the same whatever the sign said, and with it the distribution of
    the committed exit.
Scenario parameters
    Memory horizon: `narrow_length`. Difficulty: `exits_count` (2 to 5), `trucks_count`.
Source
    The T-maze (Bakker 2002) on the road; leaks closed as in this project's scenario studies.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from highway_env import utils
from highway_env.envs.common.abstract import AbstractEnv
from highway_env.road.lane import AbstractLane, LineType, StraightLane
from highway_env.road.road import Road, RoadNetwork
from highway_env.vehicle.controller import MDPVehicle

from drivemem_envs.cue_meaning import CueMeaning
from drivemem_envs.scenario_spec import ObservationSpec, Scenario
from drivemem_envs.sensing.spec import Sensors

if TYPE_CHECKING:
    from drivemem_envs.actions import OracleRule

SPEED = 20.0
"""The ego's speed, m/s: constant, so that it cannot store anything."""
_START = 10.0
COMMIT_M = 20.0
"""How far behind the fork the exit counts as taken, m."""
GATE_M, GATE_LATERAL_M = 0.5, 0.0
"""Where the gate puts the ego on the middle lane behind the fork, m."""
_LEFT, _IDLE, _RIGHT = 0, 1, 2


class ExitRecallWorld(AbstractEnv):  # type: ignore[misc]
    """Three lanes with trucks, one lane, K exits; see the module's docstring."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and this world's parameters."""
        config: dict[str, Any] = super().default_config()
        config.update(
            {
                "action": {"type": "DiscreteMetaAction", "longitudinal": False, "lateral": True},
                "simulation_frequency": 5,
                "policy_frequency": 5,
                "exits_count": 3,
                "trucks_count": 1,
                "truck_speed": 6.0,  # [m/s]
                "approach_length": 90.0,  # [m]
                "narrow_length": 40.0,  # [m]
                "exit_length": 60.0,  # [m]
                "collision_reward": -1.0,
                "right_exit_reward": 1.0,
                "wrong_exit_reward": 0.0,
                "screen_width": 900,
                "screen_height": 160,
                "scaling": 5.0,
            }
        )
        return config

    @classmethod
    def oracle(cls, scenario: Scenario) -> OracleRule:
        """The driver that is told the exit: round the trucks, then to the exit named."""
        return partial(_take_the_exit, scenario)

    def _reset(self) -> None:
        exits = self.config["exits_count"]
        if not 2 <= exits <= 5:
            raise ValueError(
                f"exits_count is {exits}; choose 2 to 5 (farther lanes are not reached)"
            )
        self.exit = int(self.np_random.integers(exits))
        self.passed_gate = False
        self.choices_left = exits // 2
        self._make_road()
        self._make_vehicles()

    def _make_road(self) -> None:
        exits, width = self.config["exits_count"], AbstractLane.DEFAULT_WIDTH
        lengths = [self.config[f"{part}_length"] for part in ("approach", "narrow", "exit")]
        ends = np.cumsum([0.0, *lengths])
        self.fork_x = float(ends[2])
        self.middle = exits // 2
        net = RoadNetwork()
        lanes = [range(exits), [self.middle], range(exits)]
        for part, nodes in enumerate(("ab", "bc", "cd")):
            for lane in lanes[part]:
                first, last = lane == lanes[part][0], lane == lanes[part][-1]
                lines = [
                    LineType.CONTINUOUS_LINE if first else LineType.STRIPED,
                    LineType.CONTINUOUS_LINE if last else LineType.NONE,
                ]
                start, end = [ends[part], lane * width], [ends[part + 1], lane * width]
                net.add_lane(*nodes, StraightLane(start, end, line_types=lines, speed_limit=SPEED))
        self.road = Road(
            network=net,
            np_random=self.np_random,
            record_history=self.config["show_trajectories"],
            neighbour_vehicles_connected_lanes=self.config["neighbour_vehicles_connected_lanes"],
        )

    def _make_vehicles(self) -> None:
        lane = self.road.network.get_lane(("a", "b", self.middle))
        ego = MDPVehicle(
            self.road, lane.position(_START, 0.0), speed=SPEED, target_speeds=[SPEED - 1, SPEED]
        )
        self.controlled_vehicles = [ego]
        self.road.vehicles.append(ego)
        kind = utils.class_from_path(self.config["other_vehicles_type"])
        exits, trucks = self.config["exits_count"], self.config["trucks_count"]
        blocked = self.np_random.permutation(exits)[: min(trucks, exits - 1)]
        for number, lane_id in enumerate(blocked):
            lane = self.road.network.get_lane(("a", "b", int(lane_id)))
            truck = kind(
                self.road,
                lane.position(40.0 + 6.0 * number + self.np_random.uniform(0.0, 4.0), 0.0),
                speed=self.config["truck_speed"],
                target_speed=self.config["truck_speed"],
                enable_lane_change=False,
            )
            self.road.vehicles.append(truck)

    def cue(self) -> np.ndarray[Any, Any]:
        """The sign: one-hot (K,)."""
        sign = np.zeros(self.config["exits_count"], dtype=np.float32)
        sign[self.exit] = 1.0
        return sign

    def cue_meaning(self) -> CueMeaning:
        """The exits behind the fork."""
        exits = range(self.config["exits_count"])
        names = tuple(f"exit {number + 1}" for number in exits)
        return CueMeaning("sign", names, (tuple(("c", "d", number) for number in exits),))

    def _simulate(self, action: Any = None) -> None:
        """Simulate, with the gate before the fork and the commitment at it."""
        if self.passed_gate:
            if not self.choices_left:
                action = _IDLE
            self.choices_left = max(self.choices_left - 1, 0)
        super()._simulate(action)
        if not self.passed_gate and not self.vehicle.crashed:
            self._gate()

    def _gate(self) -> None:
        """At the fork, set what the ego could have stored a bit in to fixed values."""
        ego = self.vehicle
        if ego.position[0] < self.fork_x - SPEED / self.config["policy_frequency"]:
            return
        self.passed_gate = True
        lane_index = ("c", "d", self.middle)
        ego.position = self.road.network.get_lane(lane_index).position(GATE_M, GATE_LATERAL_M)
        ego.heading, ego.speed = 0.0, SPEED
        ego.action = {"steering": 0, "acceleration": 0}
        ego.lane_index = ego.target_lane_index = lane_index
        ego.lane = self.road.network.get_lane(lane_index)
        self.road.vehicles = [ego]

    def taken_exit(self) -> int | None:
        """Number of the exit taken; None before."""
        if self.choices_left or self.vehicle.position[0] < self.fork_x + COMMIT_M:
            return None
        return int(self.vehicle.target_lane_index[2])

    def is_success(self) -> bool:
        """Whether the named exit was taken."""
        return self.taken_exit() == self.exit

    def is_wrong_route(self) -> bool:
        """Whether another exit was taken."""
        return self.taken_exit() not in (None, self.exit)

    def _rewards(self, action: Any) -> dict[str, float]:
        return {
            "collision_reward": float(self.vehicle.crashed),
            "right_exit_reward": float(self.is_success()),
            "wrong_exit_reward": float(self.is_wrong_route()),
        }

    def _reward(self, action: Any) -> float:
        terms = self._rewards(action)
        return float(sum(self.config[name] * value for name, value in terms.items()))

    def _is_terminated(self) -> bool:
        return bool(self.vehicle.crashed or self.taken_exit() is not None)

    def _is_truncated(self) -> bool:
        return False


def _take_the_exit(
    scenario: Scenario, observation: dict[str, Any], decisions: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Actions (N,) of who is always shown the sign."""
    config, width = scenario.resolved_config(), AbstractLane.DEFAULT_WIDTH
    step = SPEED / config["policy_frequency"]
    fork = config["approach_length"] + config["narrow_length"]
    gate = int(np.ceil((fork - step - _START) / step))
    rows = observation["vehicles"]
    lanes = np.arange(config["exits_count"]) * width
    across = scenario.observation.column(rows, "y")
    away = observation["cue"].argmax(axis=1) - config["exits_count"] // 2
    ego = across[:, 0]
    trucks = np.where(rows[:, 1:, 0] > 0.0, across[:, 1:] + ego[:, None], np.inf)
    blocked = (np.abs(lanes - trucks[:, :, None]) < width / 2).any(axis=1)
    cost = np.abs(lanes - ego[:, None]) + np.where(blocked, 1e3, 0.0)
    side = np.sign(np.round((lanes[cost.argmin(axis=1)] - ego) / width))
    # A lane change before the trucks may cost a decision: count turns by what they did.
    turned = np.abs(ego - config["exits_count"] // 2 * width) > 0.1
    turn = np.where(turned < np.abs(away), np.sign(away), 0)
    wanted = np.where(decisions < gate, side, turn)
    return np.asarray(_IDLE + wanted, dtype=np.int64)


EASY = Scenario(
    name="exit-recall-easy-v0",
    world=f"{__name__}:ExitRecallWorld",
    sensors=Sensors(cue_window_s=1.0),
    observation=ObservationSpec(
        vehicles_count=5,
        features_range={"x": (-200.0, 200.0), "y": (-12.0, 12.0), "vx": (-40, 40), "vy": (-40, 40)},
    ),
    summary="a sign names 1 of 3 exits at the start; the exit is taken after a narrow stretch",
    time_limit_s=30.0,
    memory_horizon_s=5.0,
    ceiling_success=1 / 3,
    ceiling="at the fork every observation is the same whatever the sign said",
    tags=("provable",),
)

MEDIUM = EASY.level("medium", config={"narrow_length": 140.0}, memory_horizon_s=10.0)
HARD = EASY.level(
    "hard",
    config={"narrow_length": 340.0, "exits_count": 5},
    memory_horizon_s=20.0,
    summary="a sign names 1 of 5 exits at the start; the exit is taken after a long narrow stretch",
    ceiling_success=1 / 5,
)
