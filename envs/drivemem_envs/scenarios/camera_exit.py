"""Camera exit: reach the exit through dense traffic with a front camera only.

Task
    Start on the left lane of three, 400 m before an exit on the right, and take it, through
    traffic that is denser and slower the farther to the right it drives.
What is hidden
    All that a front camera of 40 degrees does not see: cars beside and behind the ego, cars close
    ahead on the next lane, cars behind cars.
What must be remembered
    The cars that the ego comes up to and that pass into the blind zone beside it, for a few
    seconds: they are where it must change lanes.
Observation
    `lanes`, `grid` and `ego`, in the frame of the ego's lane, and `navigation` (1,): the
    distance to the exit over 500 m, at all times.
Actions
    LANE_LEFT, IDLE, LANE_RIGHT, FASTER, SLOWER; speeds of 16, 20, 24 and 28 m/s.
Reward
    +1 on the exit lane, -1 collision, nothing for a missed exit; for every decision 0.01 for each
    lane to the left of the ego's, and 0.005 at 28 m/s, less at lower speeds.
Outcome
    success: on the exit lane, which ends the episode; wrong_route: past the exit; collision;
    timeout.
Ceiling
    Measured.
Scenario parameters
    Difficulty: `vehicles_density`, `vehicles_count`.
Source
    highway-env's exit (Leurent 2018), whose episode goes on behind the exit, where a right exit
    can still run off the ramp; here it ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from highway_env.envs.exit_env import ExitEnv

from drivemem_envs.batch_task import BatchTask, Floats, LaneIndex, Moment, TaskWorld, Verdict
from drivemem_envs.cue_meaning import CueMeaning
from drivemem_envs.outcomes import EXIT_X
from drivemem_envs.scenario_spec import ObservationSpec, Scenario
from drivemem_envs.scenarios.shared.reactive_traffic import FEATURES_RANGE, FRONT_CAMERA


class ExitTask(BatchTask):
    """Be on the exit lane; see the module's docstring."""

    terms = ("collision_reward", "goal_reward", "right_lane_reward", "high_speed_reward")
    navigation_size = 1
    state_size = 1

    def __init__(self, config: Mapping[str, Any], lane_indices: Sequence[LaneIndex]) -> None:
        super().__init__(config, lane_indices)
        self._numbers = np.array([number for _, _, number in lane_indices])
        exits = [("1", "2", config["lanes_count"]), ("2", "exit", 0)]
        self._exits = [row for row, index in enumerate(lane_indices) if index in exits]

    def begin(self, drawn: Floats) -> Floats:
        """The distance that is left, m; where the ego starts it is not known yet."""
        return np.full((len(drawn), 1), EXIT_X)

    def judge(self, moment: Moment, drawn: Floats, state: Floats) -> Verdict:
        """Reached, missed, crashed, or on the way."""
        reached = np.isin(moment.lane, self._exits) & ~moment.crashed
        missed = ~reached & (moment.x > EXIT_X)
        late = moment.time_s >= self.config["duration"] - 1e-9
        state[:, 0] = EXIT_X - moment.x
        low, high = self.config["reward_speed_range"]
        fast = np.clip((moment.speed - low) / (high - low), 0.0, 1.0)
        return Verdict(
            np.stack(
                [moment.crashed, reached, self._numbers[moment.target_lane], fast], axis=1
            ).astype(np.float64),
            terminated=moment.crashed | reached | missed,
            truncated=late,
            success=reached,
            wrong_route=missed,
            violation=np.zeros(len(late), dtype=bool),
        )

    def navigation(self, drawn: Floats, state: Floats) -> Floats:
        """Distance to the exit over its distance from the start of the road (N, 1)."""
        return np.clip(state / EXIT_X, 0.0, 1.0)


class CameraExitWorld(TaskWorld, ExitEnv):  # type: ignore[misc]
    """highway-env's exit, which ends on the exit lane or past it."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """highway-env's defaults and this world's parameters."""
        config: dict[str, Any] = super().default_config()
        config.update(
            {
                "action": {"type": "DiscreteMetaAction", "target_speeds": [16, 20, 24, 28]},
                "simulation_frequency": 15,
                "policy_frequency": 3,
                "lanes_count": 3,
                "vehicles_count": 28,
                "vehicles_density": 1.5,
                "duration": 30,  # [s]
                "collision_reward": -1.0,
                "goal_reward": 1.0,
                "right_lane_reward": 0.01,
                "high_speed_reward": 0.005,
                "reward_speed_range": [16, 28],
                "normalize_reward": False,
            }
        )
        return config

    @classmethod
    def make_task(cls, config: Mapping[str, Any], lane_indices: Sequence[LaneIndex]) -> BatchTask:
        """See `ExitTask`."""
        return ExitTask(config, lane_indices)

    def cue_meaning(self) -> CueMeaning:
        """The only exit, on the map at all times."""
        return CueMeaning("map", ("exit",), ((("1", "2", self.config["lanes_count"]),),))


EASY = Scenario(
    name="camera-exit-easy-v0",
    world=f"{__name__}:CameraExitWorld",
    sensors=FRONT_CAMERA,
    observation=ObservationSpec(
        vehicles_count=10, features_range=FEATURES_RANGE, views=("lanes", "grid")
    ),
    summary="reach the exit through dense traffic with a front camera",
    memory_horizon_s=4.0,
    ceiling="measured",
    tags=("free-driving",),
)

MEDIUM = EASY.level("medium", config={"vehicles_density": 1.8, "vehicles_count": 34})
HARD = EASY.level(
    "hard",
    config={"vehicles_density": 1.8, "vehicles_count": 34},
    sensors={"sectors": "0:30"},
)
