"""Which tasks and observations compile, and a clear error for all others."""

from __future__ import annotations

from drivemem_envs.compiled import codes
from drivemem_envs.compiled.export.supported import refuse
from drivemem_envs.compiled.families import Family, family_of, spawns
from drivemem_envs.compiled.perception.native_observations import native_kind
from drivemem_envs.scenario_spec import Scenario


def checked_family(scenario: Scenario) -> Family:
    """The family of a scenario's task, if kernels know all of the task and the observation.

    Raises:
        CompiledUnsupported: they do not.
    """
    family, config = family_of(scenario), scenario.resolved_config()
    # A task in NumPy ends where it likes; its duration says how much room an episode begins with.
    bounded = family.code == codes.BATCH_TASK and "duration" in config
    refuse(
        scenario.time_limit_s is None
        and family.is_endless
        and (not bounded or spawns(scenario.world_class())),
        f"{scenario.name} has no time limit (set time_limit_s)",
    )
    action = config["action"]["type"]
    refuse(
        family.code == codes.RACETRACK and action == "DiscreteAction",
        f"{scenario.name} rewards the norm of an action, here of its index (DiscreteAction)",
    )
    native_kind(scenario, family.code)
    return family
