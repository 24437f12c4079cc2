"""Hidden-velocity highway: a control in which two frames are all the memory that is needed.

Task
    Drive 15 s at 36 m/s on three lanes, past traffic at 21 to 24 m/s, without a collision.
What is hidden
    The velocities of other cars.
What must be remembered
    Their previous positions, one decision (0.33 s) back.
Observation
    `vehicles` (8, 7), relative to the ego; vx and vy of others are zero.
Actions
    LANE_LEFT, IDLE, LANE_RIGHT. The speed is no choice: crawling is no way out.
Reward
    +1 when the time is over unharmed, -1 collision, 0.01 for every decision at speed.
Outcome
    success: unharmed after 15 s; collision.
Ceiling
    Measured; a frame stack must equal recurrence here, or the comparison is unsound. All cars keep
    near one speed, so that even one frame says nearly all.
Scenario parameters
    Difficulty: `vehicles_density`, `lanes_count`.
Source
    Meng et al. 2021 (LSTM-TD3): removed velocities as the mildest partial observability.
"""

from __future__ import annotations

from drivemem_envs.scenarios.shared.dense_highway import dense_highway
from drivemem_envs.sensing.spec import Sensors

EASY = dense_highway(
    "hidden-velocity-highway-easy-v0",
    sensors=Sensors(hide=("velocity",)),
    summary="control: weave through traffic whose velocities are not sensed",
    memory_horizon_s=0.33,
    ceiling="measured: a frame stack must equal recurrence",
)

# Four lanes: on three the way is often shut at higher densities, even for who sees everything.
MEDIUM = EASY.level(
    "medium", config={"lanes_count": 4, "vehicles_count": 20, "vehicles_density": 0.7}
)
HARD = EASY.level("hard", config={"lanes_count": 4, "vehicles_count": 25, "vehicles_density": 0.8})
