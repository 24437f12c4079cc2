"""What a lesion is, and the registry that maps `name:argument` to one."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from drivemem.errors import DrivememError
from drivemem_agents.memory import State
from drivemem_agents.observations import Observation
from drivemem_agents.policy import MemoryPolicy

INTACT = "intact"


class Lesion:
    """Base: leaves everything intact."""

    needs_state = True
    """Whether it cuts working memory: then the policy must carry a state."""
    draws = False
    """Whether it draws random numbers as it goes, so that episodes depend on each other."""
    name = ""
    """Under which it is registered."""

    def __init__(self, argument: str) -> None:
        if argument:
            raise DrivememError(f"lesion {type(self).__name__} takes no argument, not '{argument}'")

    def check(self, policy: MemoryPolicy) -> None:
        """Refuse a policy that has nothing to cut.

        Raises:
            DrivememError: the message names lesions that would do.
        """
        if self.needs_state and not policy.initial_state(1):
            others = [name for name, (kind, _) in sorted(_LESIONS.items()) if not kind.needs_state]
            raise DrivememError(
                f"lesion '{self.name}' cuts working memory, but memory "
                f"'{policy.settings['memory']}' carries no state; lesions of its weights are: "
                f"{', '.join(others)}"
            )

    def prepare(self, policy: MemoryPolicy) -> MemoryPolicy:
        """The policy to evaluate (a changed copy for long-term lesions)."""
        return policy

    def begin(self, policy: MemoryPolicy, worlds: int) -> None:
        """Called once before the first step."""

    def before(self, state: State, observation: Observation, step: NDArray[np.int64]) -> State:
        """The state to act with.

        Args:
            state: (N, ...) carried from the previous step.
            observation: (N, ...) present frames.
            step: (N,) decisions since the start of each world's episode.
        """
        return state


_LESIONS: dict[str, tuple[type[Lesion], str]] = {}


def register_lesion(name: str, summary: str) -> Callable[[type[Lesion]], type[Lesion]]:
    """Class decorator: make a lesion selectable as `name:argument`."""

    def register(cls: type[Lesion]) -> type[Lesion]:
        if name in _LESIONS:
            raise ValueError(f"lesion '{name}' is already registered")
        cls.name = name
        _LESIONS[name] = (cls, summary)
        return cls

    return register


def lesion_names() -> dict[str, str]:
    """Registered lesions and a line about each."""
    return {name: summary for name, (_, summary) in sorted(_LESIONS.items())}


def parse_lesions(text: str) -> list[str]:
    """`span:1,2,4` as `["span:1", "span:2", "span:4"]`; `intact` alone as itself."""
    name, colon, arguments = text.partition(":")
    return [f"{name}:{argument}" for argument in arguments.split(",")] if colon else [name]


def make_lesion(text: str, policy: MemoryPolicy) -> Lesion:
    """The lesion `name:argument` for a policy.

    Raises:
        DrivememError: unknown name, bad argument, or a lesion that the policy's memory has no
            place for.
    """
    if text == INTACT:
        return Intact("")
    name, _, argument = text.partition(":")
    if name not in _LESIONS:
        near = difflib.get_close_matches(name, _LESIONS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise DrivememError(
            f"unknown lesion '{name}'{hint} (one of: {', '.join(sorted(_LESIONS))})"
        )
    lesion = _LESIONS[name][0](argument)
    lesion.check(policy)
    return lesion


def folder_name(text: str) -> str:
    """A lesion's name as part of a folder's name."""
    return text.replace(":", "-").replace("/", "_")


def number(argument: str, name: str, least: float = 0.0) -> float:
    """A lesion's argument as a finite number.

    Raises:
        DrivememError: it is none, or less than `least`.
    """
    try:
        value = float(argument)
    except ValueError as error:
        raise DrivememError(
            f"lesion '{name}' needs a number, as in {name}:1, not '{argument}'"
        ) from error
    if not least <= value < math.inf:
        raise DrivememError(
            f"lesion '{name}' needs a finite number of at least {least:g}, not {argument}"
        )
    return value


def whole(argument: str, name: str, least: int) -> int:
    """A lesion's argument as a whole number.

    Raises:
        DrivememError: it is none, or less than `least`.
    """
    value = number(argument, name, least)
    if value != int(value):
        raise DrivememError(f"lesion '{name}' needs a whole number, not {argument}")
    return int(value)


class Intact(Lesion):
    """No lesion."""

    needs_state = False
