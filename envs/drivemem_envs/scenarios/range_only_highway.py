"""Range-only highway: a control in which cars are sensed near the ego only.

Task
    Drive 15 s at 36 m/s on three lanes, past traffic at 21 to 24 m/s, without a collision.
What is hidden
    Cars farther away than `range_m`.
What must be remembered
    Nothing: the ego is faster than all others, so a car that was sensed stays in range until it
    is passed.
Observation
    `vehicles` (8, 7), relative to the ego.
Actions
    LANE_LEFT, IDLE, LANE_RIGHT. The speed is no choice: crawling is no way out.
Reward
    +1 when the time is over unharmed, -1 collision, 0.01 for every decision at speed.
Outcome
    success: unharmed after 15 s; collision.
Ceiling
    Measured; a memory must gain nothing over a frame, or the comparison is unsound.
Scenario parameters
    Difficulty: `range_m`, `vehicles_density`. Memory horizon: none.
Source
    The usual limit of driving benchmarks: a sensor range, no occlusion.
"""

from __future__ import annotations

from drivemem_envs.scenarios.shared.dense_highway import dense_highway
from drivemem_envs.sensing.spec import Sensors

EASY = dense_highway(
    "range-only-highway-easy-v0",
    sensors=Sensors(range_m=50.0),
    summary="control: weave through traffic that is sensed within a short range",
    memory_horizon_s=0.0,
    ceiling="measured: memory must gain nothing",
)

MEDIUM = EASY.level("medium", sensors={"range_m": 40.0})
HARD = EASY.level("hard", sensors={"range_m": 30.0})
