"""What there is: scenarios, memories, encoders, drivers, lesions, trackers, metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from drivemem.backends import without_way_out
from drivemem.errors import DrivememError, did_you_mean
from drivemem.tables import Table

if TYPE_CHECKING:
    from drivemem_envs import Scenario

Rows = Iterator[tuple[str | int, ...]]


def _scenarios(tag: str | None = None) -> Rows:
    """All scenarios, or those with a tag; each is built once to see whether it compiles."""
    import drivemem_envs
    from drivemem_envs.highway_env_ids import HIGHWAY_ENV_IDS

    names = drivemem_envs.scenario_names(highway_env=False)
    for found in map(drivemem_envs.scenario, names):
        if tag is None or tag in found.tags:
            horizon = "" if found.memory_horizon_s is None else f"{found.memory_horizon_s:g} s"
            yield (
                found.name, found.summary, horizon, found.ceiling_words, _backend(found),
                ", ".join(found.tags),
            )  # fmt: skip
    for found in map(drivemem_envs.scenario, HIGHWAY_ENV_IDS if tag is None else ()):
        yield found.name, "highway-env's own task and reward", "", "", _backend(found), ""


def _backend(scenario: Scenario) -> str:
    """What `--backend auto` takes, and why that is not the fast one."""
    from drivemem_envs.making import compiles

    reason = compiles(scenario)
    return "compiled" if reason is None else f"reference: {without_way_out(reason)}"


def _memories() -> Rows:
    from drivemem_agents.memory import MEMORIES, make_memory

    for name in MEMORIES.names():
        memory = make_memory(name, 64)
        parameters = sum(weight.numel() for weight in memory.parameters())
        yield name, MEMORIES.summary(name), parameters, memory.state_bytes()


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
        "scenarios",
        ("scenario", "what", "horizon", "memoryless ceiling", "backend", "tags"),
        _scenarios,
    ),
    "memories": Kind(
        "memories (64 inputs, default settings)",
        ("memory", "what", "parameters", "state, bytes"),
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
    """Tables of kinds of things.

    Args:
        kinds: names of `KINDS`; none: all, or with a tag, scenarios.
        tag: only scenarios that have it.

    Raises:
        DrivememError: an unknown kind, a tag that no scenario has, or a tag of something else.
    """
    kinds = kinds or ([*KINDS] if tag is None else ["scenarios"])
    for kind in kinds:
        if kind not in KINDS:
            known = f"{did_you_mean(kind, KINDS)} (one of: {', '.join(KINDS)})"
            raise DrivememError(f"nothing to list as '{kind}'{known}")
        if tag is not None and kind != "scenarios":
            raise DrivememError(f"{kind} have no tags; --tag {tag} goes with scenarios")
    return [_table(KINDS[kind], tag) for kind in kinds]


def _table(kind: Kind, tag: str | None) -> Table:
    rows = [*(kind.rows() if tag is None else _tagged(tag))]
    texts = [tuple(f"{cell:,}" if isinstance(cell, int) else cell for cell in row) for row in rows]
    records = [dict(zip(kind.columns, row, strict=True)) for row in rows]
    return Table(kind.columns, texts, title=kind.title, records=records)


def _tagged(tag: str) -> Rows:
    """Rows of the scenarios that have a tag."""
    import drivemem_envs

    names = drivemem_envs.scenario_names(highway_env=False)
    known = sorted({each for name in names for each in drivemem_envs.scenario(name).tags})
    if tag not in known:
        hint = did_you_mean(tag, known)
        raise DrivememError(f"no scenario has the tag '{tag}'{hint} (one of: {', '.join(known)})")
    return _scenarios(tag)
