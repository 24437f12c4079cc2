"""A road of straights and bends, where a bend puts every driver at one pace on one lane.

A bend is an entry, to slow down in, and a longer arc whose limit is the ego's lowest speed and is
enforced at once. What is told at the beginning of that arc can be kept in nothing but memory: the
lane is single, slower than the limit the ego cannot drive, and who drives faster breaks a rule. So
until the arc ends all go the same way to the last bit, or their episode is over. Between bends
drivers are free.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from highway_env import utils
from highway_env.road.lane import AbstractLane, CircularLane, LineType, StraightLane
from highway_env.road.road import Road, RoadNetwork
from highway_env.vehicle.behavior import IDMVehicle
from highway_env.vehicle.controller import MDPVehicle

from drivemem_envs.batch_task import Flags, Floats, Ints, LaneIndex, Moment, TaskWorld
from drivemem_envs.scenario_spec import ObservationSpec

PACE = 8.0
"""The limit in bends, and the ego's lowest speed, m/s."""
TRAFFIC = 10.0
"""The speed of traffic on straights, m/s: the ego can pass it and fall back behind it."""
BEND_TOLERANCE = 0.5
"""How much faster than that is no violation, m/s."""
START_M = 10.0
"""Where the ego begins, m along the way."""
LANE_WIDTH = float(AbstractLane.DEFAULT_WIDTH)
_RADII, _TURN = {"entry": 25.0, "bend": 50.0}, math.pi / 4
ENTRY_M, ARC_M = (radius * _TURN for radius in _RADII.values())
"""Lengths of a bend's two arcs, there and back, m."""
BEND_M = ENTRY_M + ARC_M
"""Length of a bend, m."""
_RUN_OUT_M = 200.0
_MAP_M = 150.0
"""Distance that navigation tells as 1, m."""
_MOST_ROUNDS, _LEAST_M, _LEAST_SPACING_M = 8, 20.0, 20.0


class Stretch(NamedTuple):
    """A part of the way between two nodes; a fork is one stretch for each of its branches."""

    start: str
    end: str
    way_m: float
    """Where it begins along the way."""
    length: float
    lanes: int
    kind: str
    """`straight`, `entry` and `bend` (the arcs of a bend), `fork`, `end`."""
    branch: int = -1
    """Number of a fork's branch, from the left; -1 elsewhere."""


class Course(NamedTuple):
    """A road and where everything is on it."""

    network: RoadNetwork
    stretches: list[Stretch]

    @property
    def goal_m(self) -> float:
        """Where the course ends, along the way."""
        return self.stretches[-1].way_m

    def of(self, kind: str) -> list[Stretch]:
        """Its stretches of a kind, in order."""
        return [each for each in self.stretches if each.kind == kind]


def make_course(config: Mapping[str, Any], lanes: int, fork_m: float = 0.0) -> Course:
    """A first straight, then rounds of a bend, a straight and perhaps a fork, and room to run out.

    Behind a fork is a straight as long as the first, so that there is room before the next bend.

    Args:
        config: has `first_m` and `straight_m` (lengths of the straight before the first bend and
            behind each) and `rounds`.
        lanes: of the straights; the bend goes on from the one on the right of the middle.
        fork_m: length of the fork's branches, one for each lane; 0: there are no forks.

    Raises:
        ValueError: no round, or straights too short to slow down on.
    """
    first_m, straight_m, rounds = (config[name] for name in ("first_m", "straight_m", "rounds"))
    if rounds != int(rounds) or not 1 <= rounds <= _MOST_ROUNDS:
        raise ValueError(f"rounds is {rounds}; choose 1 to {_MOST_ROUNDS}")
    if min(first_m, straight_m) < _LEAST_M:
        raise ValueError(
            f"first_m is {first_m} and straight_m {straight_m}; both need {_LEAST_M:g} m or more"
        )
    return _built(float(first_m), float(straight_m), int(rounds), lanes, float(fork_m))


