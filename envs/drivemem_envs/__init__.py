"""Driving scenarios with imperfect sensors, as ordinary Gymnasium environments.

Importing this package registers the ids `drivemem/<scenario>` and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drivemem_envs.names import UnknownScenarioError
from drivemem_envs.registry import (
    register_gymnasium_ids,
    register_scenario,
    scenario,
    scenario_names,
)

if TYPE_CHECKING:
    from drivemem_envs.making import make, make_vec
    from drivemem_envs.scenario_spec import ObservationSpec, Scenario
    from drivemem_envs.sensing.spec import Sensors

__all__ = [
    "ObservationSpec",
    "Scenario",
    "Sensors",
    "UnknownScenarioError",
    "make",
    "make_vec",
    "register_scenario",
    "scenario",
    "scenario_names",
]

register_gymnasium_ids(scenario_names())

_HOMES = {
    "make": "making",
    "make_vec": "making",
    "Scenario": "scenario_spec",
    "ObservationSpec": "scenario_spec",
    "Sensors": "sensing.spec",
}


def __getattr__(name: str) -> Any:
    """Load on first use: building environments needs highway-env, naming them does not."""
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted([*__all__, *(name for name in globals() if name[:2] == "__")])
