"""Traffic classes of each world's own, so that no environment changes another's drivers.

highway-env's intersection writes IDM parameters on the class of its vehicles, which every other
environment of the process shares (intersection_env.py, `_make_vehicles`). Worlds of drivemem
name a class of this module instead, `<world>:<module/path/Class>`, made on demand. Slashes stand
for the dots of the class's own path: highway-env takes what follows the last dot for the name.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

# What highway-env 1.12 ships; its classes may have been written on before we are imported.
_PRISTINE = {"DISTANCE_WANTED": 10.0, "COMFORT_ACC_MAX": 3.0, "COMFORT_ACC_MIN": -5.0}

_CLASSES: dict[str, type[Any]] = {}


def private_path(vehicle_type: str, world: str) -> str:
    """A dotted path, as highway-env's configuration wants it, to a world's own vehicle class.

    Args:
        vehicle_type: dotted path of the class to derive from.
        world: what the class belongs to; worlds of one name share it.
    """
    if vehicle_type.startswith(f"{__name__}."):
        return vehicle_type
    key = re.sub(r"\W", "_", world)
    return f"{__name__}.{key}:{vehicle_type.replace('.', '/')}"


def __getattr__(name: str) -> type[Any]:
    """Make the private class that a path names (read by highway-env's `class_from_path`)."""
    if ":" not in name:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    if name not in _CLASSES:
        module, _, attribute = name.partition(":")[2].rpartition("/")
        base = getattr(import_module(module.replace("/", ".")), attribute)
        polluted = {key: value for key, value in _PRISTINE.items() if key in _inherited(base)}
        _CLASSES[name] = type(base.__name__, (base,), {"__module__": base.__module__, **polluted})
    return _CLASSES[name]


def isolate(vehicles: list[Any], world: str) -> None:
    """Give vehicles that a world made of highway-env's shared classes its own ones."""
    for vehicle in vehicles:
        kind = type(vehicle)
        if kind.__module__ == "highway_env.vehicle.behavior" and kind not in _CLASSES.values():
            path = private_path(f"{kind.__module__}.{kind.__name__}", world)
            vehicle.__class__ = __getattr__(path.rpartition(".")[2])


def _inherited(base: type[Any]) -> set[str]:
    """The polluted attributes that the class has from highway-env's IDMVehicle, unchanged."""
    behavior = import_module("highway_env.vehicle.behavior")
    if not issubclass(base, behavior.IDMVehicle):
        return set()
    owner = {key: next(c for c in base.__mro__ if key in vars(c)) for key in _PRISTINE}
    return {key for key, cls in owner.items() if cls is behavior.IDMVehicle}
