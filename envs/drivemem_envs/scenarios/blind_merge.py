"""Blind merge: the gap in a platoon is seen before a noise barrier hides it up to the nose.

Task
    Merge from a ramp into a platoon that makes no room, into the one gap it has.
What is hidden
    The platoon, behind a noise barrier between ramp and road from about `hidden_s` before the
    choice on.
What must be remembered
    Which of 3 places in the platoon is free, and when it will be at the nose.
Observation
    `vehicles` (8, 7) relative to the ego, and `cue` (3,), which is never shown (the twin shows it:
    first, second or third place). No time, no step count.
Actions
    SLOWER, IDLE, FASTER. They count once, 70 m before the nose: three speeds that lead to the
    third, second and first place.
Reward
    +1 merged, -1 collision, -1 too late.
Outcome
    success; collision; timeout (14 s after the choice).
Ceiling
    1/3. The approach is driven for the ego and at the choice the platoon is hidden, so that the
    frame is the same wherever the gap is; each choice leads to one place, and the gap is at each
    with equal probability.
Scenario parameters
    Memory horizon: `hidden_s`. Difficulty: `jitter_s`, by which each car may be early or late.
Source
    Merging from an on-ramp without sight, as in this project's survey of driving simulators.
"""

from __future__ import annotations

from typing import Any

import numpy as np
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
    straight,
)
from drivemem_envs.sensing.spec import Sensors

FIRST, SECOND, THIRD = range(3)
_DECISION_X, _RAMP_Y, _NOSE_X, _MERGED_X = -80.0, 12.0, -10.0, 20.0
_BARRIER_Y = 6.0
_PACE = 8.0
"""The platoon's, m/s."""
_PLACES_S = (5.4, 8.0, 10.6)
"""When each place passes the point where the ramp ends, s after the choice."""
_CARS_M = (-7.0, 0.0, 7.0)
"""Cars around the middle of an occupied place, m."""
_FAR = 600.0


class BlindMergeWorld(SingleDecisionWorld):
    """A road along y = 0; a ramp beside it that joins it at x = 20."""

    oracle_actions = (FASTER, IDLE, SLOWER)
    meaning = CueMeaning("gap", ("first place", "second place", "third place"))

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """Those of all such worlds, and this one's."""
        return {
            **super().default_config(),
            "approach_speed": 11.0,
            "deadline_s": [14.0] * 3,
            "jitter_s": 0.1,
        }

    def network(self) -> RoadNetwork:
        """Main road, and the ramp: alongside, then across."""
        net = RoadNetwork()
        start, merged, end = (-_FAR, 0.0), (_MERGED_X, 0.0), (_FAR, 0.0)
        ramp, nose = (-_FAR, _RAMP_Y), (_NOSE_X, _RAMP_Y)
        net.add_lane("a", "b", straight(start, merged))
        net.add_lane("b", "c", straight(merged, end))
        net.add_lane("r", "n", straight(ramp, nose))
        net.add_lane("n", "b", straight(nose, merged))
        return net

    def ego_start(self) -> tuple[LaneIndex, float]:
        """On the ramp."""
        return ("r", "n", 0), _FAR + _DECISION_X - self.approach_m()

    def cars(self) -> list[Car]:
        """Three cars in each place but the free one."""
        jitter, pace = self.config["jitter_s"], ((_PACE, _PACE),) * 3
        found = []
        for number in range(2):
            for offset in _CARS_M:
                places = [[k for k in range(3) if k != free][number] for free in range(3)]
                times = [_PLACES_S[place] + offset / _PACE for place in places]
                windows = tuple((time - jitter, time + jitter) for time in times)
                found.append(Car(("a", "b", 0), _FAR + _MERGED_X, windows, pace))
        return found

    def occluders(self) -> np.ndarray[Any, Any]:
        """The barrier (1, 5), as long as it hides the platoon for `hidden_s`."""
        hidden_s = self.config["hidden_s"]
        ego = _DECISION_X - self.config["approach_speed"] * hidden_s
        last = _MERGED_X - _PACE * (_PLACES_S[-1] + hidden_s) - 10.0
        begin = (ego + last) / 2
        return np.array([[(begin + _NOSE_X) / 2, _BARRIER_Y, 0.0, _NOSE_X - begin, 0.5]])

    def plans(self) -> list[Phase]:
        """Three speeds, and the platoon's in the end."""
        return [
            Phase(FASTER, 0.0, 20.0),
            Phase(FASTER, 4.4, _PACE),
            Phase(IDLE, 0.0, 13.0),
            Phase(IDLE, 7.4, _PACE),
            Phase(SLOWER, 0.0, 9.4),
            Phase(SLOWER, 10.2, _PACE),
        ]

    def course(self) -> Course:
        """Some way along the main road."""
        return Course((1.0, 0.0), 40.0)


EASY = single_decision(
    "blind-merge-easy-v0",
    f"{__name__}:BlindMergeWorld",
    rows=8,
    y_m=24.0,
    sensors=Sensors(line_of_sight=("actors", "occluders"), cue_window_s=0.0),
    summary="merge into the one gap of a platoon that a noise barrier hides",
    ceiling="at the choice the platoon is hidden; each speed leads to one of three places",
    ceiling_success=1 / 3,
)
MEDIUM = EASY.level("medium", config={"hidden_s": 6.0}, memory_horizon_s=6.0)
HARD = EASY.level("hard", config={"hidden_s": 11.0}, memory_horizon_s=11.0)
