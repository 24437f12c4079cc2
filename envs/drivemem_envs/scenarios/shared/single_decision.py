"""Worlds with a single decision: what was seen earlier says which of three actions is right.

The ego drives up at a fixed speed while its actions count for nothing. At the decision time its
next action is the choice: a plan that it then carries out. What is hidden is which of K latent
classes the scene belongs to. Because the ego can do nothing before the decision time, it cannot
store anything in its own motion, and a driver that only sees the frame at the decision time can be
right no more often than the best single choice: that ceiling is a sum over latent classes, found in
the tests by trying every choice in every scene.

A scenario of this sort is a subclass that says, as data, which roads, cars, events, plans and rules
it has; it runs on both backends without code of its own (see `compiled.tasks.single_decision`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from highway_env.envs.common.abstract import AbstractEnv
from highway_env.road.lane import CircularLane, LineType, StraightLane
from highway_env.road.road import LaneIndex, Road, RoadNetwork
from highway_env.vehicle.controller import MDPVehicle
from highway_env.vehicle.kinematics import Vehicle
from highway_env.vehicle.objects import Landmark

from drivemem_envs.cue_meaning import CueMeaning
from drivemem_envs.scenario_spec import ObservationSpec, Scenario

if TYPE_CHECKING:
    from drivemem_envs.actions import OracleRule

SLOWER, IDLE, FASTER = range(3)
"""The choices: highway-env's longitudinal meta actions."""
ANY = -1
"""Whatever the latent class; before any choice."""
LIMIT_TOLERANCE = 0.5
"""How much faster than a limit is no violation, m/s."""

Window = tuple[float, float]


class Car(NamedTuple):
    """A car with constant speed on a straight or circular lane; its draws are uniform."""

    lane: LaneIndex
    at_m: float
    """A point along its lane, m …"""
    arrival_s: tuple[Window, ...]
    """… and when it is there, s after the decision time: a window for each
    latent class."""
    speed: tuple[Window, ...]
    """A window for each latent class, m/s."""
    length: float = 5.0
    width: float = 2.0


class Event(NamedTuple):
    """What happens to a car or sign at a time, in scenes of a latent class."""

    latent_class: int
    """One of them, or `ANY`."""
    time_s: float
    """From the decision time; negative: before it."""
    actor: int
    """Number of a car, or of a sign after all cars."""
    acceleration: float | None = None
    """What a car does from now on, m/s² (None: the next three are its new pose) …"""
    x: float = 0.0
    y: float = 0.0
    speed: float = 0.0


class Phase(NamedTuple):
    """What the ego does from a time on."""

    choice: int
    """After this choice; `ANY`: before the decision time."""
    time_s: float
    """From the decision time."""
    speed: float
    """Target speed, m/s."""
    lane: LaneIndex | None = None
    """Lane to change to."""


class Rule(NamedTuple):
    """A speed limit in the rule zone, for a time (0 m/s: a red light)."""

    latent_class: int
    from_s: float
    """From the decision time."""
    to_s: float
    limit: float


class Course(NamedTuple):
    """Where the ego's progress is measured, as x * direction_x + y * direction_y, m."""

    direction: tuple[float, float]
    goal_m: float
    """Passed: success."""
    zone_m: Window = (math.inf, math.inf)
    """Where rules hold."""


def single_decision(
    name: str,
    world: str,
    rows: int,
    x_m: float = 150.0,
    y_m: float = 150.0,
    speed: float = 20.0,
    **fields: Any,
) -> Scenario:
    """A scenario of such a world, at the horizon that its defaults ask for.

    Args:
        name: with level and version.
        world: the class, as "package.module:Class".
        rows: V, the ego's included.
        x_m: how far ahead and behind the rows' range reaches, m.
        y_m: how far to either side, m.
        speed: the largest speed in the rows' range, m/s.
        fields: others of a Scenario.
    """
    reach = {"x": x_m, "y": y_m, "vx": speed, "vy": speed}
    ranges = {feature: (-most, most) for feature, most in reach.items()}
    spec = ObservationSpec(vehicles_count=rows, features_range=ranges)
    shared = {"time_limit_s": 60.0, "memory_horizon_s": 3.0, "tags": ("provable",)}
    return Scenario(name=name, world=world, observation=spec, **{**shared, **fields})


