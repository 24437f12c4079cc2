"""From a live highway-env world to what its ego perceives, and what is true of every actor."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivemem_envs._jit import Floats, Ints
from drivemem_envs.batch_task import seed_of
from drivemem_envs.sensing import layout
from drivemem_envs.sensing.pipeline import Percepts, SensorState
from drivemem_envs.sensing.spec import Sensors, Tracker

# Columns behind sensing's own: what some of highway-env's features need of an actor's lane.
COS_D, SIN_D, LONG_OFF, LAT_OFF, ANG_OFF = range(layout.COLUMNS, layout.COLUMNS + 5)
LANE_FEATURES = {
    "cos_d": COS_D, "sin_d": SIN_D, "long_off": LONG_OFF, "lat_off": LAT_OFF, "ang_off": ANG_OFF,
}  # fmt: skip

_MARK = "drivemem_mark"
"""Attribute of vehicles and objects: number of the episode, id in it."""


class Perception:
    """The sensors of one environment: identities, percepts and truth at each decision.

    Args:
        sensors: limits on perception.
        decision_s: decision period, s.
        tracker: what fills the rows of actors that are not perceived.
        track_s: for how long it does so, s.
        lane_features: whether the observation needs `LANE_FEATURES` (they cost projections).
    """

    def __init__(
        self,
        sensors: Sensors,
        decision_s: float,
        tracker: Tracker,
        track_s: float,
        lane_features: bool,
    ) -> None:
        self._state = SensorState(sensors, decision_s, tracker, track_s)
        self._lane_features = lane_features
        self.reset(np.random.default_rng(0), np.zeros((0, layout.OCCLUDER_COLUMNS)))

    def reset(self, generator: np.random.Generator, occluders: Floats) -> None:
        """Begin an episode.

        Args:
            generator: the world's, after its scene was made. It is looked at, not drawn from, so
                that a twin's traffic and highway-env's own are the same.
            occluders: (K, 5) x, y, heading, length, width; m, rad.
        """
        self.seed = seed_of(generator)
        self._state.reset(self.seed)
        self.occluders = occluders
        self._episode = getattr(self, "_episode", 0) + 1
        self._known: dict[int, Any] = {}
        self._vehicles = self._objects = 0
        self.percepts: Percepts | None = None

    @property
    def is_dark(self) -> bool:
        """Whether a blackout is on."""
        return self._state.is_dark

    def identify(self, thing: Any, ego: Any, is_object: bool) -> int:
        """A stable id of a vehicle or object: the ego is 0, others count in order of appearance."""
        if thing is ego:
            return 0
        # The mark is on the thing itself, so that it stays with it in a deep copy of the world.
        episode, actor = getattr(thing, _MARK, (0, 0))
        if episode != self._episode:
            if is_object:
                actor = layout.FIRST_OBJECT_ID + self._objects
                self._objects += 1
            else:
                self._vehicles += 1
                actor = self._vehicles
            setattr(thing, _MARK, (self._episode, actor))
            self._known[actor] = thing
        return int(actor)

    def thing(self, actor: int) -> Any:
        """The vehicle or object that has an id; it may have left the road."""
        return self._known[actor]

    def look(self, road: Any, ego: Any) -> Percepts:
        """Perceive the world at the next decision; call once per decision.

        Args:
            road: highway-env's road, with vehicles and objects.
            ego: the ego vehicle.
        """
        others = [vehicle for vehicle in road.vehicles if vehicle is not ego]
        things = [ego, *others, *road.objects]
        objects = {id(thing) for thing in road.objects}
        self.things = things
        self.ids: Ints = np.array(
            [self.identify(thing, ego, id(thing) in objects) for thing in things], dtype=np.int64
        )
        self.actors = np.array([self._columns(thing) for thing in things], dtype=np.float64)
        self.percepts = self._state.sense(self.ids, self.actors, ego=0, occluders=self.occluders)
        self.crashed = np.array([bool(thing.crashed) for thing in things])
        self.speeds = np.array([float(thing.speed) for thing in things])
        return self.percepts

    def _columns(self, thing: Any) -> list[float]:
        kind = layout.VEHICLE
        vx, vy = 0.0, 0.0
        if hasattr(thing, "action"):  # a vehicle; obstacles and landmarks have none
            vx, vy = thing.velocity
        else:
            kind = layout.OBSTACLE if thing.solid else layout.LANDMARK
        columns = [
            thing.position[0], thing.position[1], thing.heading, vx, vy, thing.LENGTH,
            thing.WIDTH, kind,
        ]  # fmt: skip
        if self._lane_features:
            moving = kind == layout.VEHICLE
            destination = thing.destination_direction if moving else (0.0, 0.0)
            offset = thing.lane_offset if moving else (np.nan, np.nan, np.nan)
            columns += [*destination, *offset]
        return columns

    def truth(self) -> dict[str, np.ndarray[Any, Any]]:
        """What is true of every actor at the decision last perceived, ego first.

        Returns:
            Arrays (A,): `id`, `kind` (0 vehicle, 1 obstacle, 2 landmark), `x`, `y` m, `heading`
            rad, `speed` m/s, `length`, `width` m, `crashed`, `visible_fraction` (share of sight
            rays, geometry only), `perceived` (the newest percepts hold it), `age_s` (of the
            newest information; inf: never perceived), `ghost_x`, `ghost_y` m, `ghost_heading` rad
            (where a tracker places what is not perceived; nan: nowhere).

        Raises:
            RuntimeError: before the first reset.
        """
        if self.percepts is None:
            raise RuntimeError("there is no truth before reset(); call it first")
        actors = self.actors
        return {
            "id": self.ids.copy(),
            "kind": actors[:, layout.KIND].astype(np.int64),
            "x": actors[:, layout.X].copy(),
            "y": actors[:, layout.Y].copy(),
            "heading": actors[:, layout.HEADING].copy(),
            "speed": self.speeds.copy(),
            "length": actors[:, layout.LENGTH].copy(),
            "width": actors[:, layout.WIDTH].copy(),
            "crashed": self.crashed.copy(),
            "visible_fraction": self.percepts.visible_fraction.copy(),
            "perceived": self.percepts.perceived.copy(),
            "age_s": self.percepts.actor_age_s.copy(),
            "ghost_x": self.percepts.ghosts[:, 0].copy(),
            "ghost_y": self.percepts.ghosts[:, 1].copy(),
            "ghost_heading": self.percepts.ghosts[:, 2].copy(),
        }
