"""Reference drivers: what any trained agent must be compared with.

They observe what agents observe, and go through the same evaluation. Other packages add theirs with
`register_driver` or the entry point group below.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from gymnasium import spaces

from drivemem_envs.drivers.base import Driver
from drivemem_envs.drivers.constant import ConstantDriver, RandomDriver
from drivemem_envs.drivers.oracle import make_oracle
from drivemem_envs.drivers.planner import PlannerDriver
from drivemem_envs.drivers.rule_based import RuleBasedDriver
from drivemem_envs.names import near_miss
from drivemem_envs.scenario_spec import Scenario

__all__ = ["Driver", "driver_names", "make_driver", "register_driver"]

ENTRY_POINT_GROUP = "drivemem.drivers"

Factory = Callable[[Scenario, spaces.Space[Any]], Driver]


class _Entry(NamedTuple):
    factory: Callable[..., Driver]
    summary: str
    argument: str = ""
    """What stands behind a colon after the name; the factory takes it first."""
    optional: bool = False
    """Whether the argument may be left out; the factory then takes an empty one."""


_DRIVERS: dict[str, _Entry] = {
    "constant": _Entry(
        ConstantDriver, "always one action, by label (constant:IDLE) or index", "ACTION"
    ),
    "random": _Entry(
        lambda _scenario, action_space: RandomDriver(action_space),
        "uniform over the available actions, seeded",
    ),
    "oracle": _Entry(
        make_oracle,
        "told what is hidden: the scenario's own rule, or else the planner; the upper bound",
    ),
    "planner": _Entry(
        PlannerDriver,
        "plans on the truth by driving copies of the world ahead (compiled worlds alone); settings "
        "follow a colon, such as planner:horizon_s=8,candidates=96",
        "SETTINGS",
        optional=True,
    ),
    "idm": _Entry(
        partial(RuleBasedDriver, tracker="none"),
        "rule-based: gap, time to collision and crossing cars, on what is visible now",
    ),
    "hold_last": _Entry(
        partial(RuleBasedDriver, tracker="hold_last"),
        "the same rules behind a tracker that keeps hidden actors where last seen",
    ),
    "ghost": _Entry(
        partial(RuleBasedDriver, tracker="constant_velocity"),
        "the same rules behind a tracker that moves hidden actors at constant velocity",
    ),
}


def register_driver(name: str, factory: Factory) -> None:
    """Make a driver known by name, on the command line too.

    Args:
        name: letters, digits, `-` and `_`.
        factory: makes it from a scenario and the action space of one world; the first line of its
            docstring says what it is.

    Raises:
        ValueError: the name is taken or has other characters.
    """
    if name in _DRIVERS:
        raise ValueError(f"driver '{name}' is already registered; choose another name")
    if not re.fullmatch(r"[\w-]+", name):
        raise ValueError(f"driver name '{name}' needs letters, digits, '-' and '_' alone")
    summary = (inspect.getdoc(factory) or "").partition("\n")[0]
    _DRIVERS[name] = _Entry(factory, summary or "a driver of another package")


@cache
def _load_entry_points() -> None:
    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            factory = point.load()
            if point.name not in _DRIVERS or _DRIVERS[point.name].factory is not factory:
                register_driver(point.name, factory)
        except Exception as error:  # another package's mistake must not disable this one
            warnings.warn(f"driver '{point.name}' is left out: {error}", stacklevel=2)


def driver_names() -> dict[str, str]:
    """Names of the reference drivers and a line about each."""
    _load_entry_points()
    return {
        f"{name}:{entry.argument}" if entry.argument and not entry.optional else name: entry.summary
        for name, entry in _DRIVERS.items()
    }


def make_driver(name: str, scenario: Scenario, action_space: spaces.Space[Any]) -> Driver:
    """Build a reference driver.

    Args:
        name: one of `driver_names()`; `constant` needs its action, as in `constant:IDLE`.
        scenario: what it drives; its observation spec says how to read rows.
        action_space: of one world.

    Raises:
        ValueError: unknown name or action; the message names the nearest.
    """
    _load_entry_points()
    kind, _, argument = name.partition(":")
    entry = _DRIVERS.get(kind)
    if entry is None or (argument and not entry.argument):
        hint = near_miss(kind, _DRIVERS)
        raise ValueError(f"unknown driver '{name}'{hint} (one of: {', '.join(driver_names())})")
    given = (argument,) if entry.argument else ()
    return entry.factory(*given, scenario, action_space)
