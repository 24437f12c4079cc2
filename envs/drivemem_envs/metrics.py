"""Metrics of an episode, computed from the truth at its decisions; docs/metrics.md lists them.

Everything is defined on arrays over actors, so a recording gives the same numbers as the
simulation that made it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from drivemem_envs._jit import Bools, Floats, jit

Truth = dict[str, np.ndarray[Any, Any]]

TTC_HORIZON_S = 5.0
"""Contacts farther away than this are not looked for, s (nuPlan and CriMe use 3 to 5)."""
TTC_CRITICAL_S = 1.5
HARD_BRAKING = 4.0
"""Deceleration that counts as hard braking, m/s^2."""
RELEVANT_DISTANCE_M = 20.0
"""A hidden actor this near, or within the TTC horizon, is relevant, m."""
HIDDEN_ORIGIN_S = 1.0
"""A collision has hidden origin if the actor was not perceived at some decision this recent, s."""

METRICS = (
    "progress_m", "mean_speed", "min_ttc", "share_ttc_below_1_5", "pet", "hard_brakes", "max_jerk",
    "at_fault", "exposure", "hidden_origin_collision", "reveal_to_contact_s", "blind_entry_speed",
)  # fmt: skip


@jit
def _axis_interval(
    offset: float, velocity: float, reach: float, entry: float, leave: float
) -> tuple[float, float]:
    """Narrow the interval in which two moving shapes overlap along one axis."""
    if abs(velocity) < 1e-12:
        if abs(offset) > reach:
            return np.inf, -np.inf
        return entry, leave
    first, second = (-reach - offset) / velocity, (reach - offset) / velocity
    return max(entry, min(first, second)), min(leave, max(first, second))


@jit
def time_to_collision(a: Floats, b: Floats) -> float:
    """When two oriented rectangles touch if both keep their velocity, s.

    The swept separating-axis test is exact for constant velocity without rotation.

    Args:
        a: x, y, heading, length, width, vx, vy; m, rad, m/s.
        b: the same of the other.

    Returns:
        0 if they overlap now, inf if they never touch.
    """
    dx, dy, dvx, dvy = b[0] - a[0], b[1] - a[1], b[5] - a[5], b[6] - a[6]
    entry, leave = 0.0, np.inf
    for angle in (a[2], a[2] + 0.5 * math.pi, b[2], b[2] + 0.5 * math.pi):
        c, s = math.cos(angle), math.sin(angle)
        reach = 0.0
        for shape in (a, b):
            turn = shape[2] - angle
            reach += 0.5 * (shape[3] * abs(math.cos(turn)) + shape[4] * abs(math.sin(turn)))
        entry, leave = _axis_interval(dx * c + dy * s, dvx * c + dvy * s, reach, entry, leave)
        if entry > leave:
            return np.inf
    return entry


@jit(allocates=True)
def times_to_collision(boxes: Floats) -> Floats:
    """TTC of actor 0 with every actor (A,), s; its own is inf.

    Args:
        boxes: (A, 7) as in `time_to_collision`.
    """
    times = np.full(boxes.shape[0], np.inf)
    for i in range(1, boxes.shape[0]):
        times[i] = time_to_collision(boxes[0], boxes[i])
    return times


def boxes_of(truth: Truth) -> Floats:
    """(A, 7) x, y, heading, length, width, vx, vy of the solid actors, the ego first."""
    solid = truth["kind"] != 2
    heading, speed = truth["heading"][solid], truth["speed"][solid]
    columns = [
        truth["x"][solid], truth["y"][solid], heading, truth["length"][solid],
        truth["width"][solid], speed * np.cos(heading), speed * np.sin(heading),
    ]  # fmt: skip
    boxes: Floats = np.ascontiguousarray(np.stack(columns, axis=1))
    return boxes


class EpisodeMetrics:
    """Collects the truth of one episode, decision by decision.

    Args:
        decision_s: decision period, s.
    """

    def __init__(self, decision_s: float) -> None:
        self.decision_s = decision_s
        self._ego: list[tuple[float, float, float, float]] = []  # x, y, heading, speed
        self._ttc: list[float] = []
        self._relevant: list[bool] = []
        self._last: Truth | None = None
        self._hidden_for: dict[int, int] = {}
        self._revealed: dict[int, int] = {}
        self._paths: dict[int, list[tuple[int, float, float, float]]] = {}

    def add(self, truth: Truth) -> None:
        """Take in the truth at the next decision (`truth()` of an environment)."""
        step = len(self._ego)
        x, y = truth["x"], truth["y"]
        self._ego.append(
            (float(x[0]), float(y[0]), float(truth["heading"][0]), float(truth["speed"][0]))
        )
        solid = np.flatnonzero(truth["kind"] != 2)
        times = times_to_collision(boxes_of(truth))
        self._ttc.append(float(times.min()) if len(times) else math.inf)
        hidden: Bools = ~truth["perceived"][solid]
        near = np.hypot(x[solid] - x[0], y[solid] - y[0]) < RELEVANT_DISTANCE_M
        self._relevant.append(bool((hidden & (near | (times < TTC_HORIZON_S))).any()))
        for index in solid[1:]:
            actor = int(truth["id"][index])
            if truth["perceived"][index]:
                if self._revealed.get(actor) is None:
                    self._revealed[actor] = step
            else:
                self._revealed.pop(actor, None)
                self._hidden_for[actor] = step
            if truth["kind"][index] == 0:
                self._paths.setdefault(actor, []).append(
                    (step, float(x[index]), float(y[index]), float(truth["heading"][index]))
                )
        self._last = truth

    def speeds(self) -> Floats:
        """The ego's speed at each decision (T,), m/s."""
        return np.array([ego[3] for ego in self._ego])

    def result(self) -> dict[str, Any]:
        """The episode's metrics by name; nan where one is not defined."""
        ego = np.array(self._ego)
        dt, speeds = self.decision_s, ego[:, 3]
        steps = np.hypot(np.diff(ego[:, 0]), np.diff(ego[:, 1]))
        acceleration = np.diff(speeds) / dt
        jerk = np.diff(acceleration) / dt
        ttc = np.array(self._ttc)
        contact = self._contact()
        return {
            "progress_m": _total(steps),
            "mean_speed": _total(speeds) / len(speeds),
            "min_ttc": float(ttc.min()) if ttc.min() <= TTC_HORIZON_S else math.nan,
            "share_ttc_below_1_5": float((ttc < TTC_CRITICAL_S).mean()),
            "pet": self._encroachment(ego),
            "hard_brakes": _onsets(acceleration < -HARD_BRAKING),
            "max_jerk": float(np.abs(jerk).max()) if len(jerk) else math.nan,
            "exposure": int(sum(self._relevant)),
            "blind_entry_speed": self._blind_entry(speeds),
            **self._collision(contact),
        }

    def _contact(self) -> int | None:
        """Index of the actor that the ego touches at the end, if it crashed."""
        truth = self._last
        if truth is None or not truth["crashed"][0]:
            return None
        solid = np.flatnonzero(truth["kind"] != 2)
        boxes = boxes_of(truth)
        if len(solid) < 2:
            return None
        times = times_to_collision(boxes)[1:]
        gaps = np.hypot(boxes[1:, 0] - boxes[0, 0], boxes[1:, 1] - boxes[0, 1])
        crashed = truth["crashed"][solid][1:]
        return int(solid[1:][np.lexsort((gaps, times, ~crashed))[0]])

    def _collision(self, contact: int | None) -> dict[str, Any]:
        if contact is None or self._last is None:
            return {
                "at_fault": "",
                "hidden_origin_collision": False,
                "reveal_to_contact_s": math.nan,
            }
        step, actor = len(self._ego) - 1, int(self._last["id"][contact])
        hidden = self._hidden_for.get(actor)
        recent = hidden is not None and (step - hidden) * self.decision_s <= HIDDEN_ORIGIN_S + 1e-9
        revealed = self._revealed.get(actor)
        return {
            "at_fault": fault_of(self._last, contact),
            "hidden_origin_collision": bool(recent),
            "reveal_to_contact_s": math.nan
            if hidden is None
            else 0.0
            if revealed is None
            else (step - revealed) * self.decision_s,
        }

    def _blind_entry(self, speeds: Floats) -> float:
        first = np.flatnonzero(self._relevant)
        return float(speeds[first[0]]) if len(first) else math.nan

    def _encroachment(self, ego: Floats) -> float:
        """Post-encroachment time: least gap between passages of a point by crossing paths, s."""
        least = math.inf
        for path in self._paths.values():
            other = np.array(path)
            apart = np.hypot(
                ego[:, None, 0] - other[None, :, 1], ego[:, None, 1] - other[None, :, 2]
            )
            turn = np.abs(np.sin(ego[:, None, 2] - other[None, :, 3]))
            crossing = (apart < 2.0) & (turn > 0.5)  # over 30 degrees apart
            if crossing.any():
                steps = np.abs(np.arange(len(ego))[:, None] - other[None, :, 0])
                least = min(least, float(steps[crossing].min()))
        return least * self.decision_s if math.isfinite(least) else math.nan


