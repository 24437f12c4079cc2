"""Worlds with one committed choice: what was seen earlier decides which choice is right.

The ego drives up at a fixed speed while its actions count for nothing; at the release its next
action is the choice, a plan that it then carries out. What is hidden is one of K kinds of scene.
Because the ego can do nothing before the release, it cannot store anything in its own motion, and
a driver that only sees the frame at the release can be right no more often than the best single
choice: that ceiling is a sum over kinds, and `success_table` finds it by trying every choice.

A scenario of this sort is a subclass that says, as data, which roads, cars, events, plans and rules
it has; it runs on both backends without code of its own (see `compiled.commitment`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from highway_env.envs.common.abstract import AbstractEnv
from highway_env.road.lane import CircularLane
from highway_env.road.road import LaneIndex, Road, RoadNetwork
from highway_env.vehicle.controller import MDPVehicle
from highway_env.vehicle.kinematics import Vehicle
from highway_env.vehicle.objects import Landmark

if TYPE_CHECKING:
    from drivemem_envs.drivers.oracle import ScriptedRule
    from drivemem_envs.scenario_spec import Scenario

SLOWER, IDLE, FASTER = range(3)
"""The choices: highway-env's longitudinal meta actions."""
ANY = -1
"""Whatever the kind of scene; before any choice."""
LIMIT_TOLERANCE = 0.5
"""How much faster than a limit is no violation, m/s."""

Window = tuple[float, float]


class Car(NamedTuple):
    """A car with constant speed on a straight or circular lane; its draws are uniform."""

    lane: LaneIndex
    at_m: float
    """A point along its lane, m …"""
    arrival_s: tuple[Window, ...]
    """… and when it is there, s after the release: a window for each kind."""
    speed: tuple[Window, ...]
    """A window for each kind, m/s."""
    length: float = 5.0
    width: float = 2.0


class Event(NamedTuple):
    """What happens to a car or sign at a time, in scenes of a kind."""

    kind: int
    """A kind or `ANY`."""
    time_s: float
    """From the release; negative: before it."""
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
    """After this choice; `ANY`: before the release."""
    time_s: float
    """From the release."""
    speed: float
    """Target speed, m/s."""
    lane: LaneIndex | None = None
    """Lane to change to."""


class Rule(NamedTuple):
    """A speed limit in the rule zone, for a time (0 m/s: a red light)."""

    kind: int
    from_s: float
    """From the release."""
    to_s: float
    limit: float


class Course(NamedTuple):
    """Where the ego's way is measured, as x * direction_x + y * direction_y, m."""

    direction: tuple[float, float]
    goal_m: float
    """Passed: success."""
    zone_m: Window = (math.inf, math.inf)
    """Where rules hold."""


