"""Driver types: of the drivers in a column one makes room, and only their driving told which.

Task
    Join a column of faster cars from a lane that ends: behind the truck that leads it, or behind
    one of the next cars, in front of the one driver who brakes for others.
What is hidden
    Who that is: exactly one of the first K behind the truck brakes as hard as it takes; the others
    brake with no more than 1 m/s2 and hit who cuts in. Sensed positions and velocities are noisy,
    the more the farther away.
What must be remembered
    How each car followed the one before it while a tractor held the column up: who keeps its
    distance by time drives up close when slow, the others stay away. At the column's later speed
    all keep the same distance. So it takes seconds to tell, and some more until it matters.
Observation
    `vehicles` (rows by distance), relative to the ego, `lanes` (the nearest of each lane) and
    `cue` (K,), who yields: zero, and shown to the twin, which has full sensors.
Actions
    All meta actions: the lane, and a speed of 6, 8 or 10 m/s; the column drives 16 m/s.
Reward
    +1 in the column and unharmed; -1 collision, and -1 not joined where the lane or time ends.
Outcome
    success: in the column until well past the lane's end; collision; wrong_route: not joined;
    timeout.
Ceiling
    Close to 1/K: who knows nothing of the drivers cuts in before one of K. A little is left in
    how the column has regrouped since; the page tells how much.
Scenario parameters
    Memory horizon: `merge_at_length` with `head_start_m`. Difficulty: `drivers_count`.
Source
    Drivers with hidden types in on-ramp merging (Bouton et al. 2019, "Cooperation-aware
    reinforcement learning for merging in dense traffic"); IDM (Treiber et al. 2000).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from highway_env.road.lane import LineType, StraightLane
from highway_env.road.road import Road, RoadNetwork
from highway_env.vehicle.behavior import IDMVehicle

from drivemem_envs.batch_task import BatchTask, Floats, LaneIndex, Moment, TaskWorld, Verdict
from drivemem_envs.cue_meaning import CueMeaning
from drivemem_envs.scenario_spec import ObservationSpec, Scenario
from drivemem_envs.sensing.spec import Sensors

if TYPE_CHECKING:
    from drivemem_envs.actions import OracleRule

WIDTH_M = StraightLane.DEFAULT_WIDTH
_BEHIND_M, _BEYOND_M = 400.0, 1000.0
"""How far the main road reaches behind the tractor's start and beyond the lane's end, m."""
_LEFT, _IDLE = 0, 1
_WISHED_SPEED = 24.0
"""What drivers in the column would drive without the truck, m/s."""
_RANGE_M = 200.0
"""How far rows reach, m."""


class Yielding(IDMVehicle):  # type: ignore[misc]
    """Keeps its distance by time, and brakes for who comes in before it."""

    DISTANCE_WANTED = 8.0  # [m], between centres
    TIME_WANTED = 1.2  # [s]
    ACC_MAX = 4.0  # [m/s2], of braking too


class Pushing(IDMVehicle):  # type: ignore[misc]
    """Keeps the same distance at 16 m/s, more at 9 m/s, and brakes for nobody in earnest."""

    DISTANCE_WANTED = 20.8
    TIME_WANTED = 0.4
    ACC_MAX = 1.0


class Truck(IDMVehicle):  # type: ignore[misc]
    """Leads the column."""

    LENGTH = 12.0
    DISTANCE_WANTED = 12.0
    TIME_WANTED = 1.2
    ACC_MAX = 1.0


class DriverTypesTask(BatchTask):
    """Join the column; what is drawn is the number of the driver who yields."""

    terms = ("collision_reward", "joined_reward", "missed_reward")

    def __init__(self, config: Any, lane_indices: Sequence[LaneIndex]) -> None:
        super().__init__(config, lane_indices)
        self.cue_size = int(config["drivers_count"])
        self._end = config["merge_at_length"] + config["merge_length"]

    def judge(self, moment: Moment, drawn: Floats, state: Floats) -> Verdict:
        """Joined well beyond the lane's end, or still in it where it ends."""
        in_column = moment.y < WIDTH_M / 2
        beyond = moment.x >= self._end + self.config["beyond_length"]
        joined = in_column & beyond & ~moment.crashed
        missed = ~in_column & (moment.x >= self._end)
        ended = moment.crashed | joined | missed
        late = (moment.time_s >= self.config["duration"]) & ~ended
        # Waiting until time is over must not be better than a try: it would be learned first.
        failed = (missed | late) & ~moment.crashed
        terms = np.stack([moment.crashed, joined, failed], axis=1).astype(float)
        never = np.zeros(len(joined), dtype=bool)
        return Verdict(terms, ended, late, joined, missed, never)

    def cue(self, drawn: Floats, state: Floats) -> Floats:
        """Who yields, one-hot (N, K)."""
        return np.asarray(drawn[:, :1] == np.arange(self.cue_size), dtype=np.float64)


