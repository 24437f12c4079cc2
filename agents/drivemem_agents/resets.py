"""Blocks in which episodes begin, packed so that a recurrent layer needs no resets inside.

A (T, B) block is cut at its episode starts; the pieces, sorted by length, are laid out time
first. Every step then is one contiguous run of rows and there is no padding at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Packing:
    """Where each (step, world) of a block lies in its packed form, R = T B rows."""

    counts: list[int]
    """Pieces still going on at each packed step, never rising; their sum is R."""
    packed_row: Tensor | None
    """(R,) the block's row that each packed row holds; None: the block is packed as it is."""
    block_row: Tensor | None
    """(R,) the inverse."""
    origin: Tensor
    """(S,) the world whose given state each piece continues; B for pieces that begin an episode."""


def pack(starts: Tensor) -> Packing:
    """Cut a block at its episode starts.

    Args:
        starts: (T, B) bool, T and B at least 1.
    """
    begins = starts.detach().cpu().numpy().T.copy()  # (B, T)
    worlds, steps = begins.shape
    fresh = begins.copy()
    begins[:, 0] = True
    column, begin = np.nonzero(begins)
    following = np.append(begin[1:], 0)
    is_last = np.append(column[1:] != column[:-1], True)
    length = np.where(is_last, steps, following) - begin
    order = np.argsort(-length, kind="stable")
    column, begin, length = column[order], begin[order], length[order]
    origin = torch.from_numpy(np.where(fresh[column, begin], worlds, column)).to(starts.device)
    if len(order) == worlds:  # stable order: worlds as they are
        return Packing([worlds] * steps, None, None, origin)
    # Pieces are sorted, so those longer than t come first: their number is a search.
    counts = np.searchsorted(-length, -np.arange(int(length[0])), side="left")
    piece = np.arange(len(counts) * len(order)).reshape(len(counts), -1) % len(order)
    inside = piece < counts[:, None]
    rows = ((np.arange(len(counts))[:, None] + begin) * worlds + column)[inside]
    inverse = np.empty_like(rows)
    inverse[rows] = np.arange(len(rows))
    return Packing(
        counts.tolist(),
        torch.from_numpy(rows).to(starts.device),
        torch.from_numpy(inverse).to(starts.device),
        origin,
    )


class _Permute(torch.autograd.Function):
    """Rows in another order; the gradient is gathered by the inverse, which beats adding up."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, rows: Tensor, order: Tensor,
                inverse: Tensor) -> Tensor:  # fmt: skip
        """rows[order]."""
        ctx.save_for_backward(inverse)
        return rows.index_select(0, order)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor, None, None]:
        """gradient[inverse]."""
        (inverse,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradient.index_select(0, inverse), None, None


def permute(rows: Tensor, order: Tensor | None, inverse: Tensor | None) -> Tensor:
    """Rows (R, D) in the given order; `inverse` undoes it. None: as they are."""
    if order is None:
        return rows
    permuted: Tensor = _Permute.apply(rows, order, inverse)  # type: ignore[no-untyped-call]
    return permuted


def run_packed(
    x: Tensor, starts: Tensor, run: Callable[[Tensor, list[int], Tensor], Tensor]
) -> Tensor:
    """Run a recurrent layer over every episode piece of a block.

    Args:
        x: (T, B, D) inputs.
        starts: (T, B) bool.
        run: maps packed rows (R, D), the counts of the packed steps and the origins (S,) of the
            pieces to packed outputs (R, H); see `Packing`.

    Returns:
        (T, B, H) outputs.
    """
    steps, worlds = starts.shape
    packing = pack(starts)
    rows = permute(x.reshape(steps * worlds, -1), packing.packed_row, packing.block_row)
    y = run(rows, packing.counts, packing.origin)
    return permute(y, packing.block_row, packing.packed_row).reshape(steps, worlds, -1)


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
