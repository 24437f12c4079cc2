"""What a world's dials may be: values are checked where they are set, not where they break.

A dial is a key of a world's configuration. Its default says of what kind it is, its name what
range it has, and a short trial of the bare world finds what neither says.
"""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from numbers import Real
from typing import Any

import numpy as np

from drivemem_envs.highway_env_keys import ACTIONS, check_action
from drivemem_envs.names import near_miss

_ANY = (-math.inf, math.inf)
_POSITIVE = (1e-6, 1e6)
_LEAST = {
    "lanes_count": 1, "no_lanes": 1, "roundabout_lanes": 1, "exits_count": 1,
    "controlled_vehicles": 1, "screen_width": 1, "screen_height": 1, "vehicles_count": 0,
    "trucks_count": 0, "initial_vehicle_count": 0, "other_vehicles": 0,
}  # fmt: skip
"""Whole numbers, and the least that fits."""
_MOST = 1000
_RANGES = {
    "simulation_frequency": (1e-3, 1000.0), "policy_frequency": (1e-3, 1000.0),
    "duration": (1e-3, 86_400.0), "vehicles_density": (1e-3, 1000.0), "ego_spacing": (0.0, 1e6),
    "scaling": _POSITIVE, "length": _POSITIVE, "speed_limit": _POSITIVE,
    "roundabout_radius": _POSITIVE, "spawn_probability": (0.0, 1.0),
}  # fmt: skip
_RANGES_BY_ENDING = {
    "_length": _POSITIVE, "_s": (0.0, 86_400.0), "_noise": (0.0, 1e6), "_speed": (0.0, 1e3),
}  # fmt: skip
_BY_CLASS = "deadline_s"
"""A list with an entry for each latent class, of which the world decides how many it has."""
_SHARED = ("DISTANCE_WANTED", "COMFORT_ACC_MAX", "COMFORT_ACC_MIN")
"""What highway-env's intersection writes on the class of its vehicles."""


def merge_config(config: dict[str, Any], changes: Mapping[str, Any], path: str = "") -> None:
    """Update in place; a nested dict replaces its keys one by one, except typed ones whole.

    Args:
        config: a world's configuration.
        changes: of it.
        path: of `config` in a larger one, for messages.

    Raises:
        ValueError: an unknown key; the message names the nearest.
    """
    for key, value in changes.items():
        if key not in config:
            hint = near_miss(key, config) or f" (one of: {', '.join(config)})"
            raise ValueError(f"unknown configuration key '{path}{key}'{hint}")
        old = config[key]
        nested = isinstance(old, dict) and isinstance(value, Mapping) and "type" not in value
        if nested and key != "action":
            merge_config(old, value, f"{path}{key}.")
        elif nested:
            config[key] = {**old, **value}
        else:
            config[key] = value


def divisors(number: int) -> str:
    """All divisors of a number, for messages: `1, 3, 5, 15`."""
    return ", ".join(str(d) for d in range(1, number + 1) if number % d == 0)


def check_dials(
    scenario: str, world: type[Any], changes: Mapping[str, Any], config: Mapping[str, Any]
) -> None:
    """Refuse dials that do not fit.

    Args:
        scenario: its name, for the message.
        world: its class.
        changes: what differs from the class's own configuration; the keys are known.
        config: both together.

    Raises:
        ValueError: it names dial, value and what fits.
    """
    default, ours = world.default_config(), _known_dials(world)
    for name, value in changes.items():
        if name == "observation":
            continue
        if name in ours:
            fits = _misfit(name, value, default[name])
        else:  # another package's dial, which may be of several kinds
            fits = None if _is_finite(value) else "finite numbers"
        if fits is not None:
            raise ValueError(f"{scenario}: {name}={value!r} does not fit: {fits}")
    lane, lanes = config.get("initial_lane_id"), config.get("lanes_count")
    if lane is not None and isinstance(lanes, int):
        whole = isinstance(lane, int) and not isinstance(lane, bool)
        if not whole or not 0 <= lane < lanes:
            raise ValueError(
                f"{scenario}: initial_lane_id={lane!r} does not fit: None or one of the lanes, "
                f"0 to {lanes - 1} (lanes_count={lanes})"
            )
    if config["action"].get("type") not in ACTIONS:
        raise ValueError(
            f"{scenario}: action={config['action']!r} does not fit: a table with a type, one of "
            f"{', '.join(ACTIONS)}"
        )
    if "action" in changes:
        check_action(changes["action"])


def _known_dials(world: type[Any]) -> Mapping[str, Any]:
    """The dials that a world has from highway-env or drivemem."""
    for base in world.__mro__:
        if base.__module__.partition(".")[0] in ("highway_env", __package__):
            known: Mapping[str, Any] = getattr(base, "default_config", dict)()
            return known
    return {}


