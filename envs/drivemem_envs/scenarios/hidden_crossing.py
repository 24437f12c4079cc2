"""Hidden crossing: a crossing truck is seen early, then hidden until it is too late to react.

Task
    Cross a road on which one truck comes: go before a late one, let an early one pass.
What is hidden
    The truck, behind a long building at the corner, from about `hidden_s` before the choice on.
What must be remembered
    When the truck will arrive: its position and speed when it was last seen, `hidden_s` ago.
Observation
    `vehicles` (3, 7) relative to the ego, and `cue` (2,), which is never shown (the twin shows it:
    early or late). No time, no step count.
Actions
    SLOWER, IDLE, FASTER. They count once, 16 m before the crossing: FASTER crosses at 12 m/s,
    IDLE at 8, SLOWER slows down to 3 m/s and crosses 2.0 s later than FASTER.
Reward
    +1 crossed, -1 collision, -1 too late.
Outcome
    success; collision; timeout (5 s after the choice).
Ceiling
    1/2. The approach is driven for the ego, and at the choice the truck is hidden, so that the
    frame is the same for early and late ones; who goes is right for late ones only, who waits for
    early ones only, and both are equally likely.
Scenario parameters
    Memory horizon: `hidden_s`. Difficulty: `early_s`, `late_s` (windows of the arrival).
Source
    Isele et al. 2018 (arXiv 1705.01196) on crossings with occlusion; windows and the single
    decision from this project's scenario studies (a truck that can be waited out hides little).
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
    FASTER,
    SLOWER,
    Car,
    Course,
    Phase,
    SingleDecisionWorld,
    single_decision,
)
from drivemem_envs.sensing.spec import Sensors

EARLY, LATE = range(2)
_DECISION_X = -16.0


class HiddenCrossingWorld(SingleDecisionWorld):
    """Two straight roads that cross at the origin, and a building at one corner."""

    oracle_actions = (SLOWER, FASTER)
    meaning = CueMeaning("truck", ("early", "late"))

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """Those of all such worlds, and this one's."""
        return {
            **super().default_config(),
            "early_s": [1.8, 2.2],  # arrival after the choice
            "late_s": [3.0, 3.4],
            "truck_speed": [9.0, 10.0],  # [m/s]
        }

    def network(self) -> RoadNetwork:
        """The ego's road along x, the truck's along -y."""
        return crossing()

    def ego_start(self) -> tuple[LaneIndex, float]:
        """Far enough for the approach."""
        return EGO_LANE, FAR + _DECISION_X - self.approach_m()

    def cars(self) -> list[Car]:
        """The truck."""
        speed = self.window("truck_speed")
        windows = self.window("early_s"), self.window("late_s")
        return [Car(OTHER_LANE, FAR, windows, (speed, speed), length=10.0, width=2.5)]

    def occluders(self) -> np.ndarray[Any, Any]:
        """The building (1, 5), as long as it hides the truck for `hidden_s`."""
        hidden_s, pace = self.config["hidden_s"], self.config["approach_speed"]
        ego = pace * hidden_s - _DECISION_X
        truck = np.mean(self.config["truck_speed"]) * (
            hidden_s + np.mean([self.config["early_s"], self.config["late_s"]])
        )
        return corner_building(4.0, ego, truck)

    def plans(self) -> list[Phase]:
        """Go, hold the pace, or wait."""
        return [
            Phase(FASTER, 0.0, 12.0),
            Phase(SLOWER, 0.0, 3.0),
            Phase(SLOWER, 2.8, 12.0),
        ]

    def course(self) -> Course:
        """Behind the crossing."""
        return Course((1.0, 0.0), 8.0)


EASY = single_decision(
    "hidden-crossing-easy-v0",
    f"{__name__}:HiddenCrossingWorld",
    rows=3,
    sensors=Sensors(line_of_sight=("actors", "occluders"), cue_window_s=0.0),
    summary="cross before a late truck, behind an early one; which it is was seen before the wall",
    ceiling="at the choice the truck is hidden and the frame the same for early and late",
    ceiling_success=1 / 2,
)
MEDIUM = EASY.level("medium", config={"hidden_s": 6.0}, memory_horizon_s=6.0)
HARD = EASY.level("hard", config={"hidden_s": 11.0}, memory_horizon_s=11.0)
