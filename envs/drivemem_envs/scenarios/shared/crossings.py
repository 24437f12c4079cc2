"""Two straight roads that cross at the origin, and a building at one corner."""

from __future__ import annotations

from typing import Any

import numpy as np
from highway_env.road.road import LaneIndex, RoadNetwork

from drivemem_envs.scenarios.shared.single_decision import straight

FAR = 400.0
"""How far each road reaches from the crossing, m."""
EGO_LANE: LaneIndex = ("w", "e", 0)
"""Along x."""
OTHER_LANE: LaneIndex = ("s", "n", 0)
"""Along -y."""
_SETBACK, _DEPTH = 4.0, 18.0
"""From where to where the building lies beside the ego's road, m."""


def crossing() -> RoadNetwork:
    """The two roads, a lane each."""
    net = RoadNetwork()
    net.add_lane(*EGO_LANE[:2], straight((-FAR, 0.0), (FAR, 0.0)))
    net.add_lane(*OTHER_LANE[:2], straight((0.0, FAR), (0.0, -FAR)))
    return net


def corner_building(near: float, ego: float, other: float) -> np.ndarray[Any, Any]:
    """A building (1, 5) behind which a car disappears at a certain moment.

    Args:
        near: how far from the crossing it begins along the ego's road, m.
        ego: how far the ego is from the crossing at that moment, m.
        other: how far the car is, m.
    """
    far = ego - _DEPTH * ego / other
    x, y = -(near + far) / 2, (_SETBACK + _DEPTH) / 2
    return np.array([[x, y, 0.0, far - near, _DEPTH - _SETBACK]])
