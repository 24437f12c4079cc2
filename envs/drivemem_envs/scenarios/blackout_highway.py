"""Blackout highway: bursts without any sight in dense traffic.

Task
    Drive 15 s faster than the surrounding traffic on three lanes without a collision.
What is hidden
    Everything, in bursts: a two-state Markov process, on average 3 s of sight, 2 s dark.
What must be remembered
    Where the cars ahead were and how fast they close in, for about 2 s.
Observation
    `vehicles` (8, 7), relative to the ego.
Actions
    LANE_LEFT, IDLE, LANE_RIGHT, FASTER, SLOWER among 25, 27.5 and 30 m/s; traffic drives 21-24.
Reward
    +1 when the time is over unharmed, -1 collision, up to 0.01 for speed at every decision.
Outcome
    success: unharmed after 15 s; collision.
Ceiling
    Measured; a memory must also beat the trackers `hold_last` and `constant_velocity`.
Dials
    Memory horizon: `blackout_mean_s`. Difficulty: `vehicles_density`, `vehicles_count`.
Source
    Blackouts as "partner blindness" in PufferDrive; flicker in Hausknecht and Stone 2015.
"""

from __future__ import annotations

from drivemem_envs.scenarios.base import ObservationSpec, Scenario
from drivemem_envs.scenarios.highway_weaving import FEATURES_RANGE
from drivemem_envs.sensing.spec import Sensors

EASY = Scenario(
    name="blackout-highway-easy-v0",
    world="drivemem_envs.scenarios.highway_weaving:HighwayWeavingWorld",
    sensors=Sensors(blackout_per_s=2 / 3, blackout_mean_s=4.0),
    observation=ObservationSpec(vehicles_count=8, features_range=FEATURES_RANGE, see_behind=True),
    summary="weave through traffic while sight fails in bursts of about 2 s",
    memory_horizon_s=4.0,
    ceiling="measured: must beat hold_last and constant_velocity",
)

MEDIUM = EASY.level("medium", sensors={"blackout_mean_s": 6.0}, memory_horizon_s=6.0)
HARD = EASY.level("hard", sensors={"blackout_mean_s": 8.0}, memory_horizon_s=8.0)
