"""What an oracle reads of a winding road's rows, and how it chooses its speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from drivemem_envs.batch_task import Floats
from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.scenarios.shared.winding_road import ENTRY_M, LANE_WIDTH, Course

LEFT, IDLE, RIGHT, FASTER, SLOWER = range(5)
_TAU_S, _DECISION_S = 0.6, 1 / 3
_KEPT = math.exp(-_DECISION_S / _TAU_S)
"""Share of a difference to the target speed that is left after a decision."""
CHANGE_AHEAD_S = 0.4
"""A lane change shows in the heading: so far ahead the ego points at the lane it changes to, s."""
_CHANGE_S = 1.1
"""For so long it is on two lanes, s."""
_LENGTH_M = 7.0
"""Centres this near on one lane collide, m: a car's length and a margin."""
_STOPS_S = 1.3
"""Way to slow down over the difference in speed, s."""
_HORIZON_S, _LAST_M = 12.0, 40.0


@cache
def braking_m(speed: float, steps: tuple[float, ...]) -> float:
    """The way from a speed down to the lowest, braking at every decision, m."""
    way, least = 0.0, steps[0]
    while speed > least + 0.4:
        target = steps[max(_nearest(speed, steps) - 1, 0)]
        way += target * _DECISION_S + (speed - target) * _TAU_S * (1 - _KEPT)
        speed = target + (speed - target) * _KEPT
    return way


def _nearest(speed: float, steps: Sequence[float]) -> int:
    return int(np.argmin(np.abs(np.array(steps) - speed)))


class View(NamedTuple):
    """What one ego sees, along the way."""

    speed: float
    lane: int
    """That it drives on or changes to."""
    lanes: int
    """How many the stretch has."""
    left_m: float
    """To the end of the stretch, m."""
    curved: bool
    """Whether it is in a bend."""
    before_bend: bool
    """Whether a bend follows the stretch."""
    cars: Floats
    """(n, 3) of others: ahead along the way, m; lane; speed, m/s."""

    def plan(self, goal: int, limit: float, steps: Sequence[float]) -> int:
        """The action of the quickest way to the end of the stretch.

        Args:
            goal: the lane to be on there.
            limit: no faster than this, m/s.
            steps: the ego's target speeds, m/s.
        """
        if self.curved:
            return self._speed_action(steps[0], steps)
        lane = self.lane
        if self.lanes > 1:
            beside = (lane, lane - 1, lane + 1)
            plans = [(aim, late) for aim in beside for late in (False, True)]
            plans = [plan for plan in plans if 0 <= plan[0] < self.lanes]
            times = [self._time(aim, late, goal, limit, steps) for aim, late in plans]
            lane = plans[int(np.argmin(times))][0]
        if lane != self.lane:
            return LEFT if lane < self.lane else RIGHT
        fastest = self._fastest(0.0, self.speed, lane, 0.0, limit, steps)
        return self._speed_action(fastest, steps)

    def _time(
        self, lane: int, late: bool, goal: int, limit: float, steps: Sequence[float]
    ) -> float:
        """How long a plan takes, s; what fails is far longer.

        Args:
            lane: taken now.
            late: towards the goal's lane only near the end of the stretch.
            goal: the lane to be on there.
            limit: no faster than this, m/s.
            steps: the ego's target speeds, m/s.
        """
        way, speed, now, since = 0.0, self.speed, 0.0, 0.0
        last = self.lane if lane != self.lane else lane
        while way < self.left_m and now < _HORIZON_S:
            if self._hits(way, lane, now) or (since < _CHANGE_S and self._hits(way, last, now)):
                return 1e4 - now
            near = self.left_m - way < _LAST_M * abs(goal - lane)
            if lane != goal and since >= _CHANGE_S and (near or not late):
                aim = lane + (1 if goal > lane else -1)
                if self._is_free(way, speed, aim, now):
                    last, lane, since = lane, aim, 0.0
            wanted = self._fastest(way, speed, lane, now, limit, steps)
            if since < _CHANGE_S:
                wanted = min(wanted, self._fastest(way, speed, last, now, limit, steps))
            nearest = _nearest(speed, steps)
            aim_speed = steps[int(np.clip(_nearest(wanted, steps), nearest - 1, nearest + 1))]
            speed = aim_speed + (speed - aim_speed) * _KEPT
            way, now, since = way + speed * _DECISION_S, now + _DECISION_S, since + _DECISION_S
        left = max(self.left_m - way, 0.0)
        return now + left / max(speed, 1.0) + (1e3 if lane != goal and left < _LAST_M else 0.0)

    def _hits(self, way: float, lane: int, now: float) -> bool:
        ahead = self.cars[:, 0] + self.cars[:, 2] * now - way
        return bool(((np.abs(ahead) < _LENGTH_M) & (self.cars[:, 1] == lane)).any())

    def _is_free(self, way: float, speed: float, lane: int, now: float) -> bool:
        ahead = self.cars[:, 0] + self.cars[:, 2] * now - way
        room = _LENGTH_M + 1.0 + np.maximum(speed - self.cars[:, 2], 0.0)
        near = (ahead > -_LENGTH_M - 2.0) & (ahead < room) & (self.cars[:, 1] == lane)
        return not near.any()

    def _fastest(
        self, way: float, speed: float, lane: int, now: float, limit: float, steps: Sequence[float]
    ) -> float:
        """The highest target speed that lets the ego brake for the next car and the bend."""
        gaps = self.cars[:, 0] + self.cars[:, 2] * now - way - _LENGTH_M - 2.0
        on = (self.cars[:, 1] == lane) & (gaps > -_LENGTH_M)
        for step in sorted(steps, reverse=True):
            reached = max(step, speed)
            if step > limit + 0.1 or step == steps[0]:
                continue
            if (gaps[on] < (reached - self.cars[on, 2]) * _STOPS_S).any():
                continue
            room = self.left_m - way + ENTRY_M - 4.0
            if self.before_bend and braking_m(round(reached), tuple(steps)) + reached / 3 > room:
                continue
            return step
        return steps[0]

    def _speed_action(self, wanted: float, steps: Sequence[float]) -> int:
        now, aim = _nearest(self.speed, steps), _nearest(wanted, steps)
        if now < aim:
            return FASTER
        return SLOWER if now > aim or self.speed > wanted + 2.0 else IDLE


