"""What probes decode: the nearest hidden actor, and what a scenario hides that is no actor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAR_M = 60.0
"""Hidden actors farther from the ego are no concern of its memory."""
_VEHICLE = 0
_MANY = 8
"""More distinct values than this, and a latent is a quantity rather than a kind."""

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Hidden:
    """The nearest actor that was seen in this episode and is not now, for each of N worlds."""

    id: NDArray[np.int64]
    """-1: there is none."""
    age_s: Column
    """Since it was last seen, s; NaN: there is none."""
    world: NDArray[np.float64]
    """(N, 2) its x and y, m; NaN: there is none."""
    ahead: NDArray[np.float64]
    """(N, 2) the same in the ego's frame: ahead and to the left (y of highway-env points right)."""
    speed: Column
    """m/s."""
    ego: NDArray[np.float64]
    """(N, 3) x, y m, heading rad of the ego."""


def nearest_hidden(truth: dict[str, Any]) -> Hidden:
    """The nearest hidden actor of each world.

    Args:
        truth: `env.truth()`, arrays (N, A), ego first.
    """
    x, y, heading = truth["x"], truth["y"], truth["heading"][:, 0]
    dx, dy = x - x[:, :1], y - y[:, :1]
    distance = np.hypot(dx, dy)
    counts = truth["present"] & (truth["kind"] == _VEHICLE) & ~truth["perceived"].astype(bool)
    counts &= np.isfinite(truth["age_s"]) & (truth["age_s"] > 0) & (distance <= NEAR_M)
    counts[:, 0] = False
    chosen = np.where(counts, distance, np.inf).argmin(axis=1)
    rows = np.arange(len(x))
    there = counts[rows, chosen]

    def pick(values: NDArray[Any]) -> Column:
        return np.where(there, values[rows, chosen], np.nan)

    cos, sin = np.cos(heading), np.sin(heading)
    dx, dy = pick(dx), pick(dy)
    return Hidden(
        np.where(there, truth["id"][rows, chosen], -1).astype(np.int64),
        pick(truth["age_s"]),
        np.stack([pick(x), pick(y)], axis=1),
        np.stack([cos * dx + sin * dy, cos * dy - sin * dx], axis=1),
        pick(truth["speed"]),
        np.stack([x[:, 0], y[:, 0], heading], axis=1),
    )


def to_world(ahead: NDArray[np.float64], ego: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions (R, 2) in the ego's frame back in the world's, m; `ego` as in `Hidden`."""
    cos, sin = np.cos(ego[:, 2]), np.sin(ego[:, 2])
    return np.stack(
        [
            ego[:, 0] + cos * ahead[:, 0] - sin * ahead[:, 1],
            ego[:, 1] + sin * ahead[:, 0] + cos * ahead[:, 1],
        ],
        axis=1,
    )


@dataclass(frozen=True)
class Target:
    """Something to decode at every decision at which it is defined."""

    name: str
    kinds: bool
    """Whether it is one of several kinds (logistic regression) or a quantity (ridge)."""
    values: Column
    """(R,); NaN where it is not defined."""
    age_s: Column
    """(R,) since it was last shown, s; NaN for the kind `none of it` (a hidden actor's absence)."""
    telling: NDArray[np.int64] | None = None
    """(R,) how often a cue has told it so far in the episode; None: no cue tells it."""
    part: slice | None = None
    """The numbers of the cue that tell it, one-hot where they are several; None: no cue does."""


def hidden_targets(
    ids: NDArray[np.int64], ages: Column, ahead: NDArray[np.float64], speeds: Column
) -> list[Target]:
    """Presence, position and speed of the nearest hidden actor, rows as in `Hidden`."""
    return [
        Target("hidden actor: is there one", True, (ids >= 0).astype(np.float64), ages),
        Target("hidden actor: x ahead, m", False, ahead[:, 0], ages),
        Target("hidden actor: y aside, m", False, ahead[:, 1], ages),
        Target("hidden actor: speed, m/s", False, speeds, ages),
    ]


def latent_targets(
    latent: NDArray[np.float64], ages: Column, telling: NDArray[np.int64] | None = None
) -> list[Target]:
    """The scenario's latents: one-hot rows, or parts of rows, as kinds; else each varying column.

    Args:
        latent: (R, L) `env.latent()`. What is all zeros in a one-hot part is not defined: nothing
            was told yet.
        ages: (R,) since it was last shown, s.
        telling: (R,) how often a cue has told it so far in the episode; None: no cue tells it.
            What has not been told yet is not defined.
    """
    told = np.ones(len(latent), dtype=bool) if telling is None else telling > 0
    count = _one_hot_parts(latent[told])
    if count:
        parts = latent.reshape(len(latent), count, -1)
        known = parts.any(axis=2) & told[:, None]
        values = np.asarray(np.where(known, parts.argmax(axis=2), np.nan), dtype=np.float64)
        width = parts.shape[2]
        return [
            Target(
                "latent" if count == 1 else f"latent {k + 1} of {count}", True, values[:, k], ages,
                telling, slice(k * width, (k + 1) * width),
            )
            for k in range(count)
        ]  # fmt: skip
    found = []
    for number, column in enumerate(latent.T):
        values = np.unique(column[told])
        if len(values) > 1:
            kinds = len(values) <= _MANY and bool((values == values.round()).all())
            defined = np.where(told, column, np.nan)
            found.append(
                Target(f"latent {number}", kinds, defined, ages, telling, slice(number, number + 1))
            )
    return found


def _one_hot_parts(rows: NDArray[np.float64]) -> int:
    """Of how many parts, each one-hot or zero, rows (R, L) are made; 0: of none."""
    if not rows.size or not np.isin(rows, (0.0, 1.0)).all():
        return 0
    count, width = int(rows.sum(axis=1).max()), rows.shape[1]
    if count < 1 or width % count or width // count < 2:
        return 0
    each = rows.reshape(len(rows), count, -1).sum(axis=2)
    return count if bool((each <= 1.0).all()) else 0
