"""Running a recurrent layer over sequences in which episodes begin: split, bucket, run, join.

A loop over time steps costs a Python call per step; cutting the (T, B) block at episode starts
gives sequences that need no resets inside, which a fused layer runs at once. Sorted by length
and run in a few buckets, they need little padding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]

# A bucket costs about as much as this many padded steps, whatever its size (measured on CPU).
_BUCKET_OVERHEAD_STEPS = 8


@dataclass(frozen=True)
class Segments:
    """The pieces of a (T, B) block between episode starts, in the order of their columns."""

    column: Ints
    """Which world each piece belongs to (S,)."""
    begin: Ints
    """First step of each piece (S,)."""
    length: Ints
    """Steps of each piece (S,)."""
    fresh: NDArray[np.bool_]
    """Whether the piece begins an episode (S,); the others continue from the given state."""


def split_at_starts(starts: Tensor) -> Segments:
    """Cut a block at its episode starts.

    Args:
        starts: (T, B) bool.
    """
    begins = starts.detach().cpu().numpy().T.copy()  # (B, T)
    fresh = begins.copy()
    begins[:, 0] = True
    column, begin = np.nonzero(begins)
    steps = begins.shape[1]
    following = np.append(begin[1:], 0)
    last = np.append(column[1:] != column[:-1], True)
    length = np.where(last, steps, following) - begin
    return Segments(column, begin, length, fresh[column, begin])


def buckets(length: Ints) -> list[Ints]:
    """Group pieces of similar length so that padding and the number of groups stay small.

    Args:
        length: (S,) steps of each piece.

    Returns:
        Indices of the pieces of each group.
    """
    order = np.argsort(-length, kind="stable")
    groups: list[Ints] = []
    while len(order):
        ordered = length[order]
        longest = int(ordered[0])
        # Splitting after n pieces saves padding for the rest and costs one more run.
        count = np.arange(1, len(order) + 1)
        rest = np.append(ordered[1:], 0)
        saved = (longest - rest) * (len(order) - count)
        best = int(np.argmax(saved))
        if saved[best] <= 0.15 * longest * len(order) or longest <= _BUCKET_OVERHEAD_STEPS:
            best = len(order) - 1
        groups.append(order[: best + 1])
        order = order[best + 1 :]
    return groups


def run_segments(
    x: Tensor,
    starts: Tensor,
    width: int,
    run: Callable[[Tensor, Tensor, Ints], Tensor],
) -> Tensor:
    """Run a recurrent layer over every episode piece of a block.

    Args:
        x: (T, B, D) inputs.
        starts: (T, B) bool.
        width: H of the layer's output.
        run: maps a padded group (L, n, D), the worlds whose given state each piece continues
            (n,) as a tensor with -1 for pieces that begin an episode, and the lengths (n,), to
            outputs (L, n, H); what it returns behind a piece's end is not read.

    Returns:
        (T, B, H) outputs.
    """
    steps, worlds = starts.shape
    pieces = split_at_starts(starts)
    flat = x.reshape(steps * worlds, x.shape[-1])
    targets, outputs = [], []
    for group in buckets(pieces.length):
        length = pieces.length[group]
        longest = int(length.max())
        clock = np.arange(longest)[:, None]  # (L, 1)
        inside = clock < length[None]
        at = (pieces.begin[group] + np.minimum(clock, length - 1)) * worlds + pieces.column[group]
        padded = flat[torch.from_numpy(at.ravel()).to(x.device)].reshape(longest, len(group), -1)
        origin = np.where(pieces.fresh[group], -1, pieces.column[group])
        y = run(padded, torch.from_numpy(origin).to(x.device), length)
        outputs.append(y.reshape(-1, width)[torch.from_numpy(np.flatnonzero(inside)).to(x.device)])
        targets.append(at.ravel()[inside.ravel()])
    where = np.concatenate(targets)
    back = np.empty_like(where)
    back[where] = np.arange(len(where))
    joined = torch.cat(outputs)[torch.from_numpy(back).to(x.device)]
    return joined.reshape(steps, worlds, width)


def last_pieces(x: Tensor, starts: Tensor) -> tuple[Tensor, Ints, NDArray[np.bool_]]:
    """The inputs since the last episode start of every world, left-aligned.

    Args:
        x: (T, B, D) inputs.
        starts: (T, B) bool.

    Returns:
        (L, B, D) padded inputs, their lengths (B,), and whether each begins an episode (B,).
    """
    steps, worlds = starts.shape
    begins = starts.detach().cpu().numpy()
    fresh: NDArray[np.bool_] = np.asarray(begins.any(axis=0))
    begin = np.where(fresh, steps - 1 - np.argmax(begins[::-1], axis=0), 0)
    length = steps - begin
    at = np.minimum(begin + np.arange(int(length.max()))[:, None], steps - 1)
    column = np.broadcast_to(np.arange(worlds), at.shape)
    index = torch.from_numpy((at * worlds + column).ravel()).to(x.device)
    pieces = x.reshape(steps * worlds, -1)[index].reshape(at.shape[0], worlds, x.shape[-1])
    return pieces, length, fresh
