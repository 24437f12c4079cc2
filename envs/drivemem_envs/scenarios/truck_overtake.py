"""Truck overtake: oncoming traffic is seen while the ego is beside its lane, hidden behind a truck.

Task
    Overtake a truck on a two-way road: at once before a late oncoming car, behind an early one.
What is hidden
    The oncoming car. The ego begins in the oncoming lane, looks, and falls back behind the truck,
    which then hides the car.
What must be remembered
    When the car will be there: its position and speed when it was last seen, for `hidden_s` less
    the second in which the ego falls back. At hard a late car is beyond 400 m as long as the ego
    could see it: there it is remembered that none was seen.
Observation
    `vehicles` (4, 7) relative to the ego, and `cue` (2,), which is never shown (the twin shows it:
    early or late). No time, no step count.
Actions
    SLOWER, IDLE, FASTER. They count once: FASTER overtakes at once, SLOWER begins 2.8 s later,
    IDLE never does.
Reward
    +1 overtaken, -1 collision, -1 too late.
Outcome
    success; collision; timeout (9 s after the choice).
Ceiling
    1/2. The approach is driven for the ego, the truck's is always the same, and at the choice the
    car is hidden behind it. Who overtakes at once meets the early car, who waits for a car to pass
    meets the late one, who follows is too late; early and late are equally likely.
Scenario parameters
    Memory horizon: `hidden_s`. Difficulty: `early_s`, `late_s` (windows of the arrival).
Source
    Overtaking on two-way roads as in highway-env's two-way; windows and the single decision
    from this project's scenario studies.
"""

from __future__ import annotations

from typing import Any

from highway_env.road.road import LaneIndex, RoadNetwork

from drivemem_envs.cue_meaning import CueMeaning
from drivemem_envs.scenarios.shared.single_decision import (
    ANY,
    FASTER,
    SLOWER,
    Car,
    Course,
    Phase,
    SingleDecisionWorld,
    single_decision,
)
from drivemem_envs.scenarios.shared.two_way_road import LEFT, ONCOMING, RIGHT, two_way_road
from drivemem_envs.sensing.spec import Sensors

EARLY, LATE = range(2)
_GAP_M = 14.0
"""From the ego to the truck at the choice, m."""
_MEETING_X = 20.0
"""Where the arrival of the car is measured: m behind the place of the choice."""
_END = 1000.0


class TruckOvertakeWorld(SingleDecisionWorld):
    """A lane in each direction; the left one is the oncoming traffic's. The choice is at x = 0."""

    oracle_actions = (SLOWER, FASTER)
    meaning = CueMeaning("oncoming car", ("early", "late"))

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """Those of all such worlds, and this one's."""
        return {
            **super().default_config(),
            "approach_speed": 10.0,
            "seen_s": 1.0,
            "hidden_s": 4.0,
            "deadline_s": [9.0, 9.0],
            "early_s": [1.6, 2.2],  # arrival after the choice
            "late_s": [9.4, 10.2],
            "car_speed": [14.5, 15.5],  # [m/s]
        }

    def network(self) -> RoadNetwork:
        """The left lane is there in both directions."""
        return two_way_road(-_END, _END)

    def ego_start(self) -> tuple[LaneIndex, float]:
        """In the oncoming lane, to see past the truck."""
        return LEFT, _END - self.approach_m()

    def cars(self) -> list[Car]:
        """The truck, always the same, and the oncoming car."""
        pace = self.config["approach_speed"]
        truck = Car(RIGHT, _END + _GAP_M, ((0.0, 0.0),) * 2, ((pace, pace),) * 2, 12.0, 2.5)
        windows = self.window("early_s"), self.window("late_s")
        speed = self.window("car_speed")
        return [truck, Car(ONCOMING, _END - _MEETING_X, windows, (speed, speed))]

    def plans(self) -> list[Phase]:
        """Fall in behind the truck; then overtake at once, or later, or never."""
        pace = self.config["approach_speed"]
        overtaking = [(0.0, 18.0, LEFT), (3.8, 18.0, RIGHT)]
        return [
            Phase(ANY, self.config["seen_s"] - self.decision_time_s(), pace, RIGHT),
            *(Phase(FASTER, at, speed, lane) for at, speed, lane in overtaking),
            *(Phase(SLOWER, at + 2.8, speed, lane) for at, speed, lane in overtaking),
        ]

    def course(self) -> Course:
        """Well ahead of the truck."""
        return Course((1.0, 0.0), 115.0)


EASY = single_decision(
    "truck-overtake-easy-v0",
    f"{__name__}:TruckOvertakeWorld",
    rows=4,
    x_m=300.0,
    y_m=12.0,
    speed=40.0,
    sensors=Sensors(line_of_sight=("actors",), cue_window_s=0.0),
    summary="overtake before a late oncoming car, behind an early one that the truck hides by then",
    ceiling="at the choice the truck hides the car; one plan is right for early, one for late",
    ceiling_success=1 / 2,
)
MEDIUM = EASY.level("medium", config={"hidden_s": 7.0}, memory_horizon_s=6.0)
HARD = EASY.level("hard", config={"hidden_s": 12.0}, memory_horizon_s=11.0)
