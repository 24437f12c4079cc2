"""A road on which only what is perceived stands, for highway-env's own observations.

They read live vehicles; so what is hidden is taken off the road while they look, and what is sensed
late, noisily or not at all (velocity) is replaced by a copy that is as the sensors say.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from drivemem_envs._jit import Floats
from drivemem_envs.reference.perception import Perception
from drivemem_envs.sensing import layout


@contextmanager
def only_what_is_perceived(perception: Perception, road: Any, ego: Any) -> Iterator[None]:
    """Let the road hold the ego and the percepts of its sensors; restored on leaving.

    Args:
        perception: the sensors, after they looked at this road.
        road: highway-env's road.
        ego: the ego vehicle, which always knows itself.
    """
    vehicles, objects = road.vehicles, road.objects
    shown = _percepts_as_things(perception, road)
    ids = {id(thing): int(i) for thing, i in zip(perception.things, perception.ids, strict=True)}
    shown[ids[id(ego)]] = ego
    now = [
        [shown.pop(ids[id(t)]) for t in kind if ids[id(t)] in shown] for kind in (vehicles, objects)
    ]
    for gone in shown.values():  # remembered or sensed late, and no longer on the road
        now[0 if hasattr(gone, "action") else 1].append(gone)
    road.vehicles, road.objects = now
    try:
        yield
    finally:
        road.vehicles, road.objects = vehicles, objects


def _percepts_as_things(perception: Perception, road: Any) -> dict[int, Any]:
    """By id: the vehicle or object itself where the percept is exact, else a copy as perceived."""
    percepts = perception.percepts
    if percepts is None:
        return {}
    true = dict(zip(perception.ids.tolist(), perception.actors, strict=True))
    shown = {}
    for actor, row in zip(percepts.ids.tolist(), percepts.rows, strict=True):
        thing = perception.thing(actor)
        exact = actor in true and np.array_equal(row, true[actor], equal_nan=True)
        shown[actor] = thing if exact else _as_perceived(thing, row, road)
    return shown


def _as_perceived(thing: Any, row: Floats, road: Any) -> Any:
    """A copy of a vehicle or object with the pose and speed of a percept."""
    x, y, heading, vx, vy = (float(row[column]) for column in range(layout.VY + 1))
    if math.isnan(vx):
        vx = vy = 0.0
    if math.isnan(heading):
        heading = math.atan2(vy, vx)
    shadow = copy.copy(thing)
    shadow.position = np.array([x, y])
    shadow.heading = heading
    shadow.speed = vx * math.cos(heading) + vy * math.sin(heading)
    if getattr(shadow, "lane_index", None) is not None:
        shadow.lane_index = road.network.get_closest_lane_index(shadow.position, heading)
        shadow.lane = road.network.get_lane(shadow.lane_index)
    return shadow