@lru_cache(maxsize=32)  # the road is the same in every episode, and nobody changes it
def _built(first_m: float, straight_m: float, rounds: int, lanes: int, fork_m: float) -> Course:
    """The course with x = 0 half-way, so that the range of x in rows is used whole."""
    parts = first_m, straight_m, rounds, fork_m
    whole = _build(_Builder(lanes, 0.0), *parts)
    end = whole.stretches[-1]
    middle = whole.network.get_lane((end.start, end.end, 0)).position(0.0, 0.0)[0] / 2
    return _build(_Builder(lanes, -middle), *parts)


def _build(
    builder: _Builder, first_m: float, straight_m: float, rounds: int, fork_m: float
) -> Course:
    builder.straight(first_m, "straight")
    for number in range(rounds):
        side = 1 if number % 2 == 0 else -1
        builder.arc(side, "entry")
        builder.arc(-side, "bend")
        builder.straight(straight_m, "straight")
        if fork_m:
            builder.fork(fork_m)
            builder.straight(first_m, "straight")
    builder.straight(_RUN_OUT_M, "end")
    return Course(builder.network, builder.stretches)


def window_of(config: Mapping[str, Any], name: str) -> tuple[float, float]:
    """A parameter that is a window of distances from one thing to the next, m.

    Raises:
        ValueError: it is none.
    """
    low, high = (float(value) for value in config[name])
    if not _LEAST_SPACING_M <= low <= high:
        raise ValueError(
            f"{name} is [{low:g}, {high:g}]; give least and most, {_LEAST_SPACING_M:g} m or more"
        )
    return low, high


def winding_rows(count: int, reach_m: float) -> ObservationSpec:
    """Rows and lanes, with the ego's place on the road in its own row.

    Args:
        count: of rows.
        reach_m: half of the road, from where x is 0.
    """
    ranges = {
        "x": (-reach_m, reach_m),
        "y": (-50.0, 50.0),
        "vx": (-40.0, 40.0),
        "vy": (-40.0, 40.0),
    }
    return ObservationSpec(vehicles_count=count, features_range=ranges, views=("rows", "lanes"))


class _Builder:
    """Adds stretch to stretch."""

    def __init__(self, lanes: int, x: float) -> None:
        self.network, self.stretches = RoadNetwork(), list[Stretch]()
        self._lanes, self._through = lanes, lanes // 2
        self._at, self._way, self._heading, self._node = np.array([x, 0.0]), 0.0, 0.0, 0

    def straight(self, length: float, kind: str) -> None:
        """All lanes."""
        names = self._next(length, self._lanes, kind)
        for lane in range(self._lanes):
            self.network.add_lane(*names, self._lane(lane, length, 0.0, alone=False))
        self._at = self._at + np.array([length, 0.0])

    def fork(self, length: float) -> None:
        """Each lane by itself, with a node half-way, since two nodes have one road."""
        start, end = f"{self._node}", f"{self._node + 1}"
        for branch in range(self._lanes):
            middle, half = f"{start}.{branch}", length / 2
            for part, names in enumerate(pairwise((start, middle, end))):
                lane = self._lane(branch, half, part * half, alone=True)
                self.network.add_lane(*names, lane)
                way = self._way + part * half
                self.stretches.append(Stretch(*names, way, half, 1, "fork", branch))
        self._node, self._way = self._node + 1, self._way + length
        self._at = self._at + np.array([length, 0.0])

    def arc(self, side: int, kind: str) -> None:
        """One lane; side 1 turns right."""
        radius, length = _RADII[kind], _RADII[kind] * _TURN
        phase = self._heading - side * math.pi / 2
        middle = self._at - radius * np.array([math.cos(phase), math.sin(phase)])
        end = phase + side * _TURN
        line = LineType.CONTINUOUS
        arc = CircularLane(
            middle, radius, phase, end, side == 1, line_types=[line, line], speed_limit=PACE
        )
        self.network.add_lane(*self._next(length, 1, kind), arc)
        self._at, self._heading = arc.position(length, 0.0), self._heading + side * _TURN
        if kind == "bend":
            self._heading = 0.0

    def _next(self, length: float, lanes: int, kind: str) -> tuple[str, str]:
        names = f"{self._node}", f"{self._node + 1}"
        self.stretches.append(Stretch(*names, self._way, length, lanes, kind))
        self._node, self._way = self._node + 1, self._way + length
        return names

    def _lane(self, lane: int, length: float, ahead: float, alone: bool) -> StraightLane:
        start = self._at + np.array([ahead, (lane - self._through) * LANE_WIDTH])
        left = LineType.CONTINUOUS_LINE if alone or lane == 0 else LineType.STRIPED
        closed = alone or lane == self._lanes - 1
        lines = [left, LineType.CONTINUOUS_LINE if closed else LineType.NONE]
        end = start + np.array([length, 0.0])
        return StraightLane(start, end, line_types=lines, speed_limit=TRAFFIC)


