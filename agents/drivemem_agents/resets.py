"""Running a recurrent layer over sequences in which episodes begin: split, bucket, run, join.

A loop over time steps costs a Python call per step; cutting the (T, B) block at episode starts
gives sequences that need no resets inside, which a fused layer runs at once. Sorted by length
and run in a few buckets, they need little padding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]

# What a bucket costs besides its rows, on one core: about 300 us once and 20 us each step, where
# a row of a step costs about 1.2e-4 us for each weight (LSTM, forward and backward, H 64 to 256).
_BUCKET_ROWS_TIMES_WEIGHTS = 2.5e6
_STEP_ROWS_TIMES_WEIGHTS = 1.7e5
_GPU_SHARE = 50.0  # a GPU runs rows side by side: its cost is nearly all per step
_CANDIDATES = 32  # distinct lengths that are tried as a bucket's longest


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


def buckets(length: Ints, bucket_rows: float, step_rows: float) -> list[Ints]:
    """Group pieces of similar length at the least cost of padding and of running groups.

    Args:
        length: (S,) steps of each piece.
        bucket_rows: what running one more group costs, in rows of one step.
        step_rows: what each step of a group costs, in rows of one step.

    Returns:
        Indices of the pieces of each group, the longest first.
    """
    order = np.argsort(-length, kind="stable")
    ordered = length[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    if len(first) > _CANDIDATES:  # any subset of cuts is allowed, only less close to the optimum
        first = first[np.linspace(0, len(first) - 1, _CANDIDATES).astype(int)]
    cuts = np.append(first, len(ordered))
    # cost[j] of the pieces before cut j; the last group begins at cut i and is as long as there.
    cost, came = np.zeros(len(cuts)), np.zeros(len(cuts), dtype=int)
    longest = ordered[first]
    for j in range(1, len(cuts)):
        rows = cuts[j] - cuts[:j] + step_rows
        options = cost[:j] + bucket_rows + longest[:j] * rows
        came[j] = int(np.argmin(options))
        cost[j] = options[came[j]]
    groups: list[Ints] = []
    j = len(cuts) - 1
    while j > 0:
        groups.append(order[cuts[came[j]] : cuts[j]])
        j = int(came[j])
    return groups[::-1]


class _Spread(torch.autograd.Function):
    """Rows to slots and back, both ways by gathering, which is faster than adding up."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, slot_row: Tensor, row_slot: Tensor) -> Tensor:
        """Slots (P, D) of rows (R, D); slots of padding repeat a row and must not be read."""
        ctx.save_for_backward(row_slot)
        return rows.index_select(0, slot_row)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        """Each row's gradient is that of the one slot that was read."""
        (row_slot,) = ctx.saved_tensors
        return gradient.index_select(0, row_slot), None, None


class _Join(torch.autograd.Function):
    """Slots to rows: the inverse of `_Spread`, without the padding."""

    @staticmethod
    def forward(ctx: Any, slots: Tensor, row_slot: Tensor) -> Tensor:
        """Rows (R, H) of slots (P, H)."""
        ctx.save_for_backward(row_slot)
        ctx.slots = slots.shape[0]
        return slots.index_select(0, row_slot)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        """Padding gets no gradient."""
        (row_slot,) = ctx.saved_tensors
        spread = gradient.new_zeros(ctx.slots, gradient.shape[1])
        return spread.index_copy_(0, row_slot, gradient), None


def run_segments(
    x: Tensor,
    starts: Tensor,
    weights: int,
    run: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Run a recurrent layer over every episode piece of a block.

    Args:
        x: (T, B, D) inputs.
        starts: (T, B) bool.
        weights: how many weights the layer has, which says what a step costs.
        run: maps a padded group (L, n, D) and the worlds whose given state each piece continues
            (n,), B for pieces that begin an episode, to outputs (L, n, H); what it returns
            behind a piece's end is not read.

    Returns:
        (T, B, H) outputs.
    """
    steps, worlds = starts.shape
    pieces = split_at_starts(starts)
    share = _GPU_SHARE if x.is_cuda else 1.0
    groups = buckets(
        pieces.length,
        share * _BUCKET_ROWS_TIMES_WEIGHTS / weights,
        share * _STEP_ROWS_TIMES_WEIGHTS / weights,
    )
    sizes = [(int(pieces.length[group[0]]), len(group)) for group in groups]
    read = []  # for each slot of each group, time first, which row of x it reads
    row_slot = np.empty(steps * worlds, dtype=np.int64)
    offset = 0
    for group, (longest, count) in zip(groups, sizes, strict=True):
        clock, length = np.arange(longest)[:, None], pieces.length[group]
        at = (pieces.begin[group] + np.minimum(clock, length - 1)) * worlds + pieces.column[group]
        inside = np.flatnonzero(clock < length)
        at = at.ravel()
        row_slot[at[inside]] = inside + offset
        read.append(at)
        offset += longest * count
    back = torch.from_numpy(row_slot).to(x.device)
    slot_row = torch.from_numpy(np.concatenate(read)).to(x.device)
    slots = _Spread.apply(x.reshape(steps * worlds, -1), slot_row, back)
    order = np.concatenate(groups)
    origin = np.where(pieces.fresh[order], worlds, pieces.column[order])
    origins = torch.from_numpy(origin).to(x.device)
    outputs = []
    parts = slots.split([longest * count for longest, count in sizes])
    for part, whose, (longest, count) in zip(
        parts, origins.split([count for _, count in sizes]), sizes, strict=True
    ):
        y = run(part.reshape(longest, count, -1), whose)
        outputs.append(y.reshape(longest * count, -1))
    joined: Tensor = _Join.apply(outputs[0] if len(outputs) == 1 else torch.cat(outputs), back)
    return joined.reshape(steps, worlds, -1)


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
