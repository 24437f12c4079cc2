"""Camera highway: drive fast through traffic that reacts, with a front camera only.

Task
    Drive 25 s on three lanes through dense traffic at 21 to 24 m/s that keeps its distances and
    changes lanes (IDM and MOBIL), unharmed and at 28 m/s on average.
What is hidden
    All that a front camera of 40 degrees does not see: cars beside and behind the ego, cars close
    ahead on the next lane, cars behind cars.
What must be remembered
    The cars that the ego comes up to and that pass into the blind zone beside it, for three to five
    seconds: they are where it must change lanes to go on at speed.
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
    Difficulty: `vehicles_density`, the sector's angle.
Source
    highway-env's highway (Leurent 2018); speed against safety as in weaving through traffic.
"""

from __future__ import annotations

from drivemem_envs.scenario_spec import ObservationSpec, Scenario
from drivemem_envs.scenarios.shared.reactive_traffic import (
    FEATURES_RANGE,
    FRONT_CAMERA,
    DenseVehicle,
)

EASY = Scenario(
    name="camera-highway-easy-v0",
    world="highway_env.envs.highway_env:HighwayEnvFast",
    config={
        "action": {"type": "DiscreteMetaAction", "target_speeds": [22, 26, 30]},
        "other_vehicles_type": f"{DenseVehicle.__module__}.DenseVehicle",
        "simulation_frequency": 15,
        "policy_frequency": 3,
        "lanes_count": 3,
        "vehicles_count": 20,
        "vehicles_density": 0.8,
        "duration": 25,
        "collision_reward": -2.0,
        "high_speed_reward": 0.04,
        "right_lane_reward": 0.0,
        "reward_speed_range": [22, 30],
        "normalize_reward": False,
    },
    sensors=FRONT_CAMERA,
    observation=ObservationSpec(
        vehicles_count=10, features_range=FEATURES_RANGE, views=("lanes", "grid")
    ),
    summary="drive fast through traffic that reacts, with a front camera",
    memory_horizon_s=4.0,
    ceiling="measured",
    on_time_mps=28.0,
    tags=("free-driving",),
)

MEDIUM = EASY.level("medium", config={"vehicles_density": 0.9, "vehicles_count": 22})
HARD = EASY.level(
    "hard",
    config={"vehicles_density": 0.9, "vehicles_count": 22},
    sensors={"sectors": "0:30"},
)
