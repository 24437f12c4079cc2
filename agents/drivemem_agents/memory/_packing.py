"""Blocks in which episodes begin, packed so that a recurrent layer needs no resets inside.

A (T, B) block is cut at its episode starts; the pieces, sorted by length, are laid out time
first. Every step then is one contiguous run of slots, of which there are never more than before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]

_CANDIDATES = 48  # steps at which a group may end, at most


@dataclass(frozen=True)
class Packing:
    """Where each (step, world) of a block, R = T B rows, lies in its packed form of P slots."""

    counts: list[int]
    """Slots of each packed step, never rising; their sum is P."""
    slot_row: Tensor | None
    """(P,) the row that each slot reads (padding reads any); None: the rows as they are."""
    row_slot: Tensor | None
    """(R,) the slot that holds each row."""
    origin: Tensor
    """(S,) the world whose given state each piece continues; B for pieces that begin an episode."""


def pack(starts: Tensor, group_slots: float = 0.0) -> Packing:
    """Cut a block at its episode starts.

    Args:
        starts: (T, B) bool, T and B at least 1.
        group_slots: what it costs to change the number of slots from one step to the next, in
            slots; 0: change freely, which leaves no padding.
    """
    begins = starts.detach().cpu().numpy()
    return _pack(begins.tobytes(), begins.shape, group_slots, starts.device)


@lru_cache(maxsize=2)  # an actor's memory and its critic's get the same block one after the other
def _pack(
    starts: bytes, shape: tuple[int, int], group_slots: float, device: torch.device
) -> Packing:
    begins = np.frombuffer(starts, dtype=bool).reshape(shape).T.copy()  # (B, T)
    worlds, steps = begins.shape
    fresh = begins.copy()
    begins[:, 0] = True
    column, begin = np.nonzero(begins)
    following = np.append(begin[1:], 0)
    is_last = np.append(column[1:] != column[:-1], True)
    length = np.where(is_last, steps, following) - begin
    order = np.argsort(-length, kind="stable")
    column, begin, length = column[order], begin[order], length[order]
    origin = torch.from_numpy(np.where(fresh[column, begin], worlds, column)).to(device)
    if len(order) == worlds:  # equal lengths keep their order: worlds as they are
        return Packing([worlds] * steps, None, None, origin)
    # Pieces are sorted, so those longer than t come first: their number is a search.
    clock = np.arange(int(length[0]))
    counts = np.searchsorted(-length, -clock, side="left")
    if group_slots > 0.0:
        counts = grouped(counts, group_slots)
    piece = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    when = np.repeat(clock, counts)
    inside = when < length[piece]
    rows = (begin[piece] + np.minimum(when, length[piece] - 1)) * worlds + column[piece]
    inverse = np.empty(steps * worlds, dtype=np.int64)
    slots = np.flatnonzero(inside)
    inverse[rows[slots]] = slots
    slot_row, row_slot = (torch.from_numpy(array).to(device) for array in (rows, inverse))
    return Packing(counts.tolist(), slot_row, row_slot, origin)


def grouped(counts: Ints, group_slots: float) -> Ints:
    """Raise some counts so that they change rarely, at the least cost of padding and changes.

    Args:
        counts: (L,) slots needed at each step, never rising.
        group_slots: cost of a change, in slots.
    """
    cuts = np.flatnonzero(np.append(True, counts[1:] != counts[:-1]))
    if len(cuts) > _CANDIDATES:  # any subset will do, only less close to the optimum
        cuts = cuts[np.linspace(0, len(cuts) - 1, _CANDIDATES).astype(int)]
    cuts = np.append(cuts, len(counts))
    # cost[j] of the steps before cut j; the last group begins at cut i, with the count there.
    cost, came = np.zeros(len(cuts)), np.zeros(len(cuts), dtype=np.int64)
    for j in range(1, len(cuts)):
        options = cost[:j] + group_slots + (cuts[j] - cuts[:j]) * counts[cuts[:j]]
        came[j] = int(np.argmin(options))
        cost[j] = options[came[j]]
    raised = counts.copy()
    j = len(cuts) - 1
    while j > 0:
        i = int(came[j])
        raised[cuts[i] : cuts[j]] = counts[cuts[i]]
        j = i
    return raised


class _Spread(torch.autograd.Function):
    """Rows to slots; the gradient is gathered too, which beats adding up."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, slot_row: Tensor, row_slot: Tensor) -> Tensor:
        """Slots (P, D) of rows (R, D)."""
        ctx.save_for_backward(row_slot)
        return rows.index_select(0, slot_row)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """A row's gradient is that of its own slot: nobody reads what padding gives."""
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
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Padding gets no gradient."""
        (row_slot,) = ctx.saved_tensors
        spread = gradient.new_zeros(ctx.slots, gradient.shape[1])
        return spread.index_copy_(0, row_slot, gradient), None


def run_packed(
    x: Tensor,
    starts: Tensor,
    run: Callable[[Tensor, list[int], Tensor], Tensor],
    group_slots: float = 0.0,
) -> Tensor:
    """Run a recurrent layer over every episode piece of a block.

    Args:
        x: (T, B, D) inputs.
        starts: (T, B) bool.
        run: maps slots (P, D), the counts of the packed steps and the origins (S,) of the
            pieces to outputs (P, H); see `Packing`.
        group_slots: see `pack`.

    Returns:
        (T, B, H) outputs.
    """
    steps, worlds = starts.shape
    packing = pack(starts, group_slots)
    rows = x.reshape(steps * worlds, -1)
    if packing.slot_row is None or packing.row_slot is None:
        y = run(rows, packing.counts, packing.origin)
    else:
        slots = _Spread.apply(rows, packing.slot_row, packing.row_slot)  # type: ignore[no-untyped-call]
        y = run(slots, packing.counts, packing.origin)
        y = _Join.apply(y, packing.row_slot)  # type: ignore[no-untyped-call]
    return y.reshape(steps, worlds, -1)


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
