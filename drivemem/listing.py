"""What there is: scenarios, memories, encoders, drivers, lesions, trackers, metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
        yield name, found.summary, horizon, found.ceiling_words, ", ".join(found.tags)
    for name in HIGHWAY_ENV_IDS:
        yield name, "highway-env's own task and reward", "", "", ""


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
        "scenarios", ("scenario", "what", "horizon", "memoryless ceiling", "tags"), _scenarios
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


def tables(kinds: Sequence[str] = (), tag: str | None = None) -> list[Table]:
    """Tables of kinds of things; cells are shown as they are, without markup.

    Args:
        kinds: names of `KINDS`; none: all, or with a tag, scenarios.
        tag: only scenarios that have it.

    Raises:
        DrivememError: an unknown kind, a tag that no scenario has, or a tag of something else.
    """
    from rich.table import Table
    from rich.text import Text

    kinds = kinds or ([*KINDS] if tag is None else ["scenarios"])
    for kind in kinds:
        if kind not in KINDS:
            known = f"{did_you_mean(kind, KINDS)} (one of: {', '.join(KINDS)})"
            raise DrivememError(f"nothing to list as '{kind}'{known}")
        if tag is not None and kind != "scenarios":
            raise DrivememError(f"{kind} have no tags; --tag {tag} goes with scenarios")
    made = []
    for one in (KINDS[kind] for kind in kinds):
        table = Table(*one.columns, title=one.title)
        for row in one.rows() if tag is None else _tagged(tag):
            table.add_row(*map(Text, row))  # as text: markup would take [brackets] for styles
        made.append(table)
    return made


def _tagged(tag: str) -> list[tuple[str, ...]]:
    """Rows of the scenarios that have a tag."""
    rows = [(row, row[-1].split(", ") if row[-1] else []) for row in _scenarios()]
    known = sorted({each for _, tags in rows for each in tags})
    if tag not in known:
        hint = did_you_mean(tag, known)
        raise DrivememError(f"no scenario has the tag '{tag}'{hint} (one of: {', '.join(known)})")
    return [row for row, tags in rows if tag in tags]
