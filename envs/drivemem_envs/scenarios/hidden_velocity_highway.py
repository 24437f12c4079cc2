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
    Measured; a frame stack must equal recurrence here, or the comparison is unsound. At easy four
    frames get through in .97, a GRU in .98, no memory in .98, full sensors in .98, at medium in
    .94, .95, .97 and .96, at hard in .93, .94, .96 and .94 (experiments/highway_cards, three
    training runs): all cars keep near one speed, so that not even two frames are needed.
Scenario parameters
    Difficulty: `vehicles_density`, `lanes_count`.
Source
    Meng et al. 2021 (LSTM-TD3): removed velocities as the mildest partial observability.
"""

from __future__ import annotations

from drivemem_envs.scenario_spec import ObservationSpec, Scenario
from drivemem_envs.scenarios._shared.dense_highway import FEATURES_RANGE
from drivemem_envs.sensing.spec import Sensors

EASY = Scenario(
    name="hidden-velocity-highway-easy-v0",
    world="drivemem_envs.scenarios._shared.dense_highway:DenseHighwayWorld",
    sensors=Sensors(hide=("velocity",)),
    observation=ObservationSpec(vehicles_count=8, features_range=FEATURES_RANGE, see_behind=False),
    summary="control: weave through traffic whose velocities are not sensed",
    memory_horizon_s=0.33,
    ceiling="measured: a frame stack must equal recurrence",
)

# Four lanes: on three, while traffic queued, a driver that saw everything got through in .33 at a
# density of 1.2 (200 episodes), for the way is shut.
MEDIUM = EASY.level(
    "medium", config={"lanes_count": 4, "vehicles_count": 20, "vehicles_density": 0.7}
)
HARD = EASY.level("hard", config={"lanes_count": 4, "vehicles_count": 25, "vehicles_density": 0.8})
