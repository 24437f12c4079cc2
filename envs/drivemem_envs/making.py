"""Building environments: one world, or many at once, on either backend."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from time import monotonic
from typing import Any, Literal, get_args

import gymnasium

from drivemem_envs.names import near_miss
from drivemem_envs.registry import scenario as named_scenario
from drivemem_envs.scenario_spec import ObservationSpec, Scenario
from drivemem_envs.seeding import EpisodeSeeds
from drivemem_envs.sensing.spec import Sensors

# From benchmarks/results/simulation.md: one thread, highway-env's own scenarios with traffic.
_COMPILED_PER_S = "4,000 to 40,000"
_MEASURED = (200, 0.5)
"""Decisions or seconds, whichever ends first."""

Backend = Literal["reference", "compiled"]
VecBackend = Literal["auto", "reference", "compiled"]


CHANGES = tuple(inspect.signature(Scenario.with_).parameters)[1:]
"""What can be changed of a scenario by keyword."""


def resolve(scenario: Scenario | str, *, beside: Sequence[str] = (), **changes: Any) -> Scenario:
    """A scenario by name with changes; see `Scenario.with_`.

    Args:
        scenario: a scenario or its name.
        beside: keywords that the caller takes besides, for the message.
        changes: by keyword.

    Raises:
        ValueError: unknown names, keywords (with the nearest, or where they belong) or values.
    """
    found = named_scenario(scenario) if isinstance(scenario, str) else scenario
    for name in changes:
        if name not in CHANGES:
            known = (*CHANGES, *beside)
            way_out = _belongs(found, name) or near_miss(name, known)
            raise ValueError(
                f"unknown keyword '{name}'{way_out} (one of: {', '.join(sorted(known))})"
            )
    return found.with_(**changes)


def _belongs(scenario: Scenario, name: str) -> str:
    """Advice where a keyword is the name of what stands in one of the dicts."""
    places = {
        "sensors": Sensors.model_fields, "observation": ObservationSpec.model_fields,
        "config": scenario.resolved_config(),
    }  # fmt: skip
    place = next((place for place, names in places.items() if name in names), None)
    return "" if place is None else f": give {place}={{'{name}': ...}}"


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
        changes: sensors, slots, tracker, flat, views, observation, config; see `Scenario.with_`.

    Raises:
        ValueError: unknown names or values.
    """
    from drivemem_envs.reference.environment import make_reference

    _check_word("backend", backend, get_args(VecBackend))
    if backend != "reference":
        raise ValueError(
            f"backend '{backend}' steps many worlds at once: use gymnasium.make_vec or "
            f"make_vec(..., backend='{backend}')"
        )
    if render_mode is not None:
        _check_word("render_mode", render_mode, ("human", "rgb_array"))
    changed = resolve(scenario, beside=("backend", "render_mode"), **changes)
    return make_reference(changed, render_mode)


def _check_word(what: str, given: Any, known: Sequence[str]) -> None:
    """Refuse a word that is none of those known, with the nearest."""
    if given not in known:
        hint = near_miss(str(given), known)
        raise ValueError(f"unknown {what} '{given}'{hint} (one of: {', '.join(known)})")


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
        changes: sensors, slots, tracker, flat, views, observation, config; see `Scenario.with_`.

    Raises:
        ValueError: unknown names or values, or a scenario that does not compile.
    """
    _check_word("backend", backend, get_args(VecBackend))
    beside = ("num_envs", "backend", "seeds", "num_workers")
    resolved = resolve(scenario, beside=beside, **changes)
    if backend == "auto":
        price = price_of_reference(resolved)
        if price is not None:
            warnings.warn(price, RuntimeWarning, stacklevel=2)
        backend = "compiled" if price is None else "reference"
    if backend == "reference":
        from drivemem_envs.reference.vector_env import ReferenceVectorEnv

        return ReferenceVectorEnv(resolved, num_envs, seeds=seeds, num_workers=num_workers)
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
