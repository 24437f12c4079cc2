"""What a lesion is, and the registry that maps `name:argument` to one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from drivemem.errors import DrivememError, did_you_mean

if TYPE_CHECKING:
    from drivemem_agents.memory import State
    from drivemem_agents.observations import Observation
    from drivemem_agents.policy import MemoryPolicy

INTACT = "intact"
ENTRY_POINTS = "drivemem.lesions"
"""Group in which other packages name modules that register lesions."""

Part = Literal["working", "stack", "weights"]


class Lesion:
    """Base: leaves everything intact."""

    draws = False
    """Whether it draws random numbers, or takes of other episodes, as it goes: they then depend on
    each other."""

    def __init__(self, argument: str) -> None:
        if argument:
            raise DrivememError(f"lesion {type(self).__name__} takes no argument, not '{argument}'")

    def check(self, policy: MemoryPolicy) -> None:
        """Refuse a policy that has nothing to cut.

        Raises:
            DrivememError: the message names lesions that would do.
        """

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


@dataclass(frozen=True)
class LesionInfo:
    """What is known of a registered lesion: THE place where commands and reports learn it."""

    name: str
    summary: str
    """A line for `drivemem list`."""
    make: type[Lesion]
    part: Part
    """What is cut: working memory, a stack of frames, or the weights."""
    axis: str
    """What its argument counts, as the title of a figure's axis; empty: it has no dose."""
    over: Callable[[str], float] | None
    """From its argument the first decision after an intervention that passes; figures then have on
    their axis how long before the end of an intact episode that is. None: the dose is the axis."""
    title: str
    """Of the figure of success against the dose."""
    scale: Literal["linear", "logarithmic"]
    """Of the figure's axis."""
    erases: str
    """The argument that leaves no working memory at all; empty: none does."""
    needs_state: bool
    """Whether the policy must carry a memory state."""


_LESIONS: dict[str, LesionInfo] = {}


def register_lesion(
    name: str,
    summary: str,
    *,
    part: Part = "working",
    axis: str = "",
    over: Callable[[str], float] | None = None,
    title: str = "",
    scale: Literal["linear", "logarithmic"] = "linear",
    erases: str = "",
    needs_state: bool | None = None,
) -> Callable[[type[Lesion]], type[Lesion]]:
    """Class decorator: make a lesion selectable as `name:argument`.

    Args:
        name: as it is selected.
        summary: a line for `drivemem list`.
        part: what is cut: working memory, a stack of frames, or the weights.
        axis: what the argument counts, if it is a dose; reports then draw success against it.
        over: for an intervention that passes: the first decision after it, from the argument;
            reports then draw success against its age at the end of an intact episode.
        title: of that figure; default: the name.
        scale: of the figure's axis.
        erases: the argument that leaves no working memory at all, such as span's 1.
        needs_state: whether the policy must carry a memory state; default: unless weights are cut.

    Raises:
        ValueError: the name is taken.
    """

    def register(cls: type[Lesion]) -> type[Lesion]:
        if name in _LESIONS:
            raise ValueError(f"lesion '{name}' is already registered")
        state = part != "weights" if needs_state is None else needs_state
        _LESIONS[name] = LesionInfo(
            name, summary, cls, part, axis, over, title or name, scale, erases, state
        )
        return cls

    return register


@cache
def _load() -> None:
    """Register our lesions and those of other packages: on first use, since they need PyTorch."""
    for module in ("working", "contamination", "weights"):
        import_module(f"drivemem.lesions.{module}")
    for entry in entry_points(group=ENTRY_POINTS):
        entry.load()


def lesions() -> dict[str, LesionInfo]:
    """All registered lesions, as reports show them: ours in the order of their files."""
    _load()
    return dict(_LESIONS)


def lesion_names() -> dict[str, str]:
    """Registered lesions and a line about each."""
    return {name: info.summary for name, info in sorted(lesions().items())}


def lesion_info(text: str) -> LesionInfo | None:
    """What is registered of the lesion `name:argument`; None if it is intact or unknown here."""
    return None if text == INTACT else lesions().get(split_lesion(text)[0])


def split_lesion(text: str) -> tuple[str, str]:
    """Name and argument of a lesion, such as ("span", "4"); the argument may be empty."""
    name, _, argument = text.partition(":")
    return name, argument


def split_dose(text: str) -> tuple[str, float | None]:
    """What a lesion is at any dose, and its dose: `span:4` as ("span", 4.0).

    What follows an `x` is no dose: `contaminate:12x3` as ("contaminate:x3", 12.0). None: no number.
    """
    name, argument = split_lesion(text)
    dose, x, rest = argument.partition("x")
    try:
        return (f"{name}:x{rest}" if x else name), float(dose)
    except ValueError:
        return name, None


def parse_lesions(text: str) -> list[str]:
    """`span:1,2,4` as `["span:1", "span:2", "span:4"]`; `intact` alone as itself."""
    name, arguments = split_lesion(text)
    return [f"{name}:{one}" for one in arguments.split(",")] if ":" in text else [name]


def make_lesion(text: str, policy: MemoryPolicy) -> Lesion:
    """The lesion `name:argument` for a policy.

    Raises:
        DrivememError: unknown name, bad argument, or a lesion that the policy's memory has no
            place for.
    """
    if text == INTACT:
        return Lesion("")
    name, argument = split_lesion(text)
    known = dict(sorted(lesions().items()))
    if name not in known:
        names = f"{did_you_mean(name, known)} (one of: {', '.join(known)})"
        raise DrivememError(f"unknown lesion '{name}'{names}")
    lesion = known[name].make(argument)
    if known[name].needs_state and not policy.initial_state(1):
        others = [name for name, info in known.items() if not info.needs_state]
        raise DrivememError(
            f"lesion '{name}' cuts working memory, but memory '{policy.settings['memory']}' "
            f"carries no state; lesions of its weights are: {', '.join(others)}"
        )
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


def whole_number(argument: str, name: str, least: int) -> int:
    """A lesion's argument as a whole number.

    Raises:
        DrivememError: it is none, or less than `least`.
    """
    value = number(argument, name, least)
    if value != int(value):
        raise DrivememError(f"lesion '{name}' needs a whole number, not {argument}")
    return int(value)


def need_another_world(worlds: int, name: str, does: str) -> None:
    """Refuse to drive one world alone with a lesion that takes something from another episode.

    Args:
        worlds: driven at once.
        name: of the lesion.
        does: what it does with the other episode, for the message.

    Raises:
        DrivememError: there is no other world.
    """
    if worlds < 2:
        raise DrivememError(
            f"lesion '{name}' {does} another episode, but one world is driven alone: evaluate at "
            "least 2 episodes with --num-envs 2 or more"
        )
