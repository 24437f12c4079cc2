"""What there is: scenarios, memories, encoders, drivers, lesions, trackers, metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from drivemem.errors import DrivememError, did_you_mean

if TYPE_CHECKING:
    from rich.table import Table

Rows = Iterator[tuple[str, ...]]


def _scenarios() -> Rows:
    import drivemem_envs
    from drivemem_envs.highway_env_ids import HIGHWAY_ENV_IDS

    for name in drivemem_envs.scenario_names(highway_env=False):
        found = drivemem_envs.scenario(name)
        horizon = "" if found.memory_horizon_s is None else f"{found.memory_horizon_s:g} s"
        yield name, found.summary, horizon, found.ceiling_words
    for name in HIGHWAY_ENV_IDS:
        yield name, "highway-env's own task and reward", "", ""


def _memories() -> Rows:
    from drivemem_agents.memory import MEMORIES, make_memory

    for name in MEMORIES.names():
        memory = make_memory(name, 64)
        parameters = sum(weight.numel() for weight in memory.parameters())
        yield name, MEMORIES.summary(name), f"{parameters:,}", f"{memory.state_bytes():,} B"


def _encoders() -> Rows:
    from drivemem_agents.encoders import ENCODERS

    for name in ENCODERS.names():
        yield name, ENCODERS.summary(name)


def _drivers() -> Rows:
    from drivemem_envs.drivers import driver_names

    yield from driver_names().items()


def _lesions() -> Rows:
    from drivemem.lesions import lesion_names

    yield from lesion_names().items()


def _trackers() -> Rows:
    from drivemem_envs.sensing import TRACKERS

    yield from ((name, facts.meaning) for name, facts in TRACKERS.items())


def _metrics() -> Rows:
    from drivemem_envs.metrics import metric_table

    yield from ((each.name, each.unit, each.definition) for each in metric_table())


class Kind(NamedTuple):
    """Things of one kind, and how they are shown."""

    title: str
    columns: tuple[str, ...]
    rows: Callable[[], Rows]


KINDS = {
    "scenarios": Kind(
        "scenarios", ("scenario", "what", "horizon", "memoryless ceiling"), _scenarios
    ),
    "memories": Kind(
        "memories (64 inputs, default settings)",
        ("memory", "what", "parameters", "state"),
        _memories,
    ),
    "encoders": Kind("encoders", ("encoder", "what"), _encoders),
    "drivers": Kind("reference drivers", ("driver", "what"), _drivers),
    "lesions": Kind("lesions (name:argument, several with commas)", ("lesion", "what"), _lesions),
    "trackers": Kind(
        "trackers (--tracker)", ("tracker", "shows of actors out of sight"), _trackers
    ),
    "metrics": Kind(
        "metrics of an episode (docs/metrics.md)", ("metric", "unit", "what"), _metrics
    ),
}


def tables(kind: str | None) -> list[Table]:
    """The table of one kind, or all; cells are shown as they are, without markup.

    Raises:
        DrivememError: an unknown kind.
    """
    from rich.table import Table
    from rich.text import Text

    if kind is not None and kind not in KINDS:
        known = f"{did_you_mean(kind, KINDS)} (one of: {', '.join(KINDS)})"
        raise DrivememError(f"nothing to list as '{kind}'{known}")
    made = []
    for one in KINDS.values() if kind is None else [KINDS[kind]]:
        table = Table(*one.columns, title=one.title)
        for row in one.rows():
            table.add_row(*map(Text, row))  # as text: markup would take [brackets] for styles
        made.append(table)
    return made
