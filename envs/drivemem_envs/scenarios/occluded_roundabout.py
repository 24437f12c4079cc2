"""Occluded roundabout: the island and a parked truck hide the ring that the ego enters.

Task
    Enter a roundabout through the one gap in its traffic: at once, behind a first car, or behind a
    second one.
What is hidden
    The far half of the ring behind a building on the island, the half towards the ego behind a
    truck that is parked left of the entry. Cars are seen on the right as they drive off.
What must be remembered
    When the cars that went out of sight on the right come back on the left. One in the third gap
    was seen `hidden_s` ago when the choice is made, or a little longer; one in the second some 2 s
    earlier, one in the first some 4 s.
Observation
    `vehicles` (8, 7) relative to the ego, and `cue` (3,), which is never shown (the twin shows it:
    which gap is free). No time, no step count.
Actions
    SLOWER, IDLE, FASTER. They count once, 20 m before the ring: FASTER enters at once; IDLE and
    SLOWER slow down and enter 2.2 s and 4.5 s later, all at the pace of the ring.
Reward
    +1 on the ring and clear of the entry, -1 collision, -1 too late.
Outcome
    success; collision; timeout (12 s after the choice).
Ceiling
    1/3. The approach is driven for the ego, and at the choice no car is in view, so that the frame
    is always the same; of the three gaps one is free, each equally likely.
Scenario parameters
    Memory horizon: `hidden_s`; the ring and what hides it grow with it. Difficulty: `first_s`,
    `second_s`, `third_s` (windows of arrival), `car_speed`.
Source
    Yield-at-entry roundabouts, as in highway-env's. On that ring, with free speeds, sight is not
    what decides (experiments/scenario_cards/NOTES-traffic.md).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from highway_env.road.lane import CircularLane, LineType, StraightLane
from highway_env.road.road import LaneIndex, RoadNetwork

from drivemem_envs.cue_meaning import CueMeaning
from drivemem_envs.scenarios.shared.single_decision import (
    FASTER,
    IDLE,
    SLOWER,
    Car,
    Course,
    Phase,
    SingleDecisionWorld,
    single_decision,
)
from drivemem_envs.sensing.spec import Sensors

_FAR = 400.0
"""How far the roads reach from the middle of the island, m."""
_HALF = 2.0
"""Half a lane, m: traffic drives on the right."""
_ENTRY, _TURN, _EAST, _WEST = ("s", "a", 0), ("a", "b", 0), ("b", "c", 0), ("c", "b", 0)
"""The ego's road, the bend to the ring, the ring from there on, and the ring back to there."""
_BEND = 12.0
"""Radius of the bend, m."""
_DECISION_M = 20.0
"""How far before the ring the choice is made, m."""
_HIDDEN_TURN = 4.4
"""Angle of the ring out of sight before the entry, rad: from behind the island on the right."""
_TRUCK = (6.0, 2.5, -5.0)
"""How far from the ring the truck stands, m, its width, and where it begins beside the road."""