def fault_of(truth: Truth, contact: int) -> str:
    """Class of a collision as in nuPlan (Karnchanachari et al. 2024), from the poses at contact.

    Returns:
        `stopped_ego`, `stopped_track`, `active_front` (the ego's front hits), `active_rear` (it is
        hit from behind) or `active_lateral`. The ego is at fault with the second and third.
    """
    if abs(truth["speed"][0]) < 0.1:
        return "stopped_ego"
    if abs(truth["speed"][contact]) < 0.1:
        return "stopped_track"
    dx, dy = truth["x"][contact] - truth["x"][0], truth["y"][contact] - truth["y"][0]
    heading = truth["heading"][0]
    along = dx * math.cos(heading) + dy * math.sin(heading)
    across = abs(dy * math.cos(heading) - dx * math.sin(heading))
    # Bearing against the ego's own diagonal tells its front from its side.
    if across * truth["length"][0] > abs(along) * truth["width"][0] * 2.0:
        return "active_lateral"
    return "active_front" if along > 0 else "active_rear"


def _total(values: Floats) -> float:
    """The sum, one by one as kernels add (`sum` adds pairwise: other last bits)."""
    return float(np.cumsum(values)[-1]) if len(values) else 0.0


def _onsets(flags: Bools) -> int:
    """How often a condition begins."""
    return int(np.sum(flags & ~np.concatenate([[False], flags[:-1]])))