class CommitmentWorld(AbstractEnv):  # type: ignore[misc]
    """One choice, right or wrong by what was seen before; see the module's docstring.

    Subclasses define `kinds`, `network`, `ego_start`, `plans`, `course`, and those of `cars`,
    `signs`, `events`, `rules`, `occluders` that they need. Their dials are in the configuration.
    """

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and this family's dials."""
        config: dict[str, Any] = super().default_config()
        config.update(
            {
                "action": {"type": "DiscreteMetaAction", "longitudinal": True, "lateral": False},
                "simulation_frequency": 10,
                "policy_frequency": 5,
                "approach_speed": 8.0,  # [m/s]
                "seen_s": 2.0,  # from the start until the scene is hidden, about
                "hidden_s": 3.0,  # from then to the choice: the memory horizon
                "deadline_s": [5.0, 5.0],  # after the release, by kind
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
    answers: tuple[int, ...] = ()
    """The right choice for each kind: what a driver does who knows it."""

    @classmethod
    def scripted(cls, scenario: Scenario) -> ScriptedRule:
        """The driver that is told the kind; see `drivers.scripted`."""
        answers = np.array(cls.answers)
        return lambda observation, decisions: answers[observation["cue"].argmax(axis=1)]

    # ---- what a scenario says ----------------------------------------------------------------

    def release_s(self) -> float:
        """When the choice is made, s from the start."""
        return float(self.config["seen_s"] + self.config["hidden_s"])

    def kinds(self) -> int:
        """K, kinds of scenes, equally likely."""
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
        self.kind = int(self.np_random.integers(self.kinds()))
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
            arrival = self.np_random.uniform(*car.arrival_s[self.kind])
            speed = self.np_random.uniform(*car.speed[self.kind])
            start = along_at_start(car.at_m, speed, arrival, self.release_s())
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
        if self.clock == self._script.release:
            self.choice = int(action)
        others = [v for v in self.road.vehicles if v is not self.vehicle] + self.road.objects
        for kind, clock, actor, moves, a, b, c in self._script.events:
            if clock == self.clock and kind in (ANY, self.kind):
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
        """The kind of scene: one-hot (K,); shown as long as the sensors' `cue_window_s` says."""
        told = np.zeros(self.kinds(), dtype=np.float32)
        told[self.kind] = 1.0
        return told

    def _way(self) -> float:
        (x, y), (dx, dy) = self.vehicle.position, self.course().direction
        return float(dx * x + dy * y)

    def is_violation(self) -> bool:
        """Whether the ego is faster than a rule allows now."""
        first, last = self.course().zone_m
        if not first <= self._way() <= last:
            return False
        return any(
            kind in (ANY, self.kind)
            and begin <= self.clock < end
            and self.vehicle.speed > limit + LIMIT_TOLERANCE
            for kind, begin, end, limit in self._script.rules
        )

    def is_success(self) -> bool:
        """Whether the goal is passed."""
        return bool(self._way() >= self.course().goal_m and not self.is_violation())

    def is_late(self) -> bool:
        """Whether the deadline is over without success."""
        due = self._script.release + self._script.deadlines[self.kind]
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


def along_at_start(at_m: float, speed: float, arrival_s: float, release_s: float) -> float:
    """Where a car is at the start of an episode, m along its lane; both backends call this."""
    return at_m - speed * (arrival_s + release_s)


def slip_of(steering: float) -> float:
    """By how much a car that steers moves beside its heading, rad; both backends call this.

    highway-env's bicycle model: the heading turns with speed * sin(slip) / (length / 2).
    """
    return math.atan(0.5 * math.tan(steering))


class Script(NamedTuple):
    """What a world's data mean in decisions from the start of the episode."""

    release: int
    deadlines: list[int]
    """By kind, decisions from the release."""
    events: list[tuple[int, int, int, bool, float, float, float]]
    """Kind, decision, actor, whether it moves (else accelerates), numbers."""
    plans: list[tuple[int, int, float, LaneIndex | None]]
    rules: list[tuple[int, float, float, float]]


def script_of(world: CommitmentWorld) -> Script:
    """A world's script.

    Raises:
        ValueError: a number of deadlines, windows or events that does not fit the kinds.
    """
    rate = world.config["policy_frequency"]
    release = round(world.release_s() * rate)
    kinds, cars = world.kinds(), world.cars()
    for name, given in [
        ("deadline_s", world.config["deadline_s"]),
        *((f"arrival_s of car {i}", car.arrival_s) for i, car in enumerate(cars)),
        *((f"speed of car {i}", car.speed) for i, car in enumerate(cars)),
    ]:
        if len(given) != kinds:
            raise ValueError(f"{name} has {len(given)} entries for {kinds} kinds of scenes")
    actors = len(cars) + len(world.signs())
    events = []
    for event in world.events():
        if not 0 <= event.actor < actors:
            raise ValueError(f"an event names actor {event.actor} of {actors}")
        moves = event.acceleration is None
        numbers = (event.x, event.y, event.speed) if moves else (event.acceleration, 0.0, 0.0)
        when = max(release + round(event.time_s * rate), 0)
        events.append((event.kind, when, event.actor, moves, *numbers))
    return Script(
        release,
        [round(each * rate) for each in world.config["deadline_s"]],
        events,  # type: ignore[arg-type]
        [(p.choice, release + round(p.time_s * rate), p.speed, p.lane) for p in world.plans()],
        [
            (rule.kind, release + rule.from_s * rate, release + rule.to_s * rate, rule.limit)
            for rule in world.rules()
        ],
    )
