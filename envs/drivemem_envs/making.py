"""Building environments: one world, or many at once, on either backend."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from time import monotonic
from typing import Any, Literal

import gymnasium

from drivemem_envs.registry import scenario as named_scenario
from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.seeding import EpisodeSeeds

# From benchmarks/results/simulation.md: one thread, highway-env's own scenarios with traffic.
_COMPILED_PER_S = "4,000 to 40,000"
_MEASURED = (200, 0.5)
"""Decisions or seconds, whichever ends first."""

Backend = Literal["reference", "compiled"]
VecBackend = Literal["auto", "reference", "compiled"]


def resolve(scenario: Scenario | str, **changes: Any) -> Scenario:
    """A scenario by name with changes; see `Scenario.with_`."""
    found = named_scenario(scenario) if isinstance(scenario, str) else scenario
    return found.with_(**changes)


def make(
    scenario: Scenario | str,
    *,
    backend: Backend = "reference",
    render_mode: str | None = None,
    **changes: Any,
) -> gymnasium.Env[Any, Any]:
    """Build one environment.

    Args:
        scenario: a scenario or its name.
        backend: only "reference" steps a single world.
        render_mode: None, "human" or "rgb_array".
        changes: sensors, slots, tracker, flat, observation, config; see `Scenario.with_`.

    Raises:
        ValueError: unknown names or values.
    """
    from drivemem_envs.reference.environment import make_reference

    if backend != "reference":
        raise ValueError(
            f"backend '{backend}' steps many worlds at once: use gymnasium.make_vec or "
            f"make_vec(..., backend='{backend}')"
        )
    return make_reference(resolve(scenario, **changes), render_mode)


def make_vec(
    scenario: Scenario | str,
    num_envs: int,
    *,
    backend: VecBackend = "auto",
    seeds: EpisodeSeeds | None = None,
    num_workers: int | None = None,
    **changes: Any,
) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
    """Build many worlds of one scenario, with same-step autoreset.

    Args:
        scenario: a scenario or its name.
        num_envs: N, worlds.
        backend: "compiled" (kernels, equal to highway-env), "reference" (highway-env itself, in
            this process or several), or "auto": compiled where the scenario compiles, else the
            other, with a warning that says why and what it costs; the environment's attribute
            `backend` says which it is.
        seeds: seed of every episode; None: derived from `reset(seed=...)`.
        num_workers: threads (compiled; None: all cores) or processes (reference; None: this one
            alone; more are started afresh, so a script needs `if __name__ == "__main__":`).
        changes: sensors, slots, tracker, flat, observation, config; see `Scenario.with_`.

    Raises:
        ValueError: unknown names or values, or a scenario that does not compile.
    """
    resolved = resolve(scenario, **changes)
    if backend == "auto":
        price = price_of_reference(resolved)
        if price is not None:
            warnings.warn(price, RuntimeWarning, stacklevel=2)
        backend = "compiled" if price is None else "reference"
    if backend == "reference":
        from drivemem_envs.reference.vector_env import ReferenceVectorEnv

        return ReferenceVectorEnv(resolved, num_envs, seeds=seeds, num_workers=num_workers)
    if backend != "compiled":
        raise ValueError(f"unknown backend '{backend}' (one of: auto, compiled, reference)")
    from drivemem_envs.compiled.vector_env import CompiledVectorEnv

    return CompiledVectorEnv(resolved, num_envs, seeds=seeds, num_threads=num_workers)


def compiles(scenario: Scenario) -> str | None:
    """Why a scenario does not run on the compiled backend; None if it does."""
    return _misfit(scenario.model_dump_json())


@lru_cache(maxsize=64)
def _misfit(description: str) -> str | None:
    """`compiles` of a scenario's JSON: found by building one world, whatever would refuse it."""
    from drivemem_envs.compiled.batch import CompiledWorlds
    from drivemem_envs.compiled.export.supported import CompiledUnsupported

    try:
        CompiledWorlds(Scenario.model_validate_json(description), 1, 1).close()
    except CompiledUnsupported as error:
        return str(error)
    return None


def price_of_reference(scenario: Scenario) -> str | None:
    """Why a scenario runs on the reference backend and what that costs; None: it compiles.

    The scenario is driven for a moment to find out.
    """
    reason = compiles(scenario)
    return None if reason is None else _price(scenario.model_dump_json(), reason)


@lru_cache(maxsize=64)
def _price(description: str, reason: str) -> str:
    from drivemem_envs.reference.environment import make_reference

    scenario, decisions = Scenario.model_validate_json(description), 0
    env = make_reference(scenario)
    env.reset(seed=0)
    env.action_space.seed(0)
    began = monotonic()
    while decisions < _MEASURED[0] and monotonic() - began < _MEASURED[1]:
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        decisions += 1
        if terminated or truncated:
            env.reset(seed=decisions)
    rate = decisions / (monotonic() - began)
    env.close()
    for way_out in (": use backend='reference'", ", or use backend='reference'"):
        reason = reason.removesuffix(way_out)
    return (
        f"{scenario.name} runs on the reference backend ({reason}): about {rate:.0f} decisions/s "
        f"for each process here, in place of some {_COMPILED_PER_S} on the compiled one"
    )


def is_compiled(scenario: Scenario) -> bool:
    """Whether the kernels that a scenario needs are kept: else the first episode waits for them.

    Args:
        scenario: one that the compiled backend runs.
    """
    from drivemem_envs.compiled.compiling import missing_kernels

    return missing_kernels(scenario) == 0


def compile_kernels(scenario: Scenario, tell: Callable[[float], None]) -> None:
    """Compile the kernels that a scenario needs, if they are not kept: once on a machine.

    Args:
        scenario: one that the compiled backend runs.
        tell: called with the share that is done, rising to 1.
    """
    from drivemem_envs.compiled import compiling

    compiling.compile_kernels(scenario, tell)


def make_registered(
    scenario: str, render_mode: str | None = None, **changes: Any
) -> gymnasium.Env[Any, Any]:
    """Entry point of `gymnasium.make("drivemem/<scenario>")`."""
    return make(scenario, render_mode=render_mode, **changes)


def make_vec_registered(
    scenario: str, num_envs: int = 1, **changes: Any
) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
    """Entry point of `gymnasium.make_vec("drivemem/<scenario>", num_envs=N)`."""
    return make_vec(scenario, num_envs, **changes)
