"""Signal recall: when the light changed was seen through a gap between trucks.

Task
    Pass a stop line while the light is green: at once, or one cycle later.
What is hidden
    The light, on the far left, behind a passing freight train from `seen_s` on.
What must be remembered
    When the red light went out before the train came: the phase of its clock, for `hidden_s`.
Observation
    `vehicles` (4, 7) relative to the ego: the train, and the red light as an object (no row: green
    or hidden); `cue` (2,), never shown (the twin shows the phase). No time, no step count.
Actions
    SLOWER, IDLE, FASTER. They count once, 16 m before the line: FASTER passes it in time for
    the late green, SLOWER slows down and passes it 3.2 s later. IDLE comes on red in either phase.
Reward
    +1 passed on green, -1 passed on red, -1 too late.
Outcome
    success; violation (over the line on red); timeout.
Ceiling
    1/2. The approach is driven for the ego and the train keeps one schedule whatever the phase;
    at the choice the light is hidden. Going is right for the late phase only (the light is still
    green), waiting for the early one only (green again), and both are equally likely.
Scenario parameters
    Memory horizon: `hidden_s`.
Source
    Traffic lights seen intermittently, as in this project's scenario studies.
"""

from __future__ import annotations

from typing import Any

from highway_env.road.road import LaneIndex, RoadNetwork

from drivemem_envs.cue_meaning import CueMeaning
from drivemem_envs.scenarios.shared.single_decision import (
    FASTER,
    SLOWER,
    Car,
    Course,
    Event,
    Phase,
    Rule,
    SingleDecisionWorld,
    single_decision,
    straight,
)
from drivemem_envs.sensing.spec import Sensors

EARLY, LATE = range(2)
_DECISION_X, _LIGHT = -16.0, (14.0, 10.0)
_TRACK_Y, _TRAIN_WIDTH, _TRAIN_PACE = 4.0, 2.5, 10.0
_RED_AGAIN_S = 0.95
"""When the light of the early phase turns red again, after the choice: before FASTER gets there."""
_END = 1000.0
_AWAY = (10.0 * _END, 0.0)


class SignalRecallWorld(SingleDecisionWorld):
    """A lane with a stop line at x = 0, and a track beside it."""

    oracle_actions = (SLOWER, FASTER)
    meaning = CueMeaning("light", ("early phase", "late phase"))

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """Those of all such worlds, and this one's."""
        return {
            **super().default_config(),
            "seen_s": 2.4,
            "hidden_s": 3.0,
            "deadline_s": [7.0, 7.0],
            "change_s": [0.6, 1.8],  # from the start until the light turns green
            "red_s": 3.0,
        }

    def network(self) -> RoadNetwork:
        """The ego's lane and the track."""
        net = RoadNetwork()
        net.add_lane("w", "e", straight((-_END, 0.0), (_END, 0.0)))
        net.add_lane("te", "tw", straight((_END, _TRACK_Y), (-_END, _TRACK_Y)))
        return net

    def ego_start(self) -> tuple[LaneIndex, float]:
        """Far enough for the approach."""
        return ("w", "e", 0), _END + _DECISION_X - self.approach_m()

    def cars(self) -> list[Car]:
        """The train: its head meets the line of sight when the light is to be hidden."""
        hidden_s = self.config["hidden_s"]
        ego = _DECISION_X - self.config["approach_speed"] * hidden_s
        far_side = (_TRACK_Y + _TRAIN_WIDTH / 2) / _LIGHT[1]
        head = ego + far_side * (_LIGHT[0] - ego) - _TRAIN_PACE * hidden_s
        tail = -_DECISION_X / 2
        middle, now = (head + tail) / 2, ((0.0, 0.0),) * 2
        pace = ((_TRAIN_PACE, _TRAIN_PACE),) * 2
        length, lane = tail - head, ("te", "tw", 0)
        return [Car(lane, _END - middle, now, pace, length=length, width=_TRAIN_WIDTH)]

    def signs(self) -> list[tuple[float, float]]:
        """The red light."""
        return [_LIGHT]

    def _red_again_s(self) -> tuple[float, float]:
        """When the light turns red again, s after the choice, by phase."""
        early, late = self.config["change_s"]
        return _RED_AGAIN_S, _RED_AGAIN_S + late - early

    def events(self) -> list[Event]:
        """Green is a light that is not there."""
        changes, again = self.config["change_s"], self._red_again_s()
        found = []
        for phase in (EARLY, LATE):
            found.append(Event(phase, changes[phase] - self.decision_time_s(), 1, None, *_AWAY))
            found.append(Event(phase, again[phase], 1, None, *_LIGHT))
            found.append(Event(phase, again[phase] + self.config["red_s"], 1, None, *_AWAY))
        return found

    def rules(self) -> list[Rule]:
        """Red."""
        red_s = self.config["red_s"]
        return [Rule(k, red, red + red_s, 0.0) for k, red in enumerate(self._red_again_s())]

    def plans(self) -> list[Phase]:
        """Go, hold the pace, or wait for the next green."""
        return [
            Phase(FASTER, 0.0, 12.0),
            Phase(SLOWER, 0.0, 2.0),
            Phase(SLOWER, 4.0, 12.0),
        ]

    def course(self) -> Course:
        """The stop line, and some way behind it."""
        return Course((1.0, 0.0), 6.0, (-1.0, 2.0))


EASY = single_decision(
    "signal-recall-easy-v0",
    f"{__name__}:SignalRecallWorld",
    rows=4,
    x_m=100.0,
    y_m=20.0,
    sensors=Sensors(line_of_sight=("actors",), cue_window_s=0.0),
    summary="pass a light whose clock was seen before a train hid it",
    ceiling="at the choice the light is hidden; going is right for one phase, waiting for one",
    ceiling_success=1 / 2,
)
MEDIUM = EASY.level("medium", config={"hidden_s": 6.0}, memory_horizon_s=6.0)
HARD = EASY.level("hard", config={"hidden_s": 11.0}, memory_horizon_s=11.0)
