"""Blackout highway: bursts without any sight on the way past slower traffic.

Task
    Drive 15 s at 36 m/s on three lanes, past traffic at 21 to 24 m/s, without a collision.
What is hidden
    Everything, in bursts: a two-state Markov process, on average 1.5 s of sight, 3 s dark. Speeds
    are sensed with noise (5 m/s), so that one frame does not tell how a car moves on.
What must be remembered
    On which lanes the cars ahead are and how fast they close in, for about 3 s, in which the ego
    comes up to the next car. Traffic keeps its lanes and nearly its speeds, so what was seen
    stays true.
Observation
    `vehicles` (8, 7), relative to the ego; zeros but for the ego's row in the dark.
Actions
    LANE_LEFT, IDLE, LANE_RIGHT. The speed is no choice: crawling is no way out.
Reward
    +1 when the time is over unharmed, -1 collision, 0.01 for every decision at speed.
Outcome
    success: unharmed after 15 s; collision.
Ceiling
    Measured. A driver that plans on what sensors showed, with speeds as they were then, shows that
    remembering it nearly suffices. Sensed speeds are noisy, for ghosts of exact velocity would
    close much of the gap.
Scenario parameters
    Memory horizon: `blackout_mean_s`. Difficulty: `vehicles_density`.
Source
    Blackouts as "partner blindness" in PufferDrive; flicker in Hausknecht and Stone 2015.
"""

from __future__ import annotations

from drivemem_envs.scenarios.shared.dense_highway import dense_highway
from drivemem_envs.sensing.spec import Sensors

EASY = dense_highway(
    "blackout-highway-easy-v0",
    sensors=Sensors(blackout_per_s=2 / 3, blackout_mean_s=3.0, noise_speed_mps=5.0),
    summary="weave through traffic while sight fails in bursts",
    memory_horizon_s=3.0,
    ceiling="measured: must beat hold_last and constant_velocity",
)

MEDIUM = EASY.level("medium", sensors={"blackout_mean_s": 4.5}, memory_horizon_s=4.5)
HARD = EASY.level("hard", sensors={"blackout_mean_s": 6.0}, memory_horizon_s=6.0)
