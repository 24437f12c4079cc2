"""Crossing traffic: streets crossed one after the other, their traffic hidden by parked trucks.

Task
    Come across four one-way streets within 36 s, without a collision. Cross traffic has the right
    of way; it keeps its distance to whoever stands in its way, but does not stop for who comes.
What is hidden
    Cross traffic: rows of trucks, parked on both sides before each street, hide it while the ego
    is some 40 to 8 m before the street. From farther off it is seen past the trucks' backs, and
    again when the ego has come up to their front.
What must be remembered
    When the cars of the next street will cross: where they were and how fast, for the 3 s that
    the ego drives along the trucks. The ego is as sluggish as a real car (it takes `ego_inertia_s`
    to do most of a change of speed), so that at full speed the trucks' front is too late to stop.
    Creeping up to look is always safe, and paid for in time.
Observation
    `grid` and `ego`, in the frame of the ego's lane, and `navigation` (1,): the distance to
    the middle of the next street over 100 m, at all times. No time, no count of streets.
Actions
    SLOWER, IDLE, FASTER; speeds of 0, 4, 8 and 12 m/s.
Reward
    +1 behind the last street, -2 collision; 0.05 for every decision at 12 m/s, less at lower
    speeds.
Outcome
    success: 12 m behind the last street in time, which ends the episode; collision; stuck or
    timeout. Who never brakes needs 28 s.
Ceiling
    Measured. The measure is the front of travel time against collisions.
Scenario parameters
    Memory horizon: `park_m` (where the trucks begin and end, before the middle of the street).
    Difficulty: `cross_headway_s`, `cross_speed`, `ego_inertia_s`, `duration`.
Source
    Isele et al. 2018 (arXiv 1705.01196) on crossings with occlusion, where creeping is the way to
    see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from highway_env.envs.common.abstract import AbstractEnv
from highway_env.road.lane import LineType, StraightLane
from highway_env.road.road import Road, RoadNetwork
from highway_env.vehicle.behavior import IDMVehicle

from drivemem_envs.batch_task import BatchTask, Floats, LaneIndex, Moment, TaskWorld, Verdict
from drivemem_envs.scenario_spec import ObservationSpec, Scenario
from drivemem_envs.scenarios.shared.reach_task import ReachTask
from drivemem_envs.sensing.spec import Sensors
from drivemem_envs.sensing.view_spec import GridView

_WEST, _BEHIND = -100.0, 200.0
"""Where the ego's road begins and how far it goes on behind the last street, m; the ego begins
at 0."""
_TRUCK_WIDTH, _GOAL_M, _CLEAR_M = 2.5, 12.0, 4.0
"""Of the parked trucks; how far behind the last street the goal is; and from where on a street is
behind the ego, m."""
_MAP_M = 100.0
"""Distance that navigation tells as 1, m."""


class CrossUser(IDMVehicle):  # type: ignore[misc]
    """IDM traffic with short headways."""

    TIME_WANTED = 0.6  # [s]
    DISTANCE_WANTED = 8.0  # [m], between centers


def streets_of(config: Mapping[str, Any]) -> Floats:
    """Where the streets' middles are along the ego's road (S,), m.

    Raises:
        ValueError: there is none, or trucks of one street stand on the one before.
    """
    count, gap, far = config["streets_count"], config["street_gap_m"], config["park_m"][1]
    if not isinstance(count, int) or not 1 <= count <= 20:
        raise ValueError(f"streets_count is {count!r}; choose 1 to 20")
    if gap < far + 2 * _CLEAR_M or config["first_street_m"] < far + 2 * _CLEAR_M:
        raise ValueError(
            f"street_gap_m is {gap:g}, first_street_m {config['first_street_m']:g} and park_m ends "
            f"at {far:g}: leave {2 * _CLEAR_M:g} m between a street and the next one's trucks"
        )
    return np.asarray(config["first_street_m"] + gap * np.arange(count), np.float64)


class CrossingTask(ReachTask):
    """Be behind the last street in time; see the module's docstring."""

    navigation_size = 1
    state_size = 1

    def __init__(self, config: Mapping[str, Any], lane_indices: Sequence[LaneIndex]) -> None:
        super().__init__(config, lane_indices)
        self._streets = streets_of(config)

    def begin(self, drawn: Floats) -> Floats:
        """How far the ego is along its road (R, 1), m."""
        return np.zeros((len(drawn), 1))

    @property
    def goal_x(self) -> float:
        """Behind the last street, m."""
        return float(self._streets[-1] + _GOAL_M)

    def judge(self, moment: Moment, drawn: Floats, state: Floats) -> Verdict:
        """See `ReachTask`; the way is remembered for the navigation."""
        state[:, 0] = moment.x
        return super().judge(moment, drawn, state)

    def navigation(self, drawn: Floats, state: Floats) -> Floats:
        """Distance to the middle of the next street (N, 1), 1 behind the last."""
        away = self._streets - state
        away = np.where(away > -_CLEAR_M, away, np.inf).min(axis=1, keepdims=True)
        return np.asarray(np.clip(away / _MAP_M, 0.0, 1.0))


