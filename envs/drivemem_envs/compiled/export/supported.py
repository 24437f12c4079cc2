"""Which highway-env classes the kernels reproduce, and a clear error for all others.

A subclass that changes numbers compiles; one that changes behaviour is refused by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

# Methods that no simulated frame calls: a subclass may have its own.
_FREE = frozenset((
    "create_random", "make_on_lane", "create_from", "randomize_behavior", "to_dict",
    "from_config", "to_config", "plan_route_to", "get_routes_at_intersection",
    "set_route_at_intersection", "predict_trajectory", "destination", "destination_direction",
    "lane_offset", "on_road", "get_speed_index", "speed_to_index_default",
    "longitudinal_structure", "lateral_structure", "collect_data", "add_features",
    "recover_from_stop", "derivative", "derivative_linear", "lateral_lpv_structure",
    "lateral_lpv_dynamics", "full_lateral_lpv_structure", "full_lateral_lpv_dynamics",
    "lpv_dynamics", "close_objects_to", "close_vehicles_to", "space", "get_available_actions",
    "vehicle_class",
))  # fmt: skip
_INTERCEPTING = ("__getattr__", "__getattribute__", "__setattr__")
_METHODS = (classmethod, staticmethod, property)


class CompiledUnsupported(ValueError):
    """A world holds something that the compiled backend does not reproduce."""


def known_base(thing: Any, known: Mapping[type[Any], int]) -> int:
    """What an object is to the kernels.

    Args:
        thing: an object of highway-env or of a subclass.
        known: classes that the kernels reproduce, with their codes.

    Returns:
        The code of the nearest known class.

    Raises:
        CompiledUnsupported: there is none, or a subclass or the object itself replaces behaviour.
    """
    base = _nearest_known(type(thing), frozenset(known))  # type: ignore[arg-type]  # a class is hashable
    _refuse_changes(type(thing).__name__, base, vars(thing), "the object")
    return known[base]


@lru_cache(maxsize=256)
def _nearest_known(kind: type[Any], known: frozenset[type[Any]]) -> type[Any]:
    """The class of highway-env that a class is, once for all of its objects.

    Raises:
        CompiledUnsupported: there is none, or a class in between replaces behaviour.
    """
    for base in kind.__mro__:
        if base in known:
            return base
        nearest = next((other for other in base.__mro__ if other in known), None)
        if nearest is not None:
            _refuse_changes(kind.__name__, nearest, vars(base), base.__name__)
    names = ", ".join(sorted(other.__name__ for other in known))
    raise CompiledUnsupported(
        f"{kind.__module__}.{kind.__qualname__} is unknown to the compiled backend, which "
        f"reproduces {names} and subclasses of them that only change numbers: "
        "use backend='reference'"
    )


def _refuse_changes(name: str, base: type[Any], members: Mapping[str, Any], where: str) -> None:
    behaviour = _members(base)  # type: ignore[arg-type]
    changed = [
        member
        for member, value in members.items()
        if member in _INTERCEPTING
        or (
            member in behaviour
            and (behaviour[member] or inspect.isfunction(value) or isinstance(value, _METHODS))
        )
    ]
    if changed:
        raise CompiledUnsupported(
            f"{name}: {where} replaces {_listed(changed)} of highway-env's {base.__name__}, which "
            "the compiled backend cannot run: use backend='reference'"
        )


@cache
def _members(base: type[Any]) -> dict[str, bool]:
    """What a class has that the kernels may rely on, and whether it is behaviour, not a number."""
    found: dict[str, bool] = {}
    for owner in base.__mro__:
        for member, value in vars(owner).items():
            if member in _FREE or member.startswith("__"):
                continue
            found.setdefault(member, inspect.isfunction(value) or isinstance(value, _METHODS))
    return found


def _listed(members: Iterable[str]) -> str:
    return ", ".join(f"`{member}`" for member in sorted(members))


def refuse(condition: bool, reason: str) -> None:
    """Raise CompiledUnsupported when a condition holds.

    Args:
        condition: what must not be.
        reason: what the world has, as the beginning of the message.
    """
    if condition:
        raise CompiledUnsupported(
            f"{reason}, which the compiled backend does not reproduce: use backend='reference'"
        )