class Places:
    """Where egos are, for a task: looked up by the row of their lane.

    Args:
        stretches: the course's.
        lane_indices: highway-env's index of each lane.
        config: the world's, with the decision frequency and what bends tolerate.
    """

    def __init__(
        self,
        stretches: Sequence[Stretch],
        lane_indices: Sequence[LaneIndex],
        config: Mapping[str, Any],
    ) -> None:
        self._decision_s = 1.0 / config["policy_frequency"]
        self._tolerated_s = float(config["bend_tolerated_s"])
        names = {(each.start, each.end): each for each in stretches}
        rows = [names[start, end] for start, end, _ in lane_indices]
        self._begins = np.array([each.way_m for each in rows])
        self._bends = np.array([each.kind == "bend" for each in rows], np.bool_)
        self._curved = np.array([each.kind in ("entry", "bend") for each in rows], np.bool_)
        self._branches = np.array([each.branch for each in rows], np.int64)

    def way_m(self, moment: Moment) -> Floats:
        """How far along the way (N,)."""
        return np.asarray(self._begins[moment.lane] + moment.longitudinal)

    def is_bend(self, moment: Moment) -> Flags:
        """Whether the bend's limit is enforced (N,): in its second arc."""
        return np.asarray(self._bends[moment.lane])

    def count_over(self, moment: Moment, over_s: Floats) -> tuple[Flags, Flags]:
        """Who is now faster than a bend allows (N,), and who has been for too long in it (N,).

        Args:
            moment: the egos.
            over_s: (N,) for how long they have been in this bend, s; written.
        """
        bend = self.is_bend(moment)
        over = np.asarray(bend & (moment.speed > PACE + BEND_TOLERANCE))
        over_s[:] = np.where(bend, over_s + over * self._decision_s, 0.0)
        return over, np.asarray(over_s > self._tolerated_s)

    def is_curved(self, moment: Moment) -> Flags:
        """Whether they are in either arc of a bend (N,)."""
        return np.asarray(self._curved[moment.lane])

    def branch(self, moment: Moment) -> Ints:
        """The branch of a fork that they drive to (N,), -1 elsewhere."""
        return np.asarray(self._branches[moment.target_lane])


class Guide:
    """What a map tells of a course, and one's place on it: navigation (N, 3), each in [0, 1].

    How far it is to the next bend and to the next junction, 1 where none is near; and out of the
    bend, 0 where the ego is in none.

    Args:
        course: the road.
    """

    SIZE = 3

    def __init__(self, course: Course) -> None:
        self._bends = np.array([each.way_m for each in course.of("entry")])
        self._forks = np.unique([each.way_m for each in course.of("fork")])

    def tell(self, way: Floats) -> Floats:
        """The navigation of egos so far along the way (N,), m."""
        out = self._bends + BEND_M - way[:, None]
        out = np.where((out > 0.0) & (out <= BEND_M), out, 0.0).max(axis=1)
        return np.stack([_ahead(self._bends, way), _ahead(self._forks, way), out / BEND_M], axis=1)


