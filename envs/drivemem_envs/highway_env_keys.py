"""Keys of highway-env's observations and actions, which ignore the ones that they do not know."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

_OBSERVATIONS = {
    "TimeToCollision": "TimeToCollisionObservation", "Kinematics": "KinematicObservation",
    "OccupancyGrid": "OccupancyGridObservation", "KinematicsGoal": "KinematicsGoalObservation",
    "GrayscaleObservation": "GrayscaleObservation",
    "AttributesObservation": "AttributesObservation",
    "MultiAgentObservation": "MultiAgentObservation", "TupleObservation": "TupleObservation",
    "LidarObservation": "LidarObservation", "ExitObservation": "ExitObservation",
}  # fmt: skip
"""Types as `observation_factory` knows them, and their classes."""
ACTIONS = ("DiscreteMetaAction", "ContinuousAction", "DiscreteAction", "MultiAgentAction")
"""Types as `action_factory` knows them; their classes have the same names."""

_IDLE = ("flatten",)
"""Keys that highway-env's own configurations hold, though no type reads them."""


def check_observation(config: Any) -> None:
    """Refuse an observation of an unknown type, or a key that its type ignores.

    Raises:
        ValueError: it names the key and the nearest known one.
    """
    from highway_env.envs.common import observation

    kind = config.get("type") if isinstance(config, Mapping) else None
    if kind not in _OBSERVATIONS:
        raise ValueError(
            f"observation {config!r} does not fit: a table with a type, one of "
            f"{', '.join(_OBSERVATIONS)}"
        )
    _check_keys("observation", config, getattr(observation, _OBSERVATIONS[kind]))
    nested = config.get("observation_configs", ())
    for part in (*nested, *filter(None, [config.get("observation_config")])):
        check_observation(part)


def check_action(config: Mapping[str, Any]) -> None:
    """Refuse a key that an action's type ignores.

    Raises:
        ValueError: it names the key and the nearest known one.
    """
    from highway_env.envs.common import action

    if config.get("type") in ACTIONS:
        _check_keys("action", config, getattr(action, config["type"]))


def _check_keys(part: str, config: Mapping[str, Any], kind: type[Any]) -> None:
    known = ["type", *_IDLE]
    for owner in kind.__mro__:
        told = inspect.signature(vars(owner).get("__init__", object.__init__)).parameters
        known += [key for key in told if key not in ("self", "env", "args", "kwargs")]
    for key in config:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"one of: {', '.join(known)}"
            raise ValueError(f"unknown key '{key}' of the {part} {config['type']}; {hint}")
