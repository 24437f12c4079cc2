"""The metrics once more, in NumPy, as docs/metrics.md defines them: what the kernels must equal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from drivemem_envs._jit import Bools, Floats
from drivemem_envs.collision_times import boxes_of, times_to_collision
from drivemem_envs.metrics import (
    HARD_BRAKING,
    HIDDEN_ORIGIN_S,
    RELEVANT_DISTANCE_M,
    TTC_CRITICAL_S,
    TTC_HORIZON_S,
)

Truth = dict[str, np.ndarray[Any, Any]]


class MetricsInNumpy:
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