class OccludedRoundaboutWorld(SingleDecisionWorld):
    """A one-lane ring with four arms around the origin; the ego comes from the south."""

    oracle_actions = (FASTER, IDLE, SLOWER)
    meaning = CueMeaning("gap", ("first", "second", "third"))

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """Those of all such worlds, and this one's."""
        return {
            **super().default_config(),
            "seen_s": 8.0,
            "deadline_s": [12.0, 12.0, 12.0],
            # Arrival of cars in each gap, s after the choice.
            "first_s": [2.6, 3.0],
            "second_s": [4.8, 5.2],
            "third_s": [7.0, 7.4],
            "car_speed": [9.3, 9.7],  # [m/s]
            "screen_width": 600,
            "screen_height": 800,
            "centering_position": [0.5, 0.87],
            "scaling": 5.0,
        }

    def radius(self) -> float:
        """Of the ring, m: the last car is out of sight for `hidden_s` when the choice is made."""
        way_s = self.config["third_s"][1] + self.config["hidden_s"] + 0.5
        return float(way_s * self.config["car_speed"][1] / _HIDDEN_TURN)

    def _entry(self) -> tuple[float, float]:
        """Where the bend begins, y in m, and how far east of south it meets the ring, rad."""
        across, reach = _HALF + _BEND, self.radius() + _BEND
        return math.sqrt(reach**2 - across**2), math.asin(across / reach)

    def network(self) -> RoadNetwork:
        """The ego's road, bend and ring; the other arms, which nobody uses."""
        net, radius = RoadNetwork(), self.radius()
        begin, east = self._entry()
        # Continuous lines of bends are drawn as their chords.
        edge, side = LineType.CONTINUOUS_LINE, LineType.STRIPED
        meets = math.pi / 2 - east
        middle = (_HALF + _BEND, begin)
        net.add_lane(
            *_ENTRY[:2], StraightLane([_HALF, _FAR], [_HALF, begin], line_types=(side, edge))
        )
        net.add_lane(
            *_TURN[:2],
            CircularLane(middle, _BEND, math.pi, math.pi + meets, line_types=(LineType.NONE, side)),
        )
        for lane, first in ((_EAST, meets), (_WEST, meets - math.pi)):
            ring = CircularLane(
                (0.0, 0.0), radius, first, first - math.pi, clockwise=False, line_types=(side, side)
            )
            net.add_lane(*lane[:2], ring)
        for arm, (dx, dy) in {"e": (1, 0), "n": (0, -1), "w": (-1, 0), "o": (0, 1)}.items():
            for way, shift in (("out", -_HALF), ("in", _HALF)):
                if (arm, way) == ("o", "in"):
                    continue  # the ego's road
                # Out on the right as seen from the island, in on the left.
                ends = [[r * dx + shift * dy, r * dy - shift * dx] for r in (radius + _HALF, _FAR)]
                lines = (side, edge) if way == "out" else (edge, side)
                net.add_lane(arm, f"{arm}-{way}", StraightLane(*ends, line_types=lines))
        return net

    def ego_start(self) -> tuple[LaneIndex, float]:
        """Far enough for the approach."""
        return _ENTRY, _FAR - (self.radius() + _DECISION_M) - self.approach_m()

    def cars(self) -> list[Car]:
        """Two on the ring, in two of the gaps.

        By latent class, which of the gaps is free: the first, the second, the third.
        """
        first, second, third = (self.window(f"{name}_s") for name in ("first", "second", "third"))
        pace = (self.window("car_speed"),) * 3
        at = math.pi * self.radius()
        return [
            Car(_WEST, at, windows, pace)
            for windows in ((second, first, first), (third, third, second))
        ]

    def occluders(self) -> np.ndarray[Any, Any]:
        """The building on the island and the truck (2, 5)."""
        radius = self.radius()
        edge, (away, width, begin) = radius + 6.0, _TRUCK
        length = 0.75 * radius
        return np.array(
            [
                [0.0, 0.0, 0.0, edge, edge],
                [begin - length / 2, radius + away, 0.0, length, width],
            ]
        )

    def plans(self) -> list[Phase]:
        """Go, or wait before the ring until the first or the second car is through."""
        pace = sum(self.config["car_speed"]) / 2
        return [
            Phase(FASTER, 0.0, pace),
            Phase(IDLE, 0.0, 2.0),
            Phase(IDLE, 2.8, pace),
            Phase(SLOWER, 0.0, 1.0),
            Phase(SLOWER, 5.0, pace),
        ]

    def course(self) -> Course:
        """On the ring, where the road of the entry is left behind."""
        return Course((1.0, 0.0), 0.75 * self.radius())


EASY = single_decision(
    "occluded-roundabout-easy-v0",
    f"{__name__}:OccludedRoundaboutWorld",
    rows=8,
    sensors=Sensors(line_of_sight=("occluders",), noise_speed_mps=2.0, cue_window_s=0.0),
    summary="enter a roundabout through the gap in traffic that the island and a truck hide",
    ceiling="at the choice no car is in view; of three gaps one is free, each equally likely",
    ceiling_success=1 / 3,
)
MEDIUM = EASY.level("medium", config={"hidden_s": 6.0}, memory_horizon_s=6.0)
HARD = EASY.level("hard", config={"hidden_s": 11.0}, memory_horizon_s=11.0)
