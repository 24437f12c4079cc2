"""Limit recall: a speed limit is shown once and enforced after a stretch at fixed speed.

Task
    Drive through roadworks at a fixed pace, then choose the speed for the enforced stretch: as
    fast as the sign allowed, for the time is short.
What is hidden
    The sign: `cue` names 1 of 3 limits for the first `cue_window_s` seconds.
What must be remembered
    1 of 3, for `hidden_s`.
Observation
    `vehicles` (2, 7), the ego's row alone in use, and `cue` (3,) one-hot. No time, no step count.
Actions
    SLOWER, IDLE, FASTER: 8, 11 or 14 m/s. They count once, at the end of the roadworks.
Reward
    +1 through in time, -1 faster than the limit, -1 too late.
Outcome
    success; violation (faster than the limit in the enforced stretch); timeout.
Ceiling
    1/3. The pace is the same whatever the sign said, so that the frame at the choice is the same;
    each choice is right for exactly one limit: faster breaks the limit, slower is too late.
Scenario parameters
    Memory horizon: `hidden_s`.
Source
    The T-maze (Bakker 2002) with a speed in the place of a turn.
"""

from __future__ import annotations

from typing import Any

from highway_env.road.road import LaneIndex, RoadNetwork

from drivemem_envs.cue_meaning import CueMeaning
from drivemem_envs.scenarios.shared.single_decision import (
    FASTER,
    IDLE,
    SLOWER,
    Course,
    Phase,
    Rule,
    SingleDecisionWorld,
    single_decision,
    straight,
)
from drivemem_envs.sensing.spec import Sensors

LIMITS = (8.0, 11.0, 14.0)
"""m/s."""
_BRAKING_M, _STRETCH_M = 15.0, 60.0
_END = 1000.0


class LimitRecallWorld(SingleDecisionWorld):
    """One straight lane; the choice is made at x = 0."""

    oracle_actions = (SLOWER, IDLE, FASTER)
    meaning = CueMeaning("sign", tuple(f"{limit:g} m/s" for limit in LIMITS))

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """Those of all such worlds, and this one's."""
        return {
            **super().default_config(),
            "approach_speed": 10.0,
            "seen_s": 1.0,
            "hidden_s": 5.0,
            "deadline_s": [10.2, 7.8, 6.2],
        }

    def network(self) -> RoadNetwork:
        """One lane."""
        net = RoadNetwork()
        net.add_lane("a", "b", straight((-_END, 0.0), (_END, 0.0)))
        return net

    def ego_start(self) -> tuple[LaneIndex, float]:
        """Far enough for the approach."""
        return ("a", "b", 0), _END - self.approach_m()

    def plans(self) -> list[Phase]:
        """A speed for each choice."""
        return [
            Phase(choice, 0.0, limit)
            for choice, limit in zip((SLOWER, IDLE, FASTER), LIMITS, strict=True)
        ]

    def rules(self) -> list[Rule]:
        """The limit of each latent class."""
        return [Rule(number, 0.0, float("inf"), limit) for number, limit in enumerate(LIMITS)]

    def course(self) -> Course:
        """The enforced stretch, with room to brake before it."""
        end = _BRAKING_M + _STRETCH_M
        return Course((1.0, 0.0), end, (_BRAKING_M, end))


EASY = single_decision(
    "limit-recall-easy-v0",
    f"{__name__}:LimitRecallWorld",
    rows=2,
    x_m=200.0,
    y_m=12.0,
    sensors=Sensors(cue_window_s=1.0),
    summary="a sign names 1 of 3 speed limits; it is enforced after a stretch at fixed pace",
    memory_horizon_s=5.0,
    ceiling="at the choice every observation is the same whatever the sign said",
    ceiling_success=1 / 3,
)
MEDIUM = EASY.level("medium", config={"hidden_s": 10.0}, memory_horizon_s=10.0)
HARD = EASY.level("hard", config={"hidden_s": 20.0}, memory_horizon_s=20.0)
