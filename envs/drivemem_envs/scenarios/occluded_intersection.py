"""Occluded intersection: rows of houses at the corners hide the cross traffic until it is too late.

Task
    Cross a two-way road through the one gap in its traffic: at once, behind a first car, or behind
    a second one.
What is hidden
    The cross traffic, from both sides, behind the houses: it is seen from afar, past their backs,
    and not again until the ego is on the crossing road.
What must be remembered
    When the car from the left and the car from the right will arrive, for about `hidden_s`. Either
    one alone does not tell where the gap is.
Observation
    `vehicles` (8, 7) relative to the ego, and `cue` (3,), which is never shown (the twin shows it:
    which gap is free). No time, no step count.
Actions
    SLOWER, IDLE, FASTER. They count once, 20 m before the crossing: FASTER crosses at 12 m/s; IDLE
    and SLOWER slow down and cross 1.3 s and 3.3 s later.
Reward
    +1 crossed, -1 collision, -1 too late.
Outcome
    success; collision; timeout (8 s after the choice).
Ceiling
    1/3. The approach is driven for the ego, and at the choice no car is in view, so that the frame
    is always the same; of the three gaps one is free, each equally likely.
Scenario parameters
    Memory horizon: `hidden_s`. Difficulty: `first_s`, `second_s`, `third_s` (windows of arrival),
    `car_speed`.
Source
    Isele et al. 2018 (arXiv 1705.01196) on crossings with occlusion. Houses alone do not ask for
    memory where the ego may creep up and look (experiments/scenario_cards/NOTES-traffic.md); here
    it cannot.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from highway_env.road.lane import LineType, StraightLane
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
"""How far each road reaches from the crossing, m."""
_WEST, _EAST, _NORTH, _SOUTH = ("w", "e", 0), ("e", "w", 0), ("s", "n", 0), ("n", "s", 0)
"""The ego's lane, the opposite one, and the lanes of the cross traffic, by where they begin."""
_HALF = 2.0
"""Half a lane, m: traffic drives on the right."""
_DECISION_X = -20.0
_SETBACK, _BACK = 5.0, 13.0
"""From where to where houses lie beside the ego's road, m from its middle."""
_EAST_LENGTH = 25.0
"""Of the rows of houses behind the crossing, m."""


class OccludedIntersectionWorld(SingleDecisionWorld):
    """Two two-way roads that cross at the origin, and a row of houses at each corner."""

    oracle_actions = (FASTER, IDLE, SLOWER)
    meaning = CueMeaning("gap", ("first", "second", "third"))

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """Those of all such worlds, and this one's."""
        return {
            **super().default_config(),
            "seen_s": 3.0,
            "deadline_s": [8.0, 8.0, 8.0],
            # Arrival of cars in each gap, s after the choice.
            "first_s": [1.6, 1.9],
            "second_s": [3.0, 3.4],
            "third_s": [4.8, 5.2],
            "car_speed": [9.0, 10.0],  # [m/s]
        }

    def network(self) -> RoadNetwork:
        """A lane in each direction on either road."""
        net, lines = RoadNetwork(), (LineType.STRIPED, LineType.CONTINUOUS_LINE)
        for (start, end, _), (x, y), (dx, dy) in [
            (_WEST, (0.0, _HALF), (1.0, 0.0)),
            (_EAST, (0.0, -_HALF), (-1.0, 0.0)),
            (_NORTH, (_HALF, 0.0), (0.0, -1.0)),
            (_SOUTH, (-_HALF, 0.0), (0.0, 1.0)),
        ]:
            ends = [[x + way * dx, y + way * dy] for way in (-_FAR, _FAR)]
            net.add_lane(start, end, StraightLane(*ends, line_types=lines))
        return net

    def ego_start(self) -> tuple[LaneIndex, float]:
        """Far enough for the approach."""
        return _WEST, _FAR + _DECISION_X - self.approach_m()

    def cars(self) -> list[Car]:
        """From the right and from the left: one that is gone early, one in a gap, one that is late.

        By latent class, which of the gaps is free: the first, the second, the third.
        """
        first, second, third = (self.window(f"{name}_s") for name in ("first", "second", "third"))
        hidden = self.config["hidden_s"]
        gone = (-hidden - 1.5, -hidden - 1.0)
        late = (third[1] + 2.5, third[1] + 3.0)
        pace = (self.window("car_speed"),) * 3
        return [
            Car(lane, at, windows, pace)
            for lane, at, deciding in [
                (_NORTH, _FAR - _HALF, (second, first, first)),
                (_SOUTH, _FAR + _HALF, (third, third, second)),
            ]
            for windows in ((gone,) * 3, deciding, (late,) * 3)
        ]

    def occluders(self) -> np.ndarray[Any, Any]:
        """The houses (4, 5); before the crossing they reach as far back as `hidden_s` asks for."""
        back = -_DECISION_X + self.config["approach_speed"] * self.config["hidden_s"]
        middle, depth = (_SETBACK + _BACK) / 2, _BACK - _SETBACK
        west = back - _SETBACK
        rows = [(-(_SETBACK + back) / 2, west), (_SETBACK + _EAST_LENGTH / 2, _EAST_LENGTH)]
        return np.array(
            [[x, y, 0.0, length, depth] for x, length in rows for y in (-middle, middle)]
        )

    def plans(self) -> list[Phase]:
        """Go, or wait near the line until the first or the second car is through."""
        return [
            Phase(FASTER, 0.0, 12.0),
            Phase(IDLE, 0.0, 3.0),
            Phase(IDLE, 1.8, 12.0),
            Phase(SLOWER, 0.0, 2.0),
            Phase(SLOWER, 4.0, 12.0),
        ]

    def course(self) -> Course:
        """Behind the crossing."""
        return Course((1.0, 0.0), 10.0)


EASY = single_decision(
    "occluded-intersection-easy-v0",
    f"{__name__}:OccludedIntersectionWorld",
    rows=8,
    sensors=Sensors(line_of_sight=("actors", "occluders"), noise_speed_mps=2.0, cue_window_s=0.0),
    summary="cross through the gap in traffic that was seen before houses hid both sides",
    ceiling="at the choice no car is in view; of three gaps one is free, each equally likely",
    ceiling_success=1 / 3,
)
MEDIUM = EASY.level("medium", config={"hidden_s": 6.0}, memory_horizon_s=6.0)
HARD = EASY.level("hard", config={"hidden_s": 11.0}, memory_horizon_s=11.0)
