"""Actions that a driver may give: of the right shape, finite, and in a discrete space's range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

OracleRule = Callable[[dict[str, Any], NDArray[np.int64]], NDArray[np.int64]]
"""How a world that is told what is hidden is driven, which its class may give as
`oracle(scenario)`: batched observation and decisions since each episode began (N,), to actions
(N,)."""


def check_actions(
    scenario: str, space: spaces.Space[Any], actions: Any, worlds: NDArray[Any] | int
) -> NDArray[Any]:
    """Actions of some worlds as one row for each (N, C).

    Args:
        scenario: its name, for the message.
        space: of one world's actions.
        actions: (N,) indices of discrete actions or (N, C) continuous ones.
        worlds: numbers of the worlds (N,), or how many there are.

    Raises:
        ValueError: actions of another shape, that are no numbers or not finite, or none of the
            discrete ones; the message names world and value.
    """
    numbers = np.arange(worlds) if isinstance(worlds, int) else worlds
    count, size = len(numbers), getattr(space, "n", None)
    columns = 1 if size is not None else int(np.prod(space.shape or (1,)))
    try:
        given = np.asarray(actions)
    except ValueError:  # rows of different lengths
        given = np.asarray(None)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"actions are {actions!r}; {_wanted(scenario, size, columns)}")
    if given.shape[:1] != (count,) or given.size != count * columns:
        shape = f"({count},)" if columns == 1 else f"({count}, {columns})"
        raise ValueError(f"actions have shape {given.shape}; give {shape} for {count} worlds")
    rows = given.reshape(count, columns)
    fits = np.isfinite(rows)
    if size is not None:
        fits &= (rows >= 0) & (rows < int(size))
        if given.dtype.kind == "f":
            fits &= rows == np.floor(rows)
    if not fits.all():
        bad = int(np.flatnonzero(~fits.all(axis=1))[0])
        value = rows[bad].tolist() if size is None else rows[bad, 0].item()
        raise ValueError(
            f"action {value} of world {numbers[bad]}; {_wanted(scenario, size, columns)}"
        )
    return rows


def check_rewards(scenario: str, rewards: Any) -> None:
    """Refuse rewards (N,) that are not finite: they would make every weight of an agent so.

    Raises:
        ValueError: it names world and value.
    """
    fits = np.isfinite(rewards)
    if not fits.all():
        world = int(np.flatnonzero(~np.atleast_1d(fits))[0])
        raise ValueError(
            f"reward {np.atleast_1d(rewards)[world]} of world {world}; rewards of {scenario} must "
            "be finite: mend the world's reward"
        )


def _wanted(scenario: str, size: Any, columns: int) -> str:
    if size is None:
        return f"{scenario} takes {columns} finite numbers for each world"
    return f"{scenario} takes 0 to {int(size) - 1}"