def _misfit(name: str, value: Any, default: Any) -> str | None:
    """What would fit, if a value of a dial does not."""
    if name == "other_vehicles_type":
        return _class_misfit(value)
    if isinstance(default, Mapping):
        if not isinstance(value, Mapping):
            return f"a table such as {dict(default)}"
        return None if _is_finite(value) else "finite numbers"
    if default is None:
        return None if _is_finite(value) else "a finite number"
    if isinstance(default, bool):
        return None if isinstance(value, bool) or value in (0, 1) else "true or false"
    if isinstance(default, str):
        return None if isinstance(value, str) or value is None else f"text such as '{default}'"
    if isinstance(default, Real):
        return _number_misfit(name, value, default)
    if isinstance(default, Sequence | np.ndarray):
        return _list_misfit(name, value, default)
    return None


def _number_misfit(name: str, value: Any, default: Any) -> str | None:
    if isinstance(value, bool) and name in _LEAST:
        value = None
    if name in _LEAST:
        least = _LEAST[name]
        whole = isinstance(value, int | np.integer) and least <= value <= _MOST
        return None if whole else f"a whole number from {least} to {_MOST}"
    low, high = _range_of(name)
    if isinstance(value, Real) and math.isfinite(value) and low <= float(value) <= high:
        return None
    if isinstance(value, Sequence) and not isinstance(value, str) and name == "truck_speed":
        return _list_misfit(name, value, [default, default])
    return "a finite number" if (low, high) == _ANY else f"a number from {low:g} to {high:g}"


def _list_misfit(name: str, value: Any, default: Any) -> str | None:
    wanted = f"a list of {len(default)} numbers, such as {list(default)}"
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        scalar = name == "truck_speed" and _number_misfit(name, value, 0.0) is None
        return None if scalar else wanted
    if len(value) != len(default) and not (name == _BY_CLASS and len(value)):
        return wanted
    misfits = [_number_misfit(name, each, 0.0) for each in value]
    if any(misfits):
        return f"{wanted}, each {next(filter(None, misfits))}"
    if name.endswith("_range") and len(value) == 2 and not value[0] < value[1]:
        return f"{wanted}, the lower first"
    rises = len(value) != 2 or value[0] <= value[1] or default[0] > default[1]
    if name.endswith(("_s", "_speed")) and name != _BY_CLASS and not rises:
        return f"{wanted}, the lower first"
    return None


def _range_of(name: str) -> tuple[float, float]:
    if name in _RANGES:
        return _RANGES[name]
    endings = (limits for ending, limits in _RANGES_BY_ENDING.items() if name.endswith(ending))
    return next(endings, _ANY)


def _is_finite(value: Any) -> bool:
    """Whether all numbers in it are finite."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        return all(map(_is_finite, value))
    return not isinstance(value, Real) or math.isfinite(value)


def _class_misfit(path: Any) -> str | None:
    """Why a path does not name a class of vehicles as highway-env reads it."""
    from highway_env.vehicle.kinematics import Vehicle

    wanted = "the path of a class of vehicles, such as highway_env.vehicle.behavior.IDMVehicle"
    module, _, name = path.rpartition(".") if isinstance(path, str) else ("", "", "")
    if not module:
        return wanted
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:  # TypeError: relative
        return f"{wanted} ({error})"
    return None if isinstance(found, type) and issubclass(found, Vehicle) else wanted


def check_runs(scenario: str, world: type[Any], config: Mapping[str, Any]) -> None:
    """Reset the bare world and take three steps in it; once for each configuration.

    Raises:
        ValueError: it fails, or gives a reward that is not finite.
    """
    try:
        told = _trial(world, json.dumps(config, sort_keys=True))  # type: ignore[arg-type]
    except TypeError:  # a configuration that is no JSON is somebody's own code
        return
    if told is not None:
        raise ValueError(f"{scenario} does not run with this configuration: {told}")


@lru_cache(maxsize=256)
def _trial(world: type[Any], config: str) -> str | None:
    """What goes wrong in the first decisions of a world; None: nothing."""
    parts = json.loads(config)
    with warnings.catch_warnings(), _kept(parts.get("other_vehicles_type")):
        warnings.simplefilter("ignore")
        try:
            env = world(config=parts)
            env.reset(seed=0)
            env.action_space.seed(0)
            for step in range(3):
                _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
                if not np.all(np.isfinite(reward)):
                    return f"reward {reward} at step {step}"
                if terminated or truncated:
                    break
            env.close()
        except Exception as error:  # whatever a world does is told in one line
            first = (str(error).splitlines() or [""])[0]
            return first if isinstance(error, ValueError) else f"{type(error).__name__}: {first}"
    return None


@contextlib.contextmanager
def _kept(path: str | None) -> Iterator[None]:
    """Leave the drivers' class as it was: highway-env's intersection writes on it."""
    if path is None:
        yield
        return
    module, _, name = path.rpartition(".")
    kind = getattr(import_module(module), name)
    before = {key: vars(kind)[key] for key in _SHARED if key in vars(kind)}
    try:
        yield
    finally:
        for key in _SHARED:
            if key in before:
                setattr(kind, key, before[key])
            elif key in vars(kind):
                delattr(kind, key)
