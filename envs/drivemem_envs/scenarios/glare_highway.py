"""Glare highway: drive fast through traffic that reacts while low sun blinds the sensors.

Task
    Drive 25 s on three lanes through dense traffic at 21 to 24 m/s that keeps its distances and
    changes lanes (IDM and MOBIL), unharmed and at 28 m/s on average.
What is hidden
    Everything, for some 3.5 s each time that sight fails; it fails again after some 2 s of sight.
    The speeds of others are measured badly (5 m/s), as a camera alone does.
What must be remembered
    The cars around the ego and how they move, for as long as sight fails: where it can change lanes
    to go on at speed, and where it cannot.
Observation
    `lanes`, `grid` and `ego`, in the frame of the ego's lane.
Actions
    LANE_LEFT, IDLE, LANE_RIGHT, FASTER, SLOWER; speeds of 22, 26 and 30 m/s.
Reward
    -2 collision; 0.04 for every decision at 30 m/s, less at lower speeds, nothing at 22 m/s.
Outcome
    success: unharmed after 25 s; collision. On time: success at 28 m/s or more on average.
Ceiling
    Measured. Driving at 22 m/s is safe without memory, but not on time.
Scenario parameters
    Difficulty: `vehicles_density`, `vehicles_count`; memory horizon: `sensors.blackout_mean_s`.
Source
    The world of camera-highway, at easy with fewer cars; sight that fails as in blackout-highway,
    whose traffic a filter foretells, for it keeps its lanes.
"""

from __future__ import annotations

from drivemem_envs.scenarios import camera_highway
from drivemem_envs.scenarios.shared.reactive_traffic import GLARE

EASY = camera_highway.EASY.model_copy(
    update={
        "name": "glare-highway-easy-v0",
        "config": {**camera_highway.EASY.config, "vehicles_density": 0.7},
        "sensors": GLARE,
        "summary": "drive fast through traffic that reacts while low sun blinds the sensors",
        "memory_horizon_s": 3.5,
        "tags": ("free-driving", "gated"),
    }
)
_TAGS = ("free-driving",)
MEDIUM = EASY.level("medium", config={"vehicles_density": 0.8}, tags=_TAGS)
HARD = EASY.level(
    "hard",
    config={"vehicles_density": 0.9, "vehicles_count": 22},
    sensors={"blackout_mean_s": 5.0},
    memory_horizon_s=5.0,
    tags=_TAGS,
)
