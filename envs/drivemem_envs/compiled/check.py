"""Which worlds' tasks the kernels know, and a clear error for all others."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

from drivemem_envs.compiled.export.supported import CompiledUnsupported, refuse
from drivemem_envs.compiled.perception.native_observations import native_kind
from drivemem_envs.compiled.tasks import custom_tasks as own
from drivemem_envs.compiled.tasks import reward as tasks
from drivemem_envs.scenario_spec import Scenario

# Methods that make a task: a subclass with one of its own is another task.
_TASK_METHODS = (
    "step", "_simulate", "_reward", "_rewards", "_agent_reward", "_agent_rewards",
    "_is_terminated", "_is_truncated", "_is_success", "_agent_is_terminal", "has_arrived",
    "is_success", "is_wrong_route", "is_violation", "cue", "latent", "ego_x",
    "_clear_vehicles", "_spawn_vehicle",
)  # fmt: skip

# drivemem's own worlds whose changes the kernels know, and their family.
_OWN = {
    **{world.path: world.family for world in own.WORLDS},
    "drivemem_envs.scenarios._shared.dense_highway:DenseHighwayWorld": tasks.HIGHWAY,
}

_COMPILED = (
    tasks.HIGHWAY, tasks.EXIT, tasks.MERGE, tasks.ROUNDABOUT, tasks.INTERSECTION, tasks.TWO_WAY,
    tasks.U_TURN, tasks.RACETRACK, *(world.family for world in own.WORLDS),
)  # fmt: skip


def family_of(scenario: Scenario) -> float:
    """The code of a scenario's task.

    Raises:
        CompiledUnsupported: the kernels do not know it, or not its observation.
    """
    world = scenario.world_class()
    own = {_resolve(path): code for path, code in _OWN.items()}
    families = {_resolve(family.path): family.code for family in reversed(tasks.FAMILIES)}
    known = {**families, **own}
    for base in world.__mro__:
        if base in known:
            family = known[base]
            break
        changed = [name for name in _TASK_METHODS if name in vars(base)]
        refuse(bool(changed), f"{base.__name__} has {', '.join(changed)} of its own")
    else:
        refuse(True, f"{world.__name__} has a task of its own")
    names = {code: path for path, code in ((f.path, f.code) for f in tasks.FAMILIES)}
    refuse(
        family not in _COMPILED,
        f"{scenario.name} has the task of {names.get(family, world.__name__).split(':')[-1]}",
    )
    refuse(
        tasks.is_endless(family) and scenario.time_limit_s is None,
        f"{scenario.name} has no time limit (set time_limit_s)",
    )
    action = scenario.resolved_config()["action"]["type"]
    refuse(
        family == tasks.RACETRACK and action == "DiscreteAction",
        f"{scenario.name} rewards the norm of an action, here of its index (DiscreteAction)",
    )
    native_kind(scenario, family)
    return family


@lru_cache(maxsize=64)
def _checked(description: str) -> str | None:
    """Why the scenario with this JSON description does not compile; None if it does."""
    from drivemem_envs.compiled.resets.scene_source import scene_source

    scenario = Scenario.model_validate_json(description)
    try:
        family_of(scenario)
        scene_source(scenario, 1).close()
    except CompiledUnsupported as error:
        return str(error)
    return None


def check(scenario: Scenario) -> None:
    """Raise unless a scenario's task and a scene of it compile.

    Raises:
        CompiledUnsupported: it does not; the message says why.
    """
    reason = _checked(scenario.model_dump_json())
    if reason is not None:
        raise CompiledUnsupported(reason)


def _resolve(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
