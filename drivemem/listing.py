"""What there is: scenarios, memories, drivers, lesions, a line each."""

from __future__ import annotations

from collections.abc import Callable

from rich.table import Table

from drivemem.errors import DrivememError


def scenarios() -> Table:
    """Scenarios of drivemem and highway-env, with horizon and ceiling."""
    import drivemem_envs
    from drivemem_envs.registry import HIGHWAY_ENV_IDS

    table = Table("scenario", "what", "horizon", "memoryless ceiling", title="scenarios")
    for name in drivemem_envs.scenario_names(highway_env=False):
        found = drivemem_envs.scenario(name)
        horizon = "" if found.memory_horizon_s is None else f"{found.memory_horizon_s:g} s"
        table.add_row(name, found.summary, horizon, found.ceiling)
    table.add_section()
    for name in HIGHWAY_ENV_IDS:
        table.add_row(name, "highway-env's own task and reward", "", "")
    return table


def memories() -> Table:
    """Memories with parameters and state size, for 64 input features and default settings."""
    from drivemem_agents.memory import make_memory, memory_class, memory_names

    table = Table(
        "memory", "what", "parameters", "state", title="memories (64 inputs, default settings)"
    )
    for name in memory_names():
        memory = make_memory(name, 64)
        doc = (memory_class(name).__module__, memory_class(name).__doc__ or "")
        parameters = sum(weight.numel() for weight in memory.parameters())
        line = doc[1].strip().splitlines()[0] if doc[1] else ""
        table.add_row(name, line, f"{parameters:,}", f"{memory.state_bytes():,} B")
    return table


def drivers() -> Table:
    """Reference drivers."""
    from drivemem_envs.drivers import driver_names

    table = Table("driver", "what", title="reference drivers")
    for name, summary in driver_names().items():
        table.add_row(name, summary)
    return table


def lesions() -> Table:
    """Lesions."""
    from drivemem.lesions import lesion_names

    table = Table("lesion", "what", title="lesions (name:argument, several with commas)")
    for name, summary in lesion_names().items():
        table.add_row(name, summary)
    return table


KINDS: dict[str, Callable[[], Table]] = {
    "scenarios": scenarios,
    "memories": memories,
    "drivers": drivers,
    "lesions": lesions,
}


def tables(kind: str | None) -> list[Table]:
    """The table of one kind, or all.

    Raises:
        DrivememError: an unknown kind.
    """
    import difflib

    if kind is None:
        return [make() for make in KINDS.values()]
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise DrivememError(f"nothing to list as '{kind}'{hint} (one of: {', '.join(KINDS)})")
    return [KINDS[kind]()]
