"""x"""

from __future__ import annotations

from drivemem_envs.scenarios.base import ObservationSpec, Scenario
from drivemem_envs.scenarios.highway_weaving import FEATURES_RANGE
from drivemem_envs.sensing.spec import Sensors

EASY = Scenario(
    name="delayed-highway-easy-v0",
    world="drivemem_envs.scenarios.highway_weaving:HighwayWeavingWorld",
    sensors=Sensors(latency_s=1.0),
    observation=ObservationSpec(vehicles_count=8, features_range=FEATURES_RANGE, see_behind=True),
    summary="weave through traffic that is sensed late",
    memory_horizon_s=1.0,
    ceiling="measured",
)

MEDIUM = EASY.level("medium", sensors={"latency_s": 1.6}, memory_horizon_s=1.6)
HARD = EASY.level("hard", sensors={"latency_s": 2.4}, memory_horizon_s=2.4)
