"""A rule-based driver: the fastest action without a foreseen collision, and the freer lane.

It reads only the observation's rows. Behind a tracker the same rules act on what was last seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from drivemem_envs.drivers.constant import action_labels
from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.sensing.spec import Tracker

LANE_WIDTH = 4.0
"""highway-env's default lane width, m."""
TIME_GAP_S = 1.5
"""Wanted time gap to the car ahead (IDM's T, Treiber et al. 2000), s."""
HORIZON_S = (4.0, 2.0)
"""How far ahead conflicts are foreseen, s: with parallel cars, and with crossing ones, whose paths
seldom stay straight."""
SPEED_TAU_S = 0.6
"""Time constant of highway-env's speed control (ControlledVehicle.TAU_ACC), s."""
REACH_M = 5.0
"""Centres nearer than this along the ego's path are in conflict, m: a car's length and a margin."""
SIDE_M = (2.5, 3.0)
"""Centres nearer than this across the path are in conflict, m: with parallel cars (the next lane
is 4 m away) and with crossing ones."""
MARGIN_M = 9.0
"""Too near to a conflict to stop before it, beyond the braking distance, m: then clear it."""
SIDE_GAP_M = (12.0, 25.0)
"""Gap wanted behind and ahead on the lane to change to, m."""

_Others = NDArray[np.float64]


