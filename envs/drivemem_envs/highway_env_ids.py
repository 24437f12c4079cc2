"""highway-env's own single-agent ids, and what drivemem must know of some; imports nothing."""

from __future__ import annotations

from typing import Any

HIGHWAY_ENV_IDS = (
    "exit-v0", "exit-v1", "highway-v0", "highway-fast-v0", "intersection-v0", "intersection-v1",
    "intersection-v2", "lane-keeping-v0", "merge-v0", "merge-v1", "merge-generic-v0",
    "merge-generic-v1", "parking-v0", "parking-ActionRepeat-v0", "parking-parked-v0",
    "racetrack-v0", "racetrack-v1", "racetrack-large-v0", "racetrack-large-v1",
    "racetrack-oval-v0", "racetrack-oval-v1", "roundabout-v0", "roundabout-v1",
    "roundabout-generic-v0", "roundabout-generic-v1", "two-way-v0", "u-turn-v0", "u-turn-v1",
)  # fmt: skip
"""Every single-agent id of highway-env 1.12; importing it to list them would import pygame."""

TIME_LIMITS_S = {
    "merge-v0": 40.0, "merge-v1": 40.0, "merge-generic-v0": 40.0, "merge-generic-v1": 40.0,
    "two-way-v0": 15.0, "lane-keeping-v0": 20.0,
}  # fmt: skip
"""Time limits, s, for ids in which highway-env has none or leaves it to a wrapper."""

PARKING_WORLD = "highway_env.envs.parking_env:ParkingEnv"
PARKING_VARIANTS: dict[str, dict[str, Any]] = {
    "parking-ActionRepeat-v0": {"policy_frequency": 1, "duration": 20},
    "parking-parked-v0": {"vehicles_count": 10},
}
"""Two classes only pass a configuration to ParkingEnv's constructor and take none themselves."""