class SingleDecisionWorld(AbstractEnv):  # type: ignore[misc]
    """One choice, right or wrong by what was seen before; see the module's docstring.

    Subclasses define `network`, `ego_start`, `plans`, `course`, and those of `cars`, `signs`,
    `events`, `rules`, `occluders` that they need. Their parameters are in the configuration.
    """

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and what all these worlds share."""
        config: dict[str, Any] = super().default_config()
        config.update(
            {
                "action": {"type": "DiscreteMetaAction", "longitudinal": True, "lateral": False},
                "simulation_frequency": 10,
                "policy_frequency": 5,
                "approach_speed": 8.0,  # [m/s]
                "seen_s": 2.0,  # from the start until the scene is hidden, about
                "hidden_s": 3.0,  # from then to the choice: the memory horizon
                "deadline_s": [5.0, 5.0],  # after the decision time, by latent class
                "collision_reward": -1.0,
                "success_reward": 1.0,
                "late_reward": -1.0,
                "violation_reward": -1.0,
                "screen_width": 900,
                "screen_height": 420,
                "scaling": 4.0,
                "centering_position": [0.2, 0.35],
            }
        )
        return config

    PERCEPTION_DISTANCE = 400.0
    """As far as highway-env shows cars, m: twice its own, for what comes late is far at first."""
    oracle_actions: tuple[int, ...] = ()
    """The right choice for each latent class: what a driver does who knows it."""
    meaning: CueMeaning | None = None
    """What the latent classes are, for people; None: nothing is told of them."""

    @classmethod
    def oracle(cls, scenario: Scenario) -> OracleRule:
        """The driver that is told the latent class; see `drivers.oracle`."""
        actions = np.array(cls.oracle_actions)
        return lambda observation, decisions: actions[observation["cue"].argmax(axis=1)]

    # ---- what a scenario says ----------------------------------------------------------------

    def decision_time_s(self) -> float:
        """The decision time, s from the start."""
        return float(self.config["seen_s"] + self.config["hidden_s"])

    def approach_m(self) -> float:
        """How far the ego has driven by then, m."""
        return float(self.config["approach_speed"] * self.decision_time_s())

    def window(self, name: str) -> Window:
        """A parameter that is a window, such as `early_s`."""
        low, high = self.config[name]
        return low, high

    def latent_classes(self) -> int:
        """K, how many there are, equally likely."""
        return len(self.config["deadline_s"])

    def network(self) -> RoadNetwork:
        """The roads."""
        raise NotImplementedError

    def ego_start(self) -> tuple[LaneIndex, float]:
        """The ego's lane and how far along it, m."""
        raise NotImplementedError

    def plans(self) -> list[Phase]:
        """What each choice leads to."""
        raise NotImplementedError

    def course(self) -> Course:
        """Where the goal is."""
        raise NotImplementedError

    def cars(self) -> list[Car]:
        """The traffic."""
        return []

    def signs(self) -> list[tuple[float, float]]:
        """Signs (landmarks) at x, y; what they say is whether they stand there."""
        return []

    def events(self) -> list[Event]:
        """What happens to cars and signs."""
        return []

    def rules(self) -> list[Rule]:
        """Limits in the rule zone."""
        return []

    # ---- highway-env's methods ---------------------------------------------------------------

    def _reset(self) -> None:
        self.latent_class = int(self.np_random.integers(self.latent_classes()))
        self.choice, self.clock = ANY, 0
        self.road = Road(
            network=self.network(),
            np_random=self.np_random,
            record_history=self.config["show_trajectories"],
            neighbour_vehicles_connected_lanes=self.config["neighbour_vehicles_connected_lanes"],
        )
        self._script = script_of(self)
        self._make_vehicles()

    def _make_vehicles(self) -> None:
        (index, along), pace = self.ego_start(), self.config["approach_speed"]
        lane = self.road.network.get_lane(index)
        # highway-env offers FASTER and SLOWER only where there are such speeds.
        speeds = [pace - 1, pace, pace + 1]
        position, heading = lane.position(along, 0.0), lane.heading_at(along)
        ego = MDPVehicle(self.road, position, heading, pace, target_speeds=speeds)
        self.controlled_vehicles = [ego]
        self.road.vehicles.append(ego)
        for car in self.cars():
            arrival = self.np_random.uniform(*car.arrival_s[self.latent_class])
            speed = self.np_random.uniform(*car.speed[self.latent_class])
            start = along_at_start(car.at_m, speed, arrival, self.decision_time_s())
            made = Vehicle.make_on_lane(self.road, car.lane, start, speed=speed)
            made.LENGTH, made.WIDTH = car.length, car.width
            made.diagonal = np.sqrt(car.length**2 + car.width**2)
            self._steer(made)
            self.road.vehicles.append(made)
        for x, y in self.signs():
            self.road.objects.append(Landmark(self.road, [x, y]))

    def _steer(self, car: Vehicle) -> None:
        """Let a car stay on its circle: steer as its radius asks for."""
        if isinstance(car.lane, CircularLane):
            turn = car.lane.direction * math.asin(car.LENGTH / 2 / car.lane.radius)
            car.action = {"steering": math.atan(2 * math.tan(turn)), "acceleration": 0}
            car.heading = float(car.heading - slip_of(car.action["steering"]))

    def _simulate(self, action: Any = None) -> None:
        """Simulate a decision: what was planned and what happens, whatever the ego wants now."""
        if self.clock == self._script.decision_step:
            self.choice = int(action)
        others = [v for v in self.road.vehicles if v is not self.vehicle] + self.road.objects
        for latent, clock, actor, moves, a, b, c in self._script.events:
            if clock == self.clock and latent in (ANY, self.latent_class):
                other = others[int(actor)]
                if moves:
                    other.position, other.speed = np.array([a, b]), c
                else:
                    other.action = {"steering": 0, "acceleration": a}
        for choice, clock, speed, lane in self._script.plans:
            if clock == self.clock and choice in (ANY, self.choice):
                self.vehicle.target_speed = speed
                if lane is not None:
                    self.vehicle.target_lane_index = lane
        self.clock += 1
        super()._simulate(IDLE)

    def cue(self) -> np.ndarray[Any, Any]:
        """The latent class: one-hot (K,); shown as long as the sensors' `cue_window_s` says."""
        told = np.zeros(self.latent_classes(), dtype=np.float32)
        told[self.latent_class] = 1.0
        return told

    def cue_meaning(self) -> CueMeaning | None:
        """See `meaning`."""
        return self.meaning

    def progress_m(self) -> float:
        """How far the ego has come along its course, m."""
        (x, y), (dx, dy) = self.vehicle.position, self.course().direction
        return float(dx * x + dy * y)

    def is_violation(self) -> bool:
        """Whether the ego is faster than a rule allows now."""
        first, last = self.course().zone_m
        if not first <= self.progress_m() <= last:
            return False
        return any(
            latent in (ANY, self.latent_class)
            and begin <= self.clock < end
            and self.vehicle.speed > limit + LIMIT_TOLERANCE
            for latent, begin, end, limit in self._script.rules
        )

    def is_success(self) -> bool:
        """Whether the goal is passed."""
        return bool(self.progress_m() >= self.course().goal_m and not self.is_violation())

    def is_late(self) -> bool:
        """Whether the deadline is over without success."""
        due = self._script.decision_step + self._script.deadlines[self.latent_class]
        return bool(self.clock >= due and not self.is_success() and not self.is_violation())

    def _rewards(self, action: Any) -> dict[str, float]:
        return {
            "collision_reward": float(self.vehicle.crashed),
            "success_reward": float(self.is_success() and not self.vehicle.crashed),
            "late_reward": float(self.is_late() and not self.vehicle.crashed),
            "violation_reward": float(self.is_violation() and not self.vehicle.crashed),
        }

    def _reward(self, action: Any) -> float:
        terms = self._rewards(action)
        return float(sum(self.config[name] * value for name, value in terms.items()))

    def _is_terminated(self) -> bool:
        return bool(
            self.vehicle.crashed or self.is_success() or self.is_violation() or self.is_late()
        )

    def _is_truncated(self) -> bool:
        return False


