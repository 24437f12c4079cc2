"""Two-way trucks: overtake truck after truck on a two-way road, with a front camera only.

Task
    Come 650 m far within 45 s on a road with a lane in each direction, whose own lane is full of
    slow trucks: overtake them one by one on the lane of the oncoming traffic, and be back on one's
    own before the next car comes.
What is hidden
    All that a front camera of 40 degrees does not see: a truck as soon as the ego draws alongside,
    and until it is passed; and what trucks and cars hide, such as oncoming cars behind the truck
    that the ego follows.
What must be remembered
    Whether the truck beside the ego is passed already: how far ahead it was, how long it is and
    how fast the ego came up to it, for some 2 to 3 s; and which oncoming cars were seen before the
    ego closed up to a truck. Gaps between trucks and their lengths are drawn, so that the next
    truck, which is in view, does not tell where this one is.
Observation
    `lanes`, `grid` and `ego`, in the frame of the ego's lane. No time, no distance.
Actions
    LANE_LEFT, IDLE, LANE_RIGHT, FASTER, SLOWER; speeds of 7, 15 and 23 m/s, where trucks drive
    some 9 and oncoming cars some 15 m/s.
Reward
    +1 at the goal, -2 collision; 0.06 for every decision at 23 m/s, less at lower speeds.
Outcome
    success: 650 m within 45 s, which ends the episode; collision; timeout. Who follows the trucks
    comes some 450 m far.
Ceiling
    Measured.
Scenario parameters
    Difficulty: `oncoming_gap_m`, `truck_gap_m`, `truck_length`, `goal_m`; the width of the camera
    (`sensors.sectors`).
Source
    highway-env's two-way (Leurent 2018), which has no term for collisions, so that rushing pays;
    task, traffic and sensors are this project's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from highway_env.envs.common.abstract import AbstractEnv
from highway_env.road.road import Road
from highway_env.vehicle.behavior import IDMVehicle

from drivemem_envs.batch_task import BatchTask, LaneIndex, TaskWorld
from drivemem_envs.scenario_spec import ObservationSpec, Scenario
from drivemem_envs.scenarios.shared.reach_task import ReachTask
from drivemem_envs.scenarios.shared.reactive_traffic import FEATURES_RANGE, FRONT_CAMERA
from drivemem_envs.scenarios.shared.two_way_road import ONCOMING, RIGHT, two_way_road
from drivemem_envs.sensing.view_spec import GridView, LanesView

_WEST = -1000.0
"""Where the road begins, m; the ego begins at 0, and nobody comes to an end."""
_CAR_LENGTH, _TRUCK_WIDTH, _MARGIN = 5.0, 2.5, 500.0


class RoadUser(IDMVehicle):  # type: ignore[misc]
    """IDM traffic that keeps its lane: trucks, and cars that brake for who comes towards them."""

    TIME_WANTED = 1.2  # [s]
    DISTANCE_WANTED = 12.0  # [m], between centers


class OvertakingTask(ReachTask):
    """Be at the goal in time; see the module's docstring."""

    @property
    def goal_x(self) -> float:
        """Behind the trucks that can be overtaken in time, m."""
        return float(self.config["goal_m"])


class TwoWayTrucksWorld(TaskWorld, AbstractEnv):  # type: ignore[misc]
    """A convoy of trucks ahead of the ego, and oncoming cars on the lane to its left."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and this world's parameters; pairs are drawn from, uniformly."""
        return {
            **super().default_config(),
            "action": {"type": "DiscreteMetaAction", "target_speeds": [7, 15, 23]},
            "simulation_frequency": 15,
            "policy_frequency": 3,
            "duration": 45,  # [s]
            "goal_m": 650.0,
            "trucks_count": 7,
            "first_truck_m": [40.0, 80.0],
            "truck_gap_m": [25.0, 75.0],  # between bumpers
            "truck_length": [8.0, 16.0],
            "truck_speed": [8.5, 9.5],  # [m/s]
            "oncoming_count": 14,
            "first_oncoming_m": [150.0, 350.0],
            "oncoming_gap_m": [60.0, 400.0],  # between bumpers
            "oncoming_speed": [14.0, 16.0],  # [m/s]
            "collision_reward": -2.0,
            "goal_reward": 1.0,
            "high_speed_reward": 0.06,
            "reward_speed_range": [7, 23],
            "screen_width": 900,
            "screen_height": 160,
            "scaling": 4.0,
            "centering_position": [0.2, 0.5],
        }

    @classmethod
    def make_task(cls, config: Mapping[str, Any], lane_indices: Sequence[LaneIndex]) -> BatchTask:
        """See `OvertakingTask`."""
        return OvertakingTask(config, lane_indices)

    def _reset(self) -> None:
        self.road = Road(
            network=two_way_road(_WEST, self._east()),
            np_random=self.np_random,
            record_history=self.config["show_trajectories"],
        )
        start = self.road.network.get_lane(RIGHT).position(-_WEST, 0.0)
        speed = self.config["action"]["target_speeds"][1]
        self.vehicle = self.action_type.vehicle_class(self.road, start, speed=speed)
        self.road.vehicles.append(self.vehicle)
        self._make_trucks()
        self._make_oncoming()

    def _make_trucks(self) -> None:
        rear = self._draw("first_truck_m")
        for _ in range(self.config["trucks_count"]):
            length = self._draw("truck_length")
            truck = self._add(RIGHT, rear + length / 2 - _WEST, self._draw("truck_speed"))
            truck.LENGTH, truck.WIDTH = length, _TRUCK_WIDTH
            truck.diagonal = np.sqrt(length**2 + _TRUCK_WIDTH**2)
            rear += length + self._draw("truck_gap_m")

    def _make_oncoming(self) -> None:
        x = self._draw("first_oncoming_m")
        for _ in range(self.config["oncoming_count"]):
            self._add(ONCOMING, self._east() - x, self._draw("oncoming_speed"))
            x += _CAR_LENGTH + self._draw("oncoming_gap_m")

    def _east(self) -> float:
        """Where the road ends: behind the last oncoming car, however gaps are drawn, m."""
        gap = _CAR_LENGTH + self.config["oncoming_gap_m"][1]
        farthest = self.config["first_oncoming_m"][1] + self.config["oncoming_count"] * gap
        return float(max(farthest, self.config["goal_m"]) + _MARGIN)

    def _draw(self, dial: str) -> float:
        return float(self.np_random.uniform(*self.config[dial]))

    def _add(self, lane: LaneIndex, along: float, speed: float) -> RoadUser:
        user: RoadUser = RoadUser.make_on_lane(self.road, lane, along, speed=speed)
        user.enable_lane_change = False
        self.road.vehicles.append(user)
        return user


EASY = Scenario(
    name="two-way-trucks-easy-v0",
    world=f"{__name__}:TwoWayTrucksWorld",
    sensors=FRONT_CAMERA,
    observation=ObservationSpec(
        vehicles_count=12,
        features_range={**FEATURES_RANGE, "x": (-400.0, 400.0)},
        views=("lanes", "grid"),
        grid=GridView(behind_m=40.0, ahead_m=160.0, across_m=12.0),
        lanes=LanesView(each_side=1, range_m=300.0),
    ),
    summary="overtake truck after truck on a two-way road, with a front camera",
    memory_horizon_s=3.0,
    planning_horizon_s=7.0,
    ceiling="measured",
    tags=("free-driving",),
)

MEDIUM = EASY.level("medium", config={"oncoming_gap_m": [60.0, 320.0]})
HARD = EASY.level("hard", config={"oncoming_gap_m": [60.0, 320.0]}, sensors={"sectors": "0:30"})
