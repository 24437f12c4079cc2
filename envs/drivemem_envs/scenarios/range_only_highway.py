"""x"""

from __future__ import annotations

from drivemem_envs.scenarios.base import ObservationSpec, Scenario
from drivemem_envs.scenarios.highway_weaving import FEATURES_RANGE
from drivemem_envs.sensing.spec import Sensors

EASY = Scenario(
    name="range-only-highway-easy-v0",
    world="drivemem_envs.scenarios.highway_weaving:HighwayWeavingWorld",
    sensors=Sensors(range_m=50.0),
    observation=ObservationSpec(vehicles_count=8, features_range=FEATURES_RANGE, see_behind=True),
    summary="control: weave through traffic that is sensed within a short range",
    memory_horizon_s=0.0,
    ceiling="measured: memory must gain nothing",
)

MEDIUM = EASY.level("medium", sensors={"range_m": 40.0})
HARD = EASY.level("hard", sensors={"range_m": 30.0})
