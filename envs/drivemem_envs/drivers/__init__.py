"""Reference drivers: what any trained agent must be compared with.

They observe what agents observe, and go through the same evaluation.
"""

from __future__ import annotations

import difflib
from typing import Any

from gymnasium import spaces

from drivemem_envs.drivers.base import Driver
from drivemem_envs.drivers.constant import ConstantDriver, RandomDriver, action_labels
from drivemem_envs.drivers.oracle import OracleDriver
from drivemem_envs.drivers.rule_based import RuleBasedDriver
from drivemem_envs.scenario_spec import Scenario

__all__ = ["Driver", "driver_names", "make_driver"]

_RULES = {"idm": "none", "hold_last": "hold_last", "ghost": "constant_velocity"}
_SUMMARIES = {
    "constant:ACTION": "always one action, by label (constant:IDLE) or index",
    "random": "uniform over the available actions, seeded",
    "oracle": "told what is hidden, by the scenario's own rule: the upper bound",
    "idm": "rule-based: gap, time to collision and crossing cars, on what is visible now",
    "hold_last": "the same rules behind a tracker that keeps hidden actors where last seen",
    "ghost": "the same rules behind a tracker that moves hidden actors at constant velocity",
}


def driver_names() -> dict[str, str]:
    """Names of the reference drivers and a line about each."""
    return dict(_SUMMARIES)


def make_driver(name: str, scenario: Scenario, action_space: spaces.Space[Any]) -> Driver:
    """Build a reference driver.

    Args:
        name: one of `driver_names()`; `constant` needs its action, as in `constant:IDLE`.
        scenario: what it drives; its observation spec says how to read rows.
        action_space: of one world.

    Raises:
        ValueError: unknown name or action; the message names the nearest.
    """
    kind, _, argument = name.partition(":")
    if kind == "constant":
        return ConstantDriver(argument, scenario, action_space)
    if kind == "random" and not argument:
        return RandomDriver(action_space)
    if kind in _RULES and not argument:
        return RuleBasedDriver(scenario, action_space, _RULES[kind])  # type: ignore[arg-type]
    if kind == "oracle" and not argument:
        return OracleDriver(scenario, action_space)
    near = difflib.get_close_matches(kind, ["constant", "random", "oracle", *_RULES], n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise ValueError(f"unknown driver '{name}'{hint} (one of: {', '.join(_SUMMARIES)})")


def constant_drivers(scenario: Scenario) -> list[str]:
    """Every constant driver of a scenario with discrete actions, by label."""
    return [f"constant:{label}" for label in action_labels(scenario)]