class RuleBasedDriver:
    """Chooses among highway-env's meta actions on a batch of observations.

    It goes as fast as it may while no conflict is foreseen with cars that keep their velocity;
    else it keeps its pace if that is free of conflict, or brakes; too near to a crossing to stop
    before it, it clears it. Behind a slower car it takes the freer neighbouring lane. It knows no
    routes: the ego's path and everybody's are straight.

    Args:
        scenario: gives the rows' features and ranges, and the target speeds.
        action_space: of one world.
        tracker: what fills hidden rows before the rules see them.

    Raises:
        ValueError: continuous actions, or rows without x, y, vx, vy.
    """

    def __init__(
        self, scenario: Scenario, action_space: spaces.Space[Any], tracker: Tracker = "none"
    ) -> None:
        self.tracker = tracker
        self._labels = action_labels(scenario)
        if not self._labels:
            raise ValueError(
                f"the rule-based drivers choose among lanes and speeds, and {scenario.name} has "
                "other actions: use constant:zero or random"
            )
        spec = scenario.observation
        names = ("x", "y", "vx", "vy")
        missing = set(names) - set(spec.features)
        if missing:
            raise ValueError(f"the rule-based drivers need the features {sorted(missing)}")
        self._spec = spec
        self._columns = [spec.features.index(name) for name in names]
        ranges = _ranges(scenario) if spec.normalize else {}
        self._ranges = [ranges.get(name) for name in names]
        speeds = scenario.resolved_config()["action"].get("target_speeds")
        speeds = (20.0, 25.0, 30.0) if speeds is None else speeds
        self._slowest, self._fastest = float(min(speeds)), float(max(speeds))

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
        actions = [
            self._decide(*self._frame(world), None if action_masks is None else action_masks[i])
            for i, world in enumerate(rows)
        ]
        return np.array([self._labels.index(action) for action in actions]), None

    def _rows(self, observation: Any) -> Any:
        if isinstance(observation, dict):
            if "vehicles" not in observation:
                raise ValueError(
                    f"idm reads rows, but the observation shows {', '.join(sorted(observation))}: "
                    "add 'rows' to views"
                )
            return observation["vehicles"]
        size = self._spec.vehicles_count * len(self._spec.features)
        # A flat observation joins its parts in the order of their names; rows are the last.
        return observation[:, -size:].reshape(len(observation), self._spec.vehicles_count, -1)

    def _frame(self, rows: NDArray[np.float64]) -> tuple[_Others, float]:
        """Others in the ego's frame (n, 4): along, across and their speeds; the ego's speed."""
        values = rows[:, self._columns].copy()
        for column, given in enumerate(self._ranges):
            if given is not None:
                low, high = given
                values[:, column] = low + (values[:, column] + 1.0) * (high - low) / 2.0
        ego = values[0]
        others = values[1:][np.any(rows[1:] != 0.0, axis=1)]
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

    def _decide(self, others: _Others, speed: float, mask: NDArray[np.bool_] | None) -> str:
        may = {
            label
            for index, label in enumerate(self._labels)
            if mask is None or bool(mask[index]) or label == "IDLE"
        }
        lane = self._freer_lane(others, speed, may)
        if lane is not None:
            return lane
        way = self._way_to_conflict(others, speed, self._fastest)
        if np.isinf(way):
            return "FASTER" if "FASTER" in may else "IDLE"
        stopping = max(speed - self._slowest, 0.0) * SPEED_TAU_S
        if way < stopping + MARGIN_M and self._slowest < 1.0:
            return "FASTER" if "FASTER" in may else "IDLE"  # too late: clear the crossing
        if np.isinf(self._way_to_conflict(others, speed, speed)) and speed > 3.0:
            return "IDLE"
        return "SLOWER" if "SLOWER" in may else "IDLE"

    def _way_to_conflict(self, others: _Others, speed: float, target: float) -> float:
        """How far the ego gets until it comes too near to a car, m; inf: not foreseen."""
        if not len(others):
            return np.inf
        times = np.arange(0.2, max(HORIZON_S), 0.2)
        way = target * times + (speed - target) * SPEED_TAU_S * (1 - np.exp(-times / SPEED_TAU_S))
        along = others[:, 0] + others[:, 2] * times[:, None] - way[:, None]
        across = np.abs(others[:, 1] + others[:, 3] * times[:, None])
        moving = np.hypot(others[:, 2], others[:, 3])
        crossing = (np.abs(others[:, 3]) > 0.3 * moving) & (moving > 1.0)
        # Cars that come from behind on the ego's own lane keep their distance themselves.
        follows = (others[:, 0] < 0.0) & ~crossing
        near = (np.abs(along) < REACH_M) & (across < np.where(crossing, SIDE_M[1], SIDE_M[0]))
        near &= times[:, None] < np.where(crossing, HORIZON_S[1], HORIZON_S[0])
        when = np.flatnonzero((near & ~follows).any(axis=1))
        return float(way[when[0]]) if len(when) else np.inf

    def _freer_lane(self, others: _Others, speed: float, may: set[str]) -> str | None:
        """The lane to change to when the car ahead is near and slower; None: stay."""
        gap, lead_speed = self._ahead(others, 0.0)
        closing = speed - lead_speed
        if closing <= -0.5 or gap >= max(8.0 + 2.0 * TIME_GAP_S * max(closing, 0.0), 0.8 * speed):
            return None
        free = {
            label: self._lane_gap(others, side)
            for label, side in (("LANE_LEFT", -LANE_WIDTH), ("LANE_RIGHT", LANE_WIDTH))
            if label in may
        }
        best = max(free, key=lambda label: free[label], default=None)
        return best if best is not None and free[best] > gap + 5.0 else None

    def _ahead(self, others: _Others, across: float) -> tuple[float, float]:
        """Gap to the next car ahead on the lane at an offset, m, and its speed, m/s."""
        on_lane = (np.abs(others[:, 1] - across) < LANE_WIDTH / 2) & (others[:, 0] > 0)
        if not on_lane.any():
            return np.inf, np.inf
        nearest = np.flatnonzero(on_lane)[np.argmin(others[on_lane, 0])]
        return float(others[nearest, 0]) - 5.0, float(others[nearest, 2])

    def _lane_gap(self, others: _Others, across: float) -> float:
        """Free road ahead on a neighbouring lane; -inf if a car is beside or just behind, m."""
        on_lane = np.abs(others[:, 1] - across) < LANE_WIDTH / 2
        behind, ahead = SIDE_GAP_M
        if (on_lane & (others[:, 0] > -behind) & (others[:, 0] < ahead * 0.5)).any():
            return -np.inf
        return self._ahead(others, across)[0]


def _ranges(scenario: Scenario) -> dict[str, tuple[float, float]]:
    """What the rows map to [-1, 1], by feature."""
    if scenario.observation.features_range is not None:
        return dict(scenario.observation.features_range)
    # highway-env's default range of y depends on the road, which only a world knows.
    from drivemem_envs.reference.environment import make_reference
    from drivemem_envs.reference.observation import features_range

    world = make_reference(scenario)
    ranges = features_range(scenario.observation, world.first_road_lanes)
    world.close()
    return ranges
