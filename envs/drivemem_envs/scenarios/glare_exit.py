"""Glare exit: reach the exit through traffic while low sun blinds the sensors for seconds.

Task
    Start on the left lane of three, 400 m before an exit on the right, and take it, through
    traffic that is slower the farther to the right it drives.
What is hidden
    Everything, for some 3.5 s each time that sight fails; it fails again after some 2 s of sight.
    The speeds of others are measured badly (5 m/s), as a camera alone does.
What must be remembered
    The cars around the ego and how they move, for as long as sight fails. Whoever waits for sight
    with every change of lanes comes too late for the exit, or drives into the car ahead.
Observation
    `lanes`, `grid` and `ego`, in the frame of the ego's lane, and `navigation` (1,): the distance
    to the exit over 500 m, at all times.
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
    Difficulty: `vehicles_density`, `vehicles_count`; memory horizon: `sensors.blackout_mean_s`.
Source
    The world of camera-exit; sight that fails as in blackout-highway.
"""

from __future__ import annotations

from drivemem_envs.scenarios import camera_exit
from drivemem_envs.scenarios.shared.reactive_traffic import GLARE

EASY = camera_exit.EASY.model_copy(
    update={
        "name": "glare-exit-easy-v0",
        "config": {"vehicles_density": 1.0, "vehicles_count": 24},
        "sensors": GLARE,
        "summary": "reach the exit through traffic while low sun blinds the sensors for seconds",
        "memory_horizon_s": 3.5,
        "tags": ("free-driving", "gated"),
    }
)

MEDIUM = EASY.level(
    "medium", config={"vehicles_density": 1.3, "vehicles_count": 28}, tags=("free-driving",)
)
HARD = EASY.level(
    "hard",
    config={"vehicles_density": 1.3, "vehicles_count": 28},
    sensors={"blackout_mean_s": 5.0},
    memory_horizon_s=5.0,
    tags=("free-driving",),
)