def _ahead(places: Floats, way: Floats) -> Floats:
    """How far it is to the next of some places (N,), over `_MAP_M`."""
    away = places - way[:, None]
    nearest = np.where(away > 0.0, away, np.inf).min(axis=1, initial=np.inf)
    return np.asarray(np.minimum(nearest / _MAP_M, 1.0))


class SteadyCar(IDMVehicle):  # type: ignore[misc]
    """IDM traffic that keeps its lane: where lanes end, highway-env's would collide."""

    LANE_CHANGE_MIN_ACC_GAIN = 1e6  # [m/s2], more than any change of lanes brings
    TIME_WANTED = 0.8  # [s]
    DISTANCE_WANTED = 8.0  # [m], between centers


class WindingWorld(TaskWorld):
    """An ego that chooses lane and speed on a `course` with traffic at the pace of bends."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and what all such worlds have."""
        config: dict[str, Any] = super().default_config()
        config.update(
            {
                "action": {"type": "DiscreteMetaAction", "target_speeds": [8, 14, 20, 26]},
                "other_vehicles_type": f"{__name__}.SteadyCar",
                "simulation_frequency": 15,
                "policy_frequency": 3,
                "rounds": 4,
                "first_m": 60.0,  # straight before the first bend
                "straight_m": 160.0,  # straight behind each bend
                "spacing_m": [60.0, 110.0],  # from one car to the next
                # For so long one may be faster than a bend allows: for one decision, if one braked
                # late. A pulse of FASTER takes three.
                "bend_tolerated_s": 0.4,
                "collision_reward": -1.0,
                "screen_width": 900,
                "screen_height": 260,
                "scaling": 5.0,
                "centering_position": [0.3, 0.5],
            }
        )
        return config

    @classmethod
    def course_of(cls, config: Mapping[str, Any]) -> Course:
        """The road that a configuration asks for."""
        raise NotImplementedError

    def _reset(self) -> None:
        self.course = self.course_of(self.config)
        self.road = Road(
            network=self.course.network,
            np_random=self.np_random,
            record_history=self.config["show_trajectories"],
            neighbour_vehicles_connected_lanes=self.config["neighbour_vehicles_connected_lanes"],
        )
        speeds = self.config["action"]["target_speeds"]
        position = self._lane_at(START_M).position(START_M, 0.0)
        ego = MDPVehicle(self.road, position, speed=PACE, target_speeds=speeds)
        self.controlled_vehicles = [ego]
        self.road.vehicles.append(ego)
        self._make_traffic()

    def _make_traffic(self) -> None:
        """Cars on the lane that goes on through the bends, as many in every episode."""
        kind = utils.class_from_path(self.config["other_vehicles_type"])
        low, high = window_of(self.config, "spacing_m")
        way = START_M
        for _ in range(math.ceil(2 * self.course.goal_m / (low + high))):
            way += self.np_random.uniform(low, high)
            stretch = self._stretch_at(way)
            lane, along = self._lane_at(way), way - stretch.way_m
            car = kind(
                self.road,
                lane.position(along, 0.0),
                lane.heading_at(along),
                speed=PACE,
                target_speed=TRAFFIC,
                enable_lane_change=False,
            )
            self.road.vehicles.append(car)

    def _stretch_at(self, way: float) -> Stretch:
        begun = [each for each in self.course.stretches if each.way_m <= way]
        through = self.course.stretches[0].lanes // 2
        return [each for each in begun if each.kind != "fork" or each.branch == through][-1]

    def _lane_at(self, way: float) -> AbstractLane:
        """The lane that goes on through the bends."""
        stretch = self._stretch_at(way)
        return self.road.network.get_lane((stretch.start, stretch.end, stretch.lanes // 2))
