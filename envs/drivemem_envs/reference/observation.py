"""The observation of the reference backend: rows in NumPy, equal to highway-env's Kinematics.

highway-env builds them with pandas, 13 times slower (measured); values and order are the same.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from highway_env.envs.common.observation import ObservationType
from highway_env.road.lane import AbstractLane
from highway_env.vehicle.controller import MDPVehicle
from highway_env.vehicle.kinematics import Vehicle

from drivemem_envs._jit import Floats
from drivemem_envs.reference.perceived_road import only_what_is_perceived
from drivemem_envs.reference.perception import LANE_FEATURES, Perception
from drivemem_envs.scenario_spec import ObservationSpec, Scenario
from drivemem_envs.sensing import layout
from drivemem_envs.sensing.lane_views import (
    LaneViews,
    lane_parts,
    make_lane_views,
    write_lane_views,
)

Observation = dict[str, np.ndarray[Any, Any]] | np.ndarray[Any, Any]

_COLUMNS = {
    "x": layout.X, "y": layout.Y, "vx": layout.VX, "vy": layout.VY, "heading": layout.HEADING,
}  # fmt: skip
_SPREAD = ("sd_position", "sd_velocity")
_NATIVE_KEYS = {
    "OccupancyGrid": "grid",
    "TimeToCollision": "time_to_collision",
    "GrayscaleObservation": "image",
    "LidarObservation": "lidar",
    "AttributesObservation": "attributes",
}


def features_range(spec: ObservationSpec, lanes: int) -> dict[str, tuple[float, float]]:
    """What is mapped to [-1, 1]: the spec's ranges or highway-env's defaults.

    Args:
        spec: the observation's spec.
        lanes: lanes of the ego's first road.
    """
    if spec.features_range is not None:
        return dict(spec.features_range)
    reach, width = 5.0 * Vehicle.MAX_SPEED, AbstractLane.DEFAULT_WIDTH * lanes
    fast = 2.0 * Vehicle.MAX_SPEED
    return {"x": (-reach, reach), "y": (-width, width), "vx": (-fast, fast), "vy": (-fast, fast)}


class Observed(Protocol):
    """What is observed: an environment, `ReferenceEnvironment`, before and after each decision."""

    scenario: Scenario
    perception: Perception
    first_road_lanes: int
    is_made: bool
    road: Any
    vehicle: Any
    config: dict[str, Any]
    PERCEPTION_DISTANCE: float

    def perceive(self) -> None:
        """Let the sensors look at the world as it is now."""

    def cue(self) -> Floats | None:
        """(K,) what the scenario shows for a while; None: nothing."""

    def shown_cue(self) -> Floats | None:
        """What is shown of it at this decision (K,)."""

    def navigation(self) -> Floats | None:
        """What a map tells at all times (M,); None: nothing."""

    def slot_of(self, ids: Any) -> Any:
        """Rows of actors by id, with slots="fixed"."""

    def ego_x(self) -> float:
        """The x that the ego's own row shows, m."""


