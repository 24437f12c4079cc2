"""Matching parameter counts, so that memories are compared at equal size."""

from __future__ import annotations

from typing import Any

import torch

from drivemem_agents.memory import make_memory, memory_class

_WIDEST = 8192


def parameter_count(name: str, input_size: int, kwargs: dict[str, Any] | None = None) -> int:
    """Number of weights of a memory, found without drawing them.

    Args:
        name: a registered memory.
        input_size: D.
        kwargs: its settings.
    """
    try:
        with torch.device("meta"):
            memory = make_memory(name, input_size, kwargs)
    except (NotImplementedError, RuntimeError):  # it reads values while it is built
        with torch.random.fork_rng():
            memory = make_memory(name, input_size, kwargs)
    return sum(weight.numel() for weight in memory.parameters())


def match_parameters(
    name: str,
    input_size: int,
    target: int,
    kwargs: dict[str, Any] | None = None,
    *,
    width: str = "hidden_size",
    tolerance: float = 0.1,
) -> dict[str, Any]:
    """Settings that give a memory about `target` weights.

    Args:
        name: a registered memory.
        input_size: D.
        target: number of weights wanted.
        kwargs: settings that are to stay.
        width: the integer setting to choose; the count must grow with it.
        tolerance: accepted deviation, relative.

    Returns:
        `kwargs` with the width added.

    Raises:
        ValueError: the memory has no such setting, or no width comes near enough.
    """
    known = memory_class(name).Settings.model_fields
    if width not in known:
        raise ValueError(
            f"memory '{name}' has no setting '{width}' to match parameters with "
            f"(it has: {', '.join(known) or 'none'})"
        )
    kept = {key: value for key, value in (kwargs or {}).items() if key != width}

    def count(value: int) -> int:
        return parameter_count(name, input_size, {**kept, width: value})

    low, high = 1, 2
    while count(high) < target and high < _WIDEST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < target else (low, middle)
    best = min((low, high), key=lambda value: abs(count(value) - target))
    found = count(best)
    if abs(found - target) > tolerance * target:
        raise ValueError(
            f"memory '{name}' cannot have {target:,} weights within {tolerance:.0%}: the nearest "
            f"is {found:,} at {width}={best}; choose another target or other settings"
        )
    return {**kept, width: best}
