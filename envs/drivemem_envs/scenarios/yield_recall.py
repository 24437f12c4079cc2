"""Yield recall: how a driver approached tells whether it will yield; at the choice all look alike.

Task
    Cross a road on which one car comes: go before a driver who yields, behind one who does not.
What is hidden
    The other driver's type. A yielding one drives up slowly, another one fast; then a building
    hides the car, and when it is seen again, both are at the same place with the same speed.
What must be remembered
    The manner of its approach, for `hidden_s`.
Observation
    `vehicles` (3, 7) relative to the ego, and `cue` (2,), which is never shown (the twin shows the
    type). No time, no step count.
Actions
    SLOWER, IDLE, FASTER. They count once, 16 m before the crossing: FASTER and IDLE cross before
    the car, SLOWER waits and crosses 2.4 s later than FASTER.
Reward
    +1 crossed, -1 collision, -1 too late.
Outcome
    success; collision; timeout (6 s after the choice).
Ceiling
    1/2. The approach is driven for the ego, and at the choice the car's place and speed are fixed,
    so that the frame is the same for both types. Who goes hits the one who does not yield; who
    waits for the one who yields meets it when both start at the same time.
Scenario parameters
    Memory horizon: `hidden_s`. Difficulty: `yielding_speed`, `other_speed`.
Source
    Hidden driver types as in driving POMDPs (Bai et al. 2015, "Intention-aware online POMDP
    planning"); leaks closed as in this project's scenario studies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from highway_env.road.road import LaneIndex, RoadNetwork

from drivemem_envs.cue_meaning import CueMeaning
from drivemem_envs.scenarios.shared.crossings import (
    EGO_LANE,
    FAR,
    OTHER_LANE,
    corner_building,
    crossing,
)
from drivemem_envs.scenarios.shared.single_decision import (
    ANY,
    FASTER,
    SLOWER,
    Car,
    Course,
    Event,
    Phase,
    SingleDecisionWorld,
    single_decision,
)
from drivemem_envs.sensing.spec import Sensors

YIELDS, NEVER = range(2)
_DECISION_X, _CAR_Y, _CAR_PACE = -16.0, 16.0, 8.0
"""The same for both types: where the car is at the choice, and its speed, m and m/s."""
_NEAR = 13.0
"""Where the building begins, from the crossing along the ego's road, m."""
_BRAKES_S, _STANDS_S, _STARTS_S, _START = 0.2, 1.6, 2.0, 4.0
"""A yielding car brakes, stands, and loses patience, s after the choice; then m/s²."""


class YieldRecallWorld(SingleDecisionWorld):
    """Two straight roads that cross at the origin, and a building at one corner."""

    oracle_actions = (FASTER, SLOWER)
    meaning = CueMeaning("driver", ("yields", "does not yield"))

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """Those of all such worlds, and this one's."""
        return {
            **super().default_config(),
            "deadline_s": [6.0, 6.0],
            "yielding_speed": [5.5, 6.5],  # [m/s], while it drives up
            "other_speed": [8.5, 9.5],
        }

    def network(self) -> RoadNetwork:
        """The ego's road along x, the car's along -y."""
        return crossing()

    def ego_start(self) -> tuple[LaneIndex, float]:
        """Far enough for the approach."""
        return EGO_LANE, FAR + _DECISION_X - self.approach_m()

    def cars(self) -> list[Car]:
        """The car, near its place at the choice already."""
        speeds = self.window("yielding_speed"), self.window("other_speed")
        return [Car(OTHER_LANE, FAR - _CAR_Y, ((0.0, 0.0),) * 2, speeds)]

    def events(self) -> list[Event]:
        """Behind the building both become alike; then each does as its type does."""
        # One decision before it comes into sight, which is one before the choice.
        before_s = 2.0 / self.config["policy_frequency"]
        place = Event(ANY, -before_s, 0, None, 0.0, _CAR_Y + _CAR_PACE * before_s, _CAR_PACE)
        return [
            place,
            Event(YIELDS, _BRAKES_S, 0, -_CAR_PACE / (_STANDS_S - _BRAKES_S)),
            Event(YIELDS, _STANDS_S, 0, 0.0),
            Event(YIELDS, _STARTS_S, 0, _START),
        ]

    def occluders(self) -> np.ndarray[Any, Any]:
        """The building (1, 5), as long as it hides the car for `hidden_s`."""
        hidden_s = self.config["hidden_s"]
        ego = self.config["approach_speed"] * hidden_s - _DECISION_X
        speeds = [self.config["yielding_speed"], self.config["other_speed"]]
        return corner_building(_NEAR, ego, _CAR_Y + np.mean(speeds) * hidden_s)

    def plans(self) -> list[Phase]:
        """Go, hold the pace, or wait."""
        return [
            Phase(FASTER, 0.0, 12.0),
            Phase(SLOWER, 0.0, 2.0),
            Phase(SLOWER, 3.0, 12.0),
        ]

    def course(self) -> Course:
        """Behind the crossing."""
        return Course((1.0, 0.0), 8.0)


EASY = single_decision(
    "yield-recall-easy-v0",
    f"{__name__}:YieldRecallWorld",
    rows=3,
    sensors=Sensors(line_of_sight=("actors", "occluders"), cue_window_s=0.0),
    summary="go before a driver who yields, behind one who does not; the approach tells which",
    ceiling="at the choice both types are at the same place with the same speed",
    ceiling_success=1 / 2,
)
MEDIUM = EASY.level("medium", config={"hidden_s": 6.0}, memory_horizon_s=6.0)
HARD = EASY.level(
    "hard",
    config={"hidden_s": 11.0, "yielding_speed": [6.0, 7.0], "other_speed": [7.5, 8.5]},
    memory_horizon_s=11.0,
)
