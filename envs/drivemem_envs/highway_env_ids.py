"""Scenarios around highway-env's own single-agent ids: its task and reward, drivemem's sensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import highway_env  # noqa: F401  registers the ids
from highway_env.envs.common.observation import KinematicObservation

from drivemem_envs.registry import HIGHWAY_ENV_IDS, UnknownScenarioError
from drivemem_envs.scenario_spec import ObservationSpec, Scenario

# Time limits, s, for ids in which highway-env has none or leaves it to a wrapper.
_TIME_LIMITS = {
    "merge-v0": 40.0, "merge-v1": 40.0, "merge-generic-v0": 40.0, "merge-generic-v1": 40.0,
    "two-way-v0": 15.0, "lane-keeping-v0": 20.0,
}  # fmt: skip

# Two classes only pass a configuration to ParkingEnv's constructor and take none themselves.
_PARKING = "highway_env.envs.parking_env:ParkingEnv"
_CONSTRUCTED: dict[str, dict[str, Any]] = {
    "parking-ActionRepeat-v0": {"policy_frequency": 1, "duration": 20},
    "parking-parked-v0": {"vehicles_count": 10},
}


def from_highway_env(identifier: str, config: Mapping[str, Any] | None = None) -> Scenario:
    """See `Scenario.from_highway_env`."""
    name = identifier.removeprefix("drivemem/")
    if name not in HIGHWAY_ENV_IDS:
        reason = "drives several agents" if "multi-agent" in name else "is no id of highway-env"
        raise UnknownScenarioError(
            f"'{name}' {reason}; single-agent ids are: {', '.join(HIGHWAY_ENV_IDS)}"
        )
    world = _PARKING if name in _CONSTRUCTED else str(gymnasium.spec(name).entry_point)
    changes = {**_CONSTRUCTED.get(name, {}), **(config or {})}
    scenario = Scenario(
        name=name,
        world=world,
        config=changes,
        time_limit_s=_TIME_LIMITS.get(name),
        summary=f"highway-env's {name}: its own task, reward and observation features",
    )
    defaults = scenario.resolved_config()
    return scenario.model_copy(update={"observation": _observation(defaults["observation"])})


def _observation(native: Mapping[str, Any]) -> ObservationSpec:
    """Rows as highway-env's own Kinematics observation, or default rows beside the native one."""
    kind = native["type"]
    if kind not in ("Kinematics", "ExitObservation"):
        return ObservationSpec(native=dict(native))
    ranges = native.get("features_range")
    return ObservationSpec(
        vehicles_count=native.get("vehicles_count", 5),
        features=tuple(native.get("features") or KinematicObservation.FEATURES),
        features_range=ranges and {key: tuple(value) for key, value in ranges.items()},
        absolute=native.get("absolute", False),
        normalize=native.get("normalize", True),
        clip=native.get("clip", True),
        see_behind=native.get("see_behind", False),
        include_obstacles=native.get("include_obstacles", kind == "Kinematics"),
        observe_intentions=native.get("observe_intentions", False),
    )