class CrossingTrafficWorld(TaskWorld, AbstractEnv):  # type: ignore[misc]
    """A straight road that crosses one-way streets, with trucks parked before each of them."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and this world's parameters; pairs are drawn from, uniformly."""
        return {
            **super().default_config(),
            "action": {
                "type": "DiscreteMetaAction",
                "lateral": False,
                "target_speeds": [0, 4, 8, 12],
            },
            "simulation_frequency": 15,
            "policy_frequency": 3,
            "duration": 36,  # [s]
            "streets_count": 4,
            "first_street_m": 70.0,
            "street_gap_m": 80.0,
            "park_m": [8.0, 32.0],
            "park_side_m": 3.5,  # from the ego's path
            "ego_inertia_s": 1.5,
            "cross_count": 7,  # cars on each street
            "cross_speed": [7.0, 9.0],  # [m/s]
            "cross_headway_s": [2.5, 8.0],
            "collision_reward": -2.0,
            "goal_reward": 1.0,
            "high_speed_reward": 0.05,
            "reward_speed_range": [0, 12],
            "screen_width": 700,
            "screen_height": 420,
            "scaling": 4.0,
            "centering_position": [0.2, 0.5],
        }

    @classmethod
    def make_task(cls, config: Mapping[str, Any], lane_indices: Sequence[LaneIndex]) -> BatchTask:
        """See `CrossingTask`."""
        return CrossingTask(config, lane_indices)

    def _reset(self) -> None:
        self.road = Road(
            network=self._network(),
            np_random=self.np_random,
            record_history=self.config["show_trajectories"],
        )
        start = self.road.network.get_lane(("w", "e", 0)).position(-_WEST, 0.0)
        speed = self.config["action"]["target_speeds"][-2]
        self.vehicle = self.action_type.vehicle_class(self.road, start, speed=speed)
        self.vehicle.KP_A = 1.0 / self.config["ego_inertia_s"]
        self.road.vehicles.append(self.vehicle)
        for number, x in enumerate(streets_of(self.config)):
            self._make_cross_traffic(number, x)

    def _make_cross_traffic(self, number: int, x: float) -> None:
        """Cars that cross the ego's road from about when a steady ego would come."""
        ends = [f"n{number}", f"s{number}"]
        start, end = ends if self.np_random.integers(2) else ends[::-1]
        pace = np.mean(self.config["cross_speed"])
        due_s = x / self.config["action"]["target_speeds"][-1] + self.np_random.uniform(-4.0, 0.0)
        for _ in range(self.config["cross_count"]):
            speed = float(self.np_random.uniform(*self.config["cross_speed"]))
            along = self._reach() - pace * due_s
            user = CrossUser.make_on_lane(self.road, (start, end, 0), along, speed=speed)
            user.enable_lane_change = False
            self.road.vehicles.append(user)
            due_s += float(self.np_random.uniform(*self.config["cross_headway_s"]))

    def _reach(self) -> float:
        """How far streets reach to either side, however cars are drawn, m."""
        last_s = streets_of(self.config)[-1] / self.config["action"]["target_speeds"][-1]
        last_s += self.config["cross_count"] * self.config["cross_headway_s"][1]
        return float(np.ceil(last_s * np.mean(self.config["cross_speed"])) + 50.0)

    def occluders(self) -> Floats:
        """The parked trucks (2 S, 5), one long row on each side before a street."""
        near, far = self.config["park_m"]
        y = self.config["park_side_m"] + _TRUCK_WIDTH / 2
        return np.array(
            [
                [x - (near + far) / 2, side * y, 0.0, far - near, _TRUCK_WIDTH]
                for x in streets_of(self.config)
                for side in (-1, 1)
            ]
        )

    def _network(self) -> RoadNetwork:
        net, lines = RoadNetwork(), (LineType.CONTINUOUS_LINE,) * 2
        streets, reach = streets_of(self.config), self._reach()
        ego_end = [streets[-1] + _BEHIND, 0.0]
        net.add_lane("w", "e", StraightLane([_WEST, 0.0], ego_end, line_types=lines))
        for number, x in enumerate(streets):
            ends = [x, -reach], [x, reach]
            net.add_lane(f"n{number}", f"s{number}", StraightLane(*ends, line_types=lines))
            net.add_lane(f"s{number}", f"n{number}", StraightLane(*ends[::-1], line_types=lines))
        return net


EASY = Scenario(
    name="crossing-traffic-easy-v0",
    world=f"{__name__}:CrossingTrafficWorld",
    sensors=Sensors(
        line_of_sight=("actors", "occluders"), noise_position_m=0.4, noise_speed_mps=1.5
    ),
    observation=ObservationSpec(
        vehicles_count=12,
        features_range={
            "x": (-100.0, 100.0), "y": (-100.0, 100.0), "vx": (-20.0, 20.0), "vy": (-20.0, 20.0),
        },
        views=("grid",),
        grid=GridView(behind_m=6.0, ahead_m=84.0, across_m=120.0, cell_m=(6.0, 6.0)),
    ),
    summary="cross street after street, whose traffic parked trucks hide",
    memory_horizon_s=3.0,
    planning_horizon_s=4.0,
    ceiling="measured",
    tags=("free-driving",),
)  # fmt: skip

MEDIUM = EASY.level("medium", config={"cross_headway_s": [2.5, 6.5]})
HARD = EASY.level(
    "hard",
    config={"cross_headway_s": [2.5, 6.5], "park_m": [8.0, 44.0]},
    memory_horizon_s=4.0,
)
