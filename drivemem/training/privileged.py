"""The privileged vector: what is true and hidden, for auxiliary losses and privileged critics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.config import PrivilegedView

NEAREST = 6
"""Actors described by the view `actors`, nearest first."""
FAR_M = 1000.0
"""Actors farther away are not told of: some worlds put kilometers away what is not there, and the
error of so large a number would drown all other losses."""
_ACTOR_FEATURES = 5

CELL_M = (10.0, 4.0)
"""Length and width of a cell of the view `grid`, m: a car with its gap, a lane."""
_AHEAD_M = np.arange(0.0, 100.0, CELL_M[0])
_LEFT_M = np.arange(-8.0, 9.0, CELL_M[1])


def privileged_size(view: PrivilegedView, latent_size: int) -> int:
    """P, length of a vector."""
    size = NEAREST * _ACTOR_FEATURES if view == "actors" else len(_AHEAD_M) * len(_LEFT_M)
    return latent_size + size


def privileged_vector(
    truth: dict[str, Any], latent: NDArray[Any], view: PrivilegedView
) -> NDArray[np.float32]:
    """What is true of N worlds.

    `actors`: of each of the six nearest whether it is there, x, y (over 100 m) and vx, vy (over
    20 m/s) relative to the ego. `grid`: how full each cell around the ego is, in [0, 1], with rows
    along the axis of the world that the ego's heading is nearest to. Cells keep their places where
    ranks of a sorted list change owners, which makes them the easier target in dense traffic.

    Args:
        truth: of N worlds, ego first; arrays (N, A) with `present`.
        latent: what a scenario hides that is no actor (N, H).
        view: how other actors are described.

    Returns:
        (N, P), the latent first.
    """
    others = _actors(truth) if view == "actors" else _grid(truth)
    return np.concatenate([latent.astype(np.float32), others.reshape(len(latent), -1)], axis=1)


def _actors(truth: dict[str, Any]) -> NDArray[np.float32]:
    real, dx, dy = _others(truth)
    worlds = len(real)
    velocity = [truth["speed"] * f(truth["heading"]) for f in (np.cos, np.sin)]
    distance = np.where(real, np.hypot(dx, dy), np.inf)
    order = np.argsort(distance, axis=1)[:, :NEAREST]
    rows = np.arange(worlds)[:, None]
    parts = [
        real,
        dx / 100.0,
        dy / 100.0,
        (velocity[0] - velocity[0][:, :1]) / 20.0,
        (velocity[1] - velocity[1][:, :1]) / 20.0,
    ]
    table = np.zeros((worlds, NEAREST, _ACTOR_FEATURES), dtype=np.float32)
    stacked = np.stack([np.where(real, part, 0.0)[rows, order] for part in parts], axis=2)
    table[:, : order.shape[1]] = stacked
    return table


def _grid(truth: dict[str, Any]) -> NDArray[np.float32]:
    real, dx, dy = _others(truth)
    # Quarter turns: with the heading itself, a lane change would swing far cells across lanes.
    quarter = np.rint(truth["heading"][:, :1] / (np.pi / 2)).astype(np.int64) % 4
    ahead = np.choose(quarter, [dx, dy, -dx, -dy])
    left = np.choose(quarter, [dy, -dx, -dy, dx])
    along = np.maximum(0.0, 1.0 - np.abs(ahead[..., None] - _AHEAD_M) / CELL_M[0])
    across = np.maximum(0.0, 1.0 - np.abs(left[..., None] - _LEFT_M) / CELL_M[1])
    full = (real[..., None] * along)[..., None] * across[..., None, :]
    cells: NDArray[np.float32] = full.max(axis=1).astype(np.float32)
    return cells


def _others(truth: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Which columns are other actors, and where they are relative to the ego, m."""
    real = truth["present"].copy()
    real[:, 0] = False  # the ego itself
    dx, dy = truth["x"] - truth["x"][:, :1], truth["y"] - truth["y"][:, :1]
    return real & (np.hypot(dx, dy) < FAR_M), dx, dy
