"""Delayed highway: other cars are seen late.

Task
    Drive 15 s at 36 m/s on three lanes, past traffic at 21 to 24 m/s, without a collision.
What is hidden
    What happened in the last `latency_s`: others are shown where they were then. The ego knows
    its own pose and speed now. Where a car was then may be behind the ego by now; then it counts
    as passed and has no row. Of cars ahead these are the nearest: within some 12 m at easy, 34 m
    at medium, 56 m at hard.
What must be remembered
    At easy next to nothing: traffic nearly keeps its speed, so a car is where its old place and
    velocity say. At medium and hard the lanes of the nearest cars and when they will be reached,
    for about 2.4 s and 4 s.
Observation
    `vehicles` (8, 7), relative to the ego.
Actions
    LANE_LEFT, IDLE, LANE_RIGHT. The speed is no choice: crawling is no way out.
Reward
    +1 when the time is over unharmed, -1 collision, 0.01 for every decision at speed.
Outcome
    success: unharmed after 15 s; collision.
Ceiling
    Measured. At easy the frame says nearly all. At medium and hard it does not hold the nearest
    cars; ghosts of constant velocity go where they go, so a tracker may do what a memory does.
Scenario parameters
    Memory horizon: `latency_s`. Difficulty: `vehicles_density`.
Source
    Katsikopoulos and Engelbrecht 2003: decision processes with delays.
"""

from __future__ import annotations

from drivemem_envs.scenarios.shared.dense_highway import dense_highway
from drivemem_envs.sensing.spec import Sensors

EASY = dense_highway(
    "delayed-highway-easy-v0",
    sensors=Sensors(latency_s=1.0),
    summary="weave through traffic that is sensed late",
    memory_horizon_s=1.0,
    ceiling="measured",
)

MEDIUM = EASY.level("medium", sensors={"latency_s": 2.0}, memory_horizon_s=2.0)
HARD = EASY.level("hard", sensors={"latency_s": 3.0}, memory_horizon_s=3.0)