class DriverTypesWorld(TaskWorld):
    """A main road with a column, a lane beside it that joins and ends, a turn for the tractor."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and this world's parameters."""
        config: dict[str, Any] = super().default_config()
        config.update(
            {
                "action": {"type": "DiscreteMetaAction", "target_speeds": [6, 8, 10]},
                "simulation_frequency": 15,
                "policy_frequency": 3,
                "neighbour_vehicles_connected_lanes": True,
                "drivers_count": 2,
                "followers_count": 2,
                "tractor_speed": 9.0,
                "column_speed": 16.0,
                "head_start_m": 75.0,
                "turn_at_length": 60.0,
                "merge_at_length": 350.0,
                "merge_length": 90.0,
                "beyond_length": 60.0,
                "duration": 48.0,
                "collision_reward": -1.0,
                "joined_reward": 1.0,
                "missed_reward": -1.0,
                "screen_width": 900,
                "screen_height": 160,
                "scaling": 4.0,
                "centering_position": [0.7, 0.5],
            }
        )
        return config

    @classmethod
    def make_task(cls, config: Any, lane_indices: Sequence[LaneIndex]) -> BatchTask:
        """Join the column."""
        return DriverTypesTask(config, lane_indices)

    def cue_meaning(self) -> CueMeaning:
        """The drivers of whom one makes room."""
        drivers = range(self.config["drivers_count"])
        names = tuple(f"car {number + 1} behind the truck" for number in drivers)
        return CueMeaning("who makes room", names)

    @classmethod
    def oracle(cls, scenario: Scenario) -> OracleRule:
        """The driver that knows who yields, and lets the others pass."""
        return partial(_join, scenario)

    def drawn(self) -> Floats:
        """The number of the driver who yields."""
        return np.array([float(self.yielding)])

    def _reset(self) -> None:
        self.yielding = int(self.np_random.integers(self.config["drivers_count"]))
        self.road = Road(
            network=_network(self.config),
            np_random=self.np_random,
            record_history=self.config["show_trajectories"],
            neighbour_vehicles_connected_lanes=self.config["neighbour_vehicles_connected_lanes"],
        )
        self._make_vehicles()

    def _make_vehicles(self) -> None:
        """The ego, the tractor that holds the column up, the truck, the drivers behind it."""
        config, draw = self.config, self.np_random.uniform
        slow = config["tractor_speed"]
        truck_x = -25.0 - draw(0.0, 4.0)
        start = truck_x + config["head_start_m"] + draw(-3.0, 3.0)
        ego = self.action_type.vehicle_class(self.road, [start, WIDTH_M], speed=10.0)
        self.controlled_vehicles = [ego]
        self.road.vehicles.append(ego)
        self._drive(IDMVehicle, 0.0, slow, ("o", "t"))
        self._drive(Truck, truck_x, config["column_speed"], ("o", "b"))
        x = truck_x
        for number in range(config["drivers_count"] + config["followers_count"]):
            x -= draw(19.0, 25.0)
            kind = Yielding if number == self.yielding else Pushing
            self._drive(kind, x, _WISHED_SPEED, ("o", "b"))

    def _drive(self, kind: type[Any], x: float, speed: float, turn: tuple[str, str]) -> None:
        """Let a vehicle drive in the column, and turn or go on where the tractor turns."""
        route = [("a", "o", 0), (*turn, 0)]
        if turn == ("o", "b"):
            route += [("b", "c", 0), ("c", "d", 0)]
        self.road.vehicles.append(
            kind(
                self.road, [x, 0.0], speed=self.config["tractor_speed"], target_speed=speed,
                route=route, enable_lane_change=False,
            )
        )  # fmt: skip


