"""Which backend the worlds run on, and which device the agent."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

from drivemem.errors import DrivememError

if TYPE_CHECKING:
    from drivemem_envs import Scenario

_COMPILE_S = 25
"""Processor time that compiling takes at most, s: benchmarks/results/waiting.md."""
_WAY_OUT = ": use backend='reference'"
"""What the reasons end with where Python code asks."""


def choose_backend(
    wanted: Literal["auto", "compiled", "reference"], scenario: Scenario
) -> Literal["compiled", "reference"]:
    """The backend to use: compiled where the scenario supports it, unless told otherwise.

    Where it does not, says once why and what that costs.

    Raises:
        DrivememError: compiled was asked for and the scenario does not compile.
    """
    from drivemem_envs.making import compiles, price_of_reference

    if wanted == "reference":
        return "reference"
    reason = compiles(scenario)
    if reason is None:
        return "compiled"
    if wanted == "auto":
        _say(str(price_of_reference(scenario)))
    else:
        raise DrivememError(
            f"{scenario.name} does not run on the compiled backend: "
            f"{without_way_out(reason)}: use --backend reference"
        )
    return "reference"


def without_way_out(reason: str) -> str:
    """Why a scenario does not compile, without the advice for Python code."""
    return reason.removesuffix(_WAY_OUT)


@cache
def _say(sentence: str) -> None:
    """Print a sentence, once."""
    from drivemem.output import console

    console().print(sentence, soft_wrap=True)


def check_device(wanted: str) -> str:
    """A device that this machine has, as it was asked for; `auto` chooses.

    Args:
        wanted: auto, cpu, cuda, or one of several such as cuda:1.

    Raises:
        DrivememError: there is no such device; the message names those there are.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    known = ["auto", "cpu", *(["cuda"] if count else []), *(f"cuda:{n}" for n in range(count))]
    if wanted not in known:
        lacks = " (torch finds no CUDA here)" if wanted.startswith("cuda") and not count else ""
        raise DrivememError(
            f"device '{wanted}' is not to be had{lacks}: give one of {', '.join(known)}"
        )
    return wanted


def compile_ahead(scenario: Scenario, quiet: bool = False) -> None:
    """Compile the kernels of a scenario that runs on the compiled backend, and show how far it is.

    Does nothing where they are kept from before. Without this the first episode would wait in
    silence.

    Args:
        scenario: the scenario.
        quiet: show nothing.
    """
    from drivemem.progress import Waiting
    from drivemem_envs.making import compile_kernels, is_compiled

    if is_compiled(scenario):
        return
    with Waiting("Compiling the simulation kernels, once on this machine", _COMPILE_S, quiet) as it:
        compile_kernels(scenario, it.update)
