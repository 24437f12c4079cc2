"""A rule-based driver: keep a gap, change to a freer lane, let crossing cars pass.

It reads only the observation's rows. Behind a tracker the same rules act on what was last seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from drivemem_envs.drivers.constant import action_labels
from drivemem_envs.scenarios.base import Scenario
from drivemem_envs.sensing.spec import Tracker

LANE_WIDTH = 4.0
"""highway-env's default lane width, m."""
TIME_GAP_S = 1.5
"""Wanted time gap to the car ahead (IDM's T, Treiber et al. 2000), s."""
CROSSING_HORIZON_S = 2.0
"""Crossing cars that reach the ego's path within this time are waited for, s."""
CLEARANCE_M = 4.0
"""Paths this near are in conflict, m."""
CROSSING_SPEED = 8.0
"""Speed at which the ego would cross, m/s, reached with time constant `RESPONSE_S`."""
RESPONSE_S = 0.6
"""highway-env's ControlledVehicle.TAU_ACC, s."""
SIDE_GAP_M = (12.0, 25.0)
"""Gap wanted behind and ahead on the lane to change to, m."""


class RuleBasedDriver:
    """Gap, time to collision and crossing rules on a batch of observations.

    Args:
        scenario: gives the rows' features and ranges.
        action_space: of one world.
        tracker: what fills hidden rows before the rules see them.

    Raises:
        ValueError: rows without x, y, vx, vy.
    """

    def __init__(
        self, scenario: Scenario, action_space: spaces.Space[Any], tracker: Tracker = "none"
    ) -> None:
        self.tracker = tracker
        spec = scenario.observation
        missing = {"x", "y", "vx", "vy"} - set(spec.features)
        if missing:
            raise ValueError(f"the rule-based driver needs the features {sorted(missing)}")
        self._spec = spec
        self._columns = [spec.features.index(name) for name in ("x", "y", "vx", "vy")]
        ranges = dict(spec.features_range or {})
        self._ranges = [ranges.get(name) for name in ("x", "y", "vx", "vy")]
        self._labels = action_labels(scenario)
        self._space = action_space
        self._defaults = ((-200.0, 200.0), (-12.0, 12.0), (-80.0, 80.0), (-80.0, 80.0))

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[Any], Any]:
        """Actions by rule; see `Driver`."""
        rows = np.asarray(self._rows(observation), dtype=np.float64)
        if not self._labels:  # continuous: brake for conflicts, else hold speed and heading
            return self._continuous(rows), None
        actions = [
            self._decide(*self._frame(world), None if action_masks is None else action_masks[i])
            for i, world in enumerate(rows)
        ]
        return np.array([self._labels.index(action) for action in actions]), None

    def _rows(self, observation: Any) -> Any:
        if isinstance(observation, dict):
            return observation["vehicles"]
        size = self._spec.vehicles_count * len(self._spec.features)
        # A flat observation joins its parts in the order of their names; rows are the last.
        return observation[:, -size:].reshape(len(observation), self._spec.vehicles_count, -1)

    def _frame(self, rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Others in the ego's frame (n, 4): along, across and their speeds; the ego's speed."""
        values = rows[:, self._columns].copy()
        for column, (given, default) in enumerate(zip(self._ranges, self._defaults, strict=True)):
            low, high = given or default
            if self._spec.normalize:
                values[:, column] = low + (values[:, column] + 1.0) * (high - low) / 2.0
        ego = values[0]
        present = np.any(rows[1:] != 0.0, axis=1)
        others = values[1:][present]
        if self._spec.absolute:
            others[:, :2] -= ego[:2]
        else:
            others[:, 2:] += ego[2:]
        speed = float(np.hypot(ego[2], ego[3]))
        heading = np.arctan2(ego[3], ego[2]) if speed > 0.1 else self._heading(rows[0])
        c, s = np.cos(heading), np.sin(heading)
        turn = np.array([[c, -s], [s, c]])
        return np.concatenate([others[:, :2] @ turn, others[:, 2:] @ turn], axis=1), speed

    def _heading(self, row: NDArray[np.float64]) -> float:
        names = self._spec.features
        if "cos_h" in names and "sin_h" in names:
            return float(np.arctan2(row[names.index("sin_h")], row[names.index("cos_h")]))
        return 0.0

    def _decide(
        self, others: NDArray[np.float64], speed: float, mask: NDArray[np.bool_] | None
    ) -> str:
        def may(action: str) -> bool:
            known = action in self._labels
            return known and (mask is None or bool(mask[self._labels.index(action)]))

        if self._crossing_conflict(others, speed):
            return "SLOWER" if may("SLOWER") else "IDLE"
        gap, lead_speed = self._ahead(others, 0.0)
        closing = speed - lead_speed
        wanted = 8.0 + TIME_GAP_S * max(closing, 0.0) * 2.0
        if gap < max(wanted, speed * 0.8) and closing > -0.5:
            free = {
                label: self._lane_gap(others, side)
                for label, side in (("LANE_LEFT", -LANE_WIDTH), ("LANE_RIGHT", LANE_WIDTH))
                if may(label)
            }
            best = max(free, key=lambda label: free[label], default=None)
            if best is not None and free[best] > gap + 5.0:
                return best
            return "SLOWER" if may("SLOWER") else "IDLE"
        return "FASTER" if may("FASTER") and gap > 2.0 * max(speed, 10.0) else "IDLE"

    def _ahead(self, others: NDArray[np.float64], across: float) -> tuple[float, float]:
        """Gap to the next car ahead on the lane at an offset, m, and its speed, m/s."""
        on_lane = (np.abs(others[:, 1] - across) < LANE_WIDTH / 2) & (others[:, 0] > 0)
        if not on_lane.any():
            return np.inf, np.inf
        nearest = np.flatnonzero(on_lane)[np.argmin(others[on_lane, 0])]
        return float(others[nearest, 0]) - 5.0, float(others[nearest, 2])

    def _lane_gap(self, others: NDArray[np.float64], across: float) -> float:
        """Free road ahead on a neighbouring lane; -inf if a car is beside or just behind, m."""
        on_lane = np.abs(others[:, 1] - across) < LANE_WIDTH / 2
        behind, ahead = SIDE_GAP_M
        if (on_lane & (others[:, 0] > -behind) & (others[:, 0] < ahead * 0.5)).any():
            return -np.inf
        return self._ahead(others, across)[0]

    def _crossing_conflict(self, others: NDArray[np.float64], speed: float) -> bool:
        """Whether a car that does not drive the ego's way will be near its path too soon."""
        moving = np.hypot(others[:, 2], others[:, 3])
        crossing = (moving > 1.0) & (others[:, 2] < 0.7 * moving) & (others[:, 0] > -2.0)
        if not crossing.any():
            return False
        times = np.arange(0.0, CROSSING_HORIZON_S, 0.25)[:, None]
        cars = others[crossing]
        # The plan that is judged: go, reaching the crossing speed as highway-env's controller does.
        gained = max(CROSSING_SPEED - speed, 0.0) * RESPONSE_S * (1.0 - np.exp(-times / RESPONSE_S))
        travelled = max(speed, CROSSING_SPEED) * times - gained
        dx = cars[:, 0] + cars[:, 2] * times - travelled
        dy = cars[:, 1] + cars[:, 3] * times
        return bool((np.hypot(dx, dy) < CLEARANCE_M).any())

    def _continuous(self, rows: NDArray[np.float64]) -> NDArray[Any]:
        shape = self._space.shape or (1,)
        actions = np.zeros((len(rows), *shape), dtype=np.float32)
        if shape[-1] == 2:  # acceleration, steering
            for i, world in enumerate(rows):
                others, speed = self._frame(world)
                gap, lead = self._ahead(others, 0.0)
                braking = self._crossing_conflict(others, speed)
                if braking or gap < 5.0 + TIME_GAP_S * max(speed - lead, 0.0) * 2.0:
                    actions[i, 0] = -0.8
        return actions