class DriverView(ObservationType):  # type: ignore[misc]
    """What the driver observes: rows of what is perceived, cue, navigation, and native parts.

    Args:
        env: the environment; its `perception` holds the sensors' state, because highway-env makes
            a new observation object twice in every reset.
        native: highway-env's own observation, delivered beside the rows; None: none.
        native_space: its space.
    """

    def __init__(
        self,
        env: Observed,
        native: ObservationType | None = None,
        native_space: spaces.Space[Any] | None = None,
    ) -> None:
        super().__init__(env)
        self.spec = env.scenario.observation
        self._lane_views = make_lane_views(1, self.spec.views, self.spec.grid, self.spec.lanes)
        self.native = native
        self._native_spaces: dict[str, spaces.Space[Any]] = {}
        if native is not None and native_space is not None:
            self._native_spaces = _named(env, native_space)

    @property
    def lane_views(self) -> LaneViews:
        """The views in the frame of the ego's lane as last shown, of one world."""
        return self._lane_views

    def space(self) -> spaces.Space[Any]:
        """Dict of `vehicles` (V, F), views, `cue` (K,), `navigation` (M,) and others; or a Box."""
        bound = np.tile(self._bounds(), (self.spec.vehicles_count, 1))
        parts: dict[str, Any] = {}
        if "rows" in self.spec.views:
            parts["vehicles"] = spaces.Box(-bound, bound, dtype=np.float32)
        for key, part in lane_parts(self._lane_views, self.spec.views).items():
            parts[key] = spaces.Box(-1.0, 1.0, part.shape[1:], np.float32)
        cue = self.env.cue()
        if cue is not None:
            parts["cue"] = spaces.Box(0.0, 1.0, (len(cue),), np.float32)
        told = self.env.navigation()
        if told is not None:
            parts["navigation"] = spaces.Box(0.0, 1.0, (len(told),), np.float32)
        parts |= self._native_spaces
        if not self.spec.flat:
            return spaces.Dict(parts)
        lows = np.concatenate([parts[key].low.ravel() for key in sorted(parts)])
        highs = np.concatenate([parts[key].high.ravel() for key in sorted(parts)])
        return spaces.Box(lows.astype(np.float32), highs.astype(np.float32), dtype=np.float32)

    def _bounds(self) -> np.ndarray[Any, Any]:
        """Largest magnitude of each column (F,)."""
        scaled = self.spec.normalize and self.spec.clip
        within = {"presence", "cos_h", "sin_h", "cos_d", "sin_d"}
        within |= set(features_range(self.spec, 1)) if scaled else set()
        bounds = [1.0 if feature in within else np.inf for feature in self.spec.features]
        return np.array(bounds, dtype=np.float32)

    def observe(self) -> Observation:
        """Perceive and observe; call once per decision."""
        env = self.env
        if not env.road or env.vehicle is None or not (env.is_made or self.native):
            return {}
        env.perceive()
        parts: dict[str, np.ndarray[Any, Any]] = {}
        if "rows" in self.spec.views:
            parts["vehicles"] = self._rows()
        parts |= self._lane_parts()
        cue = env.shown_cue()
        if cue is not None:
            parts["cue"] = cue
        told = env.navigation()
        if told is not None:
            parts["navigation"] = told
        parts |= self._native_parts()
        if self.spec.flat:
            return np.concatenate([parts[key].ravel() for key in sorted(parts)]).astype(np.float32)
        return parts

    def _rows(self) -> Floats:
        env, spec = self.env, self.spec
        perception = env.perception
        percepts, ego = perception.percepts, perception.actors[0]
        values = np.zeros((spec.vehicles_count, len(spec.features)))
        values[0] = self._features(ego[None], np.zeros((1, 2)), ego, own=True)[0]
        chosen, slots = self._choose(percepts.ids, percepts.rows, ego)
        if len(chosen):
            spread = np.stack([percepts.sd_position, percepts.sd_velocity], axis=1)
            values[slots] = self._features(percepts.rows[chosen], spread[chosen], ego, own=False)
        if spec.normalize:
            used = np.concatenate([[0], slots]).astype(int)
            values[used] = self._normalised(values[used])
        # What is not sensed is 0 after scaling too, whatever its range.
        return np.where(np.isnan(values), 0.0, values).astype(np.float32)

    def _choose(self, ids: Any, rows: Floats, ego: Floats) -> tuple[Any, Any]:
        """Which percepts are shown, and in which rows: `Road.close_objects_to` on percepts."""
        spec, env = self.spec, self.env
        others = spec.vehicles_count - 1
        if not len(rows) or not others:
            return np.zeros(0, int), np.zeros(0, int)
        lane, position = env.vehicle.lane, ego[[layout.X, layout.Y]]
        here = lane.local_coordinates(position)[0]
        along = np.array(
            [lane.local_coordinates(row[[layout.X, layout.Y]])[0] - here for row in rows]
        )
        near = np.linalg.norm(rows[:, [layout.X, layout.Y]] - position, axis=1)
        shown = near < env.PERCEPTION_DISTANCE
        ahead = along > -2 * env.vehicle.LENGTH
        moving = rows[:, layout.KIND] == layout.VEHICLE
        shown &= ahead | (moving & spec.see_behind)
        shown &= moving | spec.include_obstacles
        index = np.flatnonzero(shown)
        index = index[np.argsort(np.abs(along[index]), kind="stable")]
        if spec.slots == "sorted":
            index = index[:others]
            return index, np.arange(1, len(index) + 1)
        slot = env.slot_of(ids[index])
        _, first = np.unique(slot, return_index=True)  # two in one slot: the nearer is shown
        return index[first], slot[first] + 1

    def _features(self, rows: Floats, spread: Floats, ego: Floats, own: bool) -> Floats:
        spec = self.spec
        columns = []
        for feature in spec.features:
            if feature == "presence":
                column = np.ones(len(rows))
            elif feature == "cos_h":
                column = np.cos(rows[:, layout.HEADING])
            elif feature == "sin_h":
                column = np.sin(rows[:, layout.HEADING])
            elif feature in _SPREAD:
                column = spread[:, _SPREAD.index(feature)]
            elif feature in LANE_FEATURES:
                intended = feature in ("cos_d", "sin_d") and not (spec.observe_intentions or own)
                column = rows[:, LANE_FEATURES[feature]] * (0.0 if intended else 1.0)
            else:
                column = rows[:, _COLUMNS[feature]].copy()
                if not own and not spec.absolute and feature != "heading":
                    column -= ego[_COLUMNS[feature]]
            columns.append(column)
        if own and "x" in spec.features:
            columns[spec.features.index("x")] = np.array([self.env.ego_x()])
        return np.stack(columns, axis=1)

    def _normalised(self, values: Floats) -> Floats:
        ranges = features_range(self.spec, self.env.first_road_lanes)
        for column, feature in enumerate(self.spec.features):
            if feature in ranges:
                low, high = ranges[feature]
                scaled = -1 + (values[:, column] - low) * 2 / (high - low)
                values[:, column] = np.clip(scaled, -1, 1) if self.spec.clip else scaled
        return values

    def _lane_parts(self) -> dict[str, np.ndarray[Any, Any]]:
        """The views in the frame of the ego's lane."""
        shown = lane_parts(self._lane_views, self.spec.views)
        if shown:
            vehicle, perception = self.env.vehicle, self.env.perception
            rows, ego = np.ascontiguousarray(perception.percepts.rows), perception.actors[0]
            places = [vehicle.lane.local_coordinates(row[[layout.X, layout.Y]]) for row in rows]
            grid, lanes, own = (part[0] for part in self._lane_views[1:])
            write_lane_views(
                rows, np.array(places, dtype=np.float64).reshape(-1, 2), len(rows),
                np.ascontiguousarray(ego), _stance(vehicle, ego), self._lane_views.settings,
                grid, lanes, own,
            )  # fmt: skip
        return {key: part[0].copy() for key, part in shown.items()}

    def _native_parts(self) -> dict[str, np.ndarray[Any, Any]]:
        """highway-env's own observation of a road on which only what is perceived stands."""
        if self.native is None:
            return {}
        with only_what_is_perceived(self.env.perception, self.env.road, self.env.vehicle):
            observed = self.native.observe()
        named = _named(self.env, observed)
        spaced = self._native_spaces.items()
        return {key: np.array(named[key], dtype=space.dtype) for key, space in spaced}


def _stance(vehicle: Vehicle, ego: Floats) -> Floats:
    """How the ego stands in its lane, and what it aims at; see `lane_views`."""
    lane, (start, end, number) = vehicle.lane, vehicle.lane_index
    along, across = lane.local_coordinates(ego[[layout.X, layout.Y]])
    speed, aim = vehicle.speed, number
    if isinstance(vehicle, MDPVehicle):
        speed = vehicle.target_speed
        if vehicle.target_lane_index[:2] == (start, end):
            aim = vehicle.target_lane_index[2]
    lanes = len(vehicle.road.network.graph[start][end])
    values = along, across, lane.width_at(along), lane.heading_at(along), number, lanes, speed, aim
    return np.array(values, dtype=np.float64)


def _named(env: Observed, native: Any) -> dict[str, Any]:
    """Parts of a native observation, or of its space, by the keys that they have in ours."""
    if isinstance(native, spaces.Dict):
        return dict(native.spaces)
    if isinstance(native, dict):
        return native
    kind = env.config["observation"]["type"]
    return {_NATIVE_KEYS.get(kind, "native"): native}
