"""Which scenarios compile, and a clear error for all others."""

from __future__ import annotations

from functools import lru_cache

from drivemem_envs.compiled import codes
from drivemem_envs.compiled.export.supported import CompiledUnsupported, refuse
from drivemem_envs.compiled.families import Family, family_of
from drivemem_envs.compiled.perception.native_observations import native_kind
from drivemem_envs.compiled.scenes.scene_source import scene_source
from drivemem_envs.scenario_spec import Scenario


def checked_family(scenario: Scenario) -> Family:
    """The family of a scenario's task, if kernels know all of the task and the observation.

    Raises:
        CompiledUnsupported: they do not.
    """
    family = family_of(scenario)
    refuse(
        family.is_endless and scenario.time_limit_s is None,
        f"{scenario.name} has no time limit (set time_limit_s)",
    )
    action = scenario.resolved_config()["action"]["type"]
    refuse(
        family.code == codes.RACETRACK and action == "DiscreteAction",
        f"{scenario.name} rewards the norm of an action, here of its index (DiscreteAction)",
    )
    native_kind(scenario, family.code)
    return family


@lru_cache(maxsize=64)
def _reason(description: str) -> str | None:
    """Why the scenario with this JSON description does not compile; None if it does."""
    scenario = Scenario.model_validate_json(description)
    try:
        checked_family(scenario)
        scene_source(scenario, 1).close()
    except CompiledUnsupported as error:
        return str(error)
    return None


def check(scenario: Scenario) -> None:
    """Raise unless a scenario's task and a scene of it compile.

    Raises:
        CompiledUnsupported: it does not; the message says why.
    """
    reason = _reason(scenario.model_dump_json())
    if reason is not None:
        raise CompiledUnsupported(reason)
