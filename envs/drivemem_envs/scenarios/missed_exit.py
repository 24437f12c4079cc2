"""Missed exit: reach the exit through dense traffic with detectors that miss cars for a while.

Task
    Start on the left lane of three, 400 m before an exit on the right, and take it, through
    traffic that is denser and slower the farther to the right it drives.
What is hidden
    Cars that the detector misses, in runs of a second and more, far away and partly hidden ones
    more often; behind the ego and beside it sight is as good as ahead.
What must be remembered
    The cars that were detected before, for as long as they are missed.
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
    Difficulty: the sensor (`missed`), `vehicles_density`.
Source
    The world of camera-exit; misses in runs, after the gaps of published trackers on nuScenes (the
    documentation of sensors says how far the presets can be trusted).
"""

from __future__ import annotations

from drivemem_envs.scenarios import camera_exit

EASY = camera_exit.EASY.model_copy(
    update={
        "name": "missed-exit-easy-v0",
        "sensors": camera_exit.EASY.sensors.changed({"sectors": (), "missed": "lidar"}),
        "summary": "reach the exit through dense traffic with a detector that misses cars",
        "memory_horizon_s": 3.0,
    }
)

MEDIUM = EASY.level("medium", sensors={"missed": "camera"})
HARD = EASY.level(
    "hard",
    sensors={"missed": "camera"},
    config={"vehicles_density": 1.8, "vehicles_count": 34},
)