class WayReader:
    """Turns rows into places along the way of a course.

    Args:
        scenario: gives the rows' features and ranges, and the target speeds.
        course: its road.
    """

    def __init__(self, scenario: Scenario, course: Course) -> None:
        self._spec = scenario.observation
        speeds = scenario.resolved_config()["action"]["target_speeds"]
        self.steps = tuple(float(speed) for speed in speeds)
        self._through = course.stretches[0].lanes // 2
        self._stretches = [
            each for each in course.stretches if each.kind != "fork" or each.branch == self._through
        ]
        points = [
            (*course.network.get_lane((e.start, e.end, e.lanes // 2)).position(s, 0.0), e.way_m + s)
            for e in self._stretches
            for s in np.arange(0.0, e.length, 1.0)
        ]
        self._x, self._y, self._way = np.array(points).T
        self._begins = np.array([each.way_m for each in self._stretches])

    def read(self, rows: Any) -> list[tuple[View, int, bool]]:
        """A view, how many forks are passed, and whether the next is ahead, for each of N."""
        names = ("presence", "x", "y", "vx", "vy", "sin_h")
        rows = rows.astype(np.float64)
        present, x, y, vx, vy, sine = (self._spec.column(rows, name) for name in names)
        for values in (x, y, vx, vy):
            values[:, 1:] += values[:, :1]
        way, middle = np.interp(x, self._x, self._way), np.interp(x, self._x, self._y)
        across = (y - middle) / LANE_WIDTH + self._through
        across[:, 0] += CHANGE_AHEAD_S * np.hypot(vx, vy)[:, 0] * sine[:, 0] / LANE_WIDTH
        speed = np.hypot(vx, vy)
        return [
            self._view(way[n], np.rint(across[n]), speed[n], present[n] > 0.0)
            for n in range(len(rows))
        ]

    def _view(self, way: Floats, lane: Floats, speed: Floats, shown: Any) -> tuple[View, int, bool]:
        number = int(np.searchsorted(self._begins, way[0], side="right")) - 1
        here, after = self._stretches[number], self._stretches[number + 1 :]
        others = np.stack([way - way[0], lane, speed], axis=1)[1:][shown[1:]]
        left = here.way_m + here.length - way[0]
        curved = here.kind in ("entry", "bend")
        on = int(np.clip(lane[0], 0, self._stretches[0].lanes - 1))
        before = bool(after) and after[0].kind == "entry"
        view = View(float(speed[0]), on, here.lanes, float(left), curved, before, others)
        forks = sum(each.kind == "fork" for each in self._stretches[:number]) // 2
        return view, forks, bool(after) and after[0].kind == "fork"