def straight(start: tuple[float, float], end: tuple[float, float]) -> StraightLane:
    """A lane from one point to another, m, with a continuous line at either side."""
    return StraightLane(start, end, line_types=[LineType.CONTINUOUS_LINE] * 2)


def along_at_start(at_m: float, speed: float, arrival_s: float, decision_time_s: float) -> float:
    """Where a car is at the start of an episode, m along its lane; both backends call this."""
    return at_m - speed * (arrival_s + decision_time_s)


def slip_of(steering: float) -> float:
    """By how much a car that steers moves beside its heading, rad; both backends call this.

    highway-env's bicycle model: the heading turns with speed * sin(slip) / (length / 2).
    """
    return math.atan(0.5 * math.tan(steering))


class Script(NamedTuple):
    """What a world's data mean in steps of one decision from the start of the episode."""

    decision_step: int
    """The decision that counts."""
    deadlines: list[int]
    """By latent class, steps from `decision_step`."""
    events: list[tuple[int, int, int, bool, float, float, float]]
    """Latent class, step, actor, whether it moves (else accelerates), numbers."""
    plans: list[tuple[int, int, float, LaneIndex | None]]
    rules: list[tuple[int, float, float, float]]


def script_of(world: SingleDecisionWorld) -> Script:
    """A world's script.

    Raises:
        ValueError: a number of deadlines, windows or events that does not fit the latent classes.
    """
    rate = world.config["policy_frequency"]
    decision = round(world.decision_time_s() * rate)
    classes, cars = world.latent_classes(), world.cars()
    for name, given in [
        ("deadline_s", world.config["deadline_s"]),
        *((f"arrival_s of car {i}", car.arrival_s) for i, car in enumerate(cars)),
        *((f"speed of car {i}", car.speed) for i, car in enumerate(cars)),
    ]:
        if len(given) != classes:
            raise ValueError(f"{name} has {len(given)} entries for {classes} latent classes")
    actors = len(cars) + len(world.signs())
    events = []
    for event in world.events():
        if not 0 <= event.actor < actors:
            raise ValueError(f"an event names actor {event.actor} of {actors}")
        moves = event.acceleration is None
        numbers = (event.x, event.y, event.speed) if moves else (event.acceleration, 0.0, 0.0)
        when = max(decision + round(event.time_s * rate), 0)
        events.append((event.latent_class, when, event.actor, moves, *numbers))
    return Script(
        decision,
        [round(each * rate) for each in world.config["deadline_s"]],
        events,  # type: ignore[arg-type]
        [(p.choice, decision + round(p.time_s * rate), p.speed, p.lane) for p in world.plans()],
        [
            (r.latent_class, decision + r.from_s * rate, decision + r.to_s * rate, r.limit)
            for r in world.rules()
        ],
    )
