"""Registries: from a name to the thing it selects, other packages' entry points included."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


def near_miss(name: str, names: Iterable[str]) -> str:
    """`"; did you mean '…'?"` with the nearest of the names, or nothing if none is near."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


class Registry(Generic[Thing]):
    """Named things of one kind.

    Args:
        kind: what one of them is called in messages.
        group: the entry point group by which other packages add theirs; None: they cannot. What
            it names is imported only when it is asked for.
    """

    def __init__(self, kind: str, group: str | None = None) -> None:
        self.kind, self.group = kind, group
        self._things: dict[str, Thing] = {}
        self._points: dict[str, EntryPoint] | None = None

    def register(self, name: str) -> Callable[[Thing], Thing]:
        """Decorator: make a class or function selectable by a name.

        Raises:
            ValueError: the name is taken by another.
        """

        def add(thing: Thing) -> Thing:
            taken = self._things.setdefault(name, thing)
            if taken is not thing:
                raise ValueError(
                    f"{self.kind} '{name}' is already registered by {_origin(taken)}; choose "
                    "another name"
                )
            return thing

        return add

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted({*self._things, *self._entry_points()})

    def get(self, name: str) -> Thing:
        """What is registered under a name.

        Raises:
            ValueError: unknown name, with the nearest and all there are; or another package's
                entry point that cannot be imported, or has a name that is taken.
        """
        point = self._entry_points().get(name)
        if point is not None:
            try:
                thing = point.load()
            except (ImportError, AttributeError) as error:
                raise ValueError(
                    f"{self.kind} '{name}' cannot be imported from {point.value}: {error}"
                ) from error
            self.register(name)(thing)
        if name not in self._things:
            names = self.names()
            raise ValueError(
                f"unknown {self.kind} '{name}'{near_miss(name, names)} (one of: {', '.join(names)})"
            )
        return self._things[name]

    def summary(self, name: str) -> str:
        """The first line of a thing's docstring."""
        return (inspect.getdoc(self.get(name)) or "").partition("\n")[0]

    def _entry_points(self) -> dict[str, EntryPoint]:
        if self._points is None:
            found = () if self.group is None else entry_points(group=self.group)
            self._points = {point.name: point for point in found}
        return self._points


def _origin(thing: object) -> str:
    return str(getattr(thing, "__qualname__", type(thing).__qualname__))