def _network(config: dict[str, Any]) -> RoadNetwork:
    """Nodes a, o (the tractor turns to t), b (the lane from r joins), c (it ends), d."""
    net, line, dashed = RoadNetwork(), LineType.CONTINUOUS_LINE, LineType.STRIPED
    turn, merge = config["turn_at_length"], config["merge_at_length"]
    # The lane goes on for a little so that nobody is led into the column where it ends.
    end = merge + config["merge_length"] + 20.0
    parts = [
        ("a", "o", (-_BEHIND_M, 0.0), (turn, 0.0), (line, line)),
        ("o", "t", (turn, 0.0), (turn + 80.0, -40.0), (line, line)),
        ("o", "b", (turn, 0.0), (merge, 0.0), (line, line)),
        ("r", "b", (-_BEHIND_M, WIDTH_M), (merge, WIDTH_M), (LineType.NONE, line)),
        ("b", "c", (merge, 0.0), (end, 0.0), (line, dashed)),
        ("b", "c", (merge, WIDTH_M), (end, WIDTH_M), (LineType.NONE, line)),
        ("c", "d", (end, 0.0), (end + _BEYOND_M, 0.0), (line, line)),
    ]
    for start, stop, first, last, lines in parts:
        net.add_lane(start, stop, StraightLane(first, last, line_types=lines, speed_limit=40.0))
    return net


def _join(
    scenario: Scenario, observation: dict[str, Any], _decisions: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Actions (N,) of who is shown all cars and who yields: behind the car before that one."""
    spec, rows = scenario.observation, observation["vehicles"]
    present, x, y = (spec.column(rows, name) for name in ("presence", "x", "y"))
    column = (present[:, 1:] > 0.0) & (np.abs(y[:, 1:] + y[:, :1]) < WIDTH_M / 2)
    column &= np.abs(x[:, 1:]) < _RANGE_M
    places = -np.sort(np.where(column, -x[:, 1:], np.inf), axis=1)  # truck first
    yields = observation["cue"].argmax(axis=1)
    before = places[np.arange(len(places)), yields]
    half = np.where(yields == 0, Truck.LENGTH, IDMVehicle.LENGTH) / 2 + IDMVehicle.LENGTH / 2
    on_lane = np.abs(y[:, 0]) > WIDTH_M / 2
    joining = on_lane & (before > half + 1.0) & np.isfinite(before)
    return np.where(joining, _LEFT, _IDLE).astype(np.int64)


EASY = Scenario(
    name="driver-types-easy-v0",
    world=f"{__name__}:DriverTypesWorld",
    sensors=Sensors(
        noise_position_m=0.6, noise_speed_mps=0.6, noise_growth_per_m=0.1, cue_window_s=0.0
    ),
    observation=ObservationSpec(
        vehicles_count=8,
        views=("rows", "lanes"),
        features_range={
            "x": (-_RANGE_M, _RANGE_M), "y": (-12.0, 12.0), "vx": (-20.0, 20.0), "vy": (-20.0, 20.0)
        },
    ),
    summary="join a column before the one of 2 drivers who yields, told by how they drove before",
    memory_horizon_s=16.0,
    ceiling="who cannot tell the drivers cuts in before either",
    tags=("free-driving",),
)  # fmt: skip
MEDIUM = EASY.level(
    "medium",
    config={"head_start_m": 105.0, "merge_at_length": 424.0, "duration": 53.0},
    memory_horizon_s=21.0,
)
HARD = MEDIUM.level(
    "hard",
    config={"drivers_count": 3, "merge_length": 140.0, "duration": 58.0},
    observation={"vehicles_count": 9},
    summary="join a column before the one of 3 drivers who yields, told by how they drove before",
)
