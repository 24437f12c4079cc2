"""Matrices of fast weights under the delta rule, many steps at once.

S' = a S + b (v - a S k) k^T is a recurrence of matrices, whose corrections of a chunk of steps obey
a triangular system. Source: Yang et al., "Parallelizing linear transformers with the delta rule
over sequence length", 2024; with the decay a: Yang et al., "Gated delta networks", 2024.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from drivemem_agents.memory._history import episode_numbers

# Steps solved together: longer chunks cost quadratic work, shorter ones more Python calls.
_CHUNK = 32


class Associations(NamedTuple):
    """What steps ask for and store; d is the side of a matrix, n how many there are."""

    query: Tensor
    """(..., n, d)."""
    key: Tensor
    """(..., n, d), of unit length."""
    value: Tensor
    """(..., n, d)."""
    rate: Tensor
    """(..., n, 1) b, how much of the error is corrected, 0 to 1."""
    log_keep: Tensor | None = None
    """(..., n, 1) log a, which part of S is kept, at most 0; None: all."""


def unit(x: Tensor) -> Tensor:
    """silu(x) of unit length over the last dimension."""
    return nn.functional.normalize(nn.functional.silu(x), dim=-1, eps=1e-6)


def correct(fast: Tensor, told: Associations) -> tuple[Tensor, Tensor]:
    """One step.

    Args:
        fast: S (B, n, d, d), values by keys.
        told: of (B, n, d).

    Returns:
        What is read, (B, n, d), and S'.
    """
    kept = fast if told.log_keep is None else told.log_keep.exp().unsqueeze(-1) * fast
    error = told.value - (kept @ told.key.unsqueeze(-1)).squeeze(-1)
    fast = kept + (told.rate * error).unsqueeze(-1) * told.key.unsqueeze(-2)
    return (fast @ told.query.unsqueeze(-1)).squeeze(-1), fast


def correct_all(fast: Tensor, told: Associations, starts: Tensor) -> tuple[Tensor, Tensor]:
    """T steps, equal to T calls of `correct` with S zero at `starts`.

    Args:
        fast: S before them, (B, n, d, d).
        told: of (T, B, n, d), T and B at least 1.
        starts: (T, B) bool.

    Returns:
        What is read, (T, B, n, d), and S after them.
    """
    parts = _each(told, lambda part: part.permute(1, 2, 0, 3))
    episode = episode_numbers(starts, 1).T  # (B, 1 + T)
    reads = []
    for begin in range(0, starts.shape[0], _CHUNK):
        chunk = _each(parts, partial(_narrow, begin=begin))
        read, fast = _chunk(fast, chunk, episode[:, begin : begin + _CHUNK + 1])
        reads.append(read)
    return torch.cat(reads, dim=2).permute(2, 0, 1, 3), fast


def _narrow(part: Tensor, begin: int) -> Tensor:
    return part[:, :, begin : begin + _CHUNK]


def _each(told: Associations, change: Callable[[Tensor], Tensor]) -> Associations:
    q, k, v, rate, keep = told
    changed = None if keep is None else change(keep)
    return Associations(change(q), change(k), change(v), change(rate), changed)


def _chunk(fast: Tensor, told: Associations, episode: Tensor) -> tuple[Tensor, Tensor]:
    """C steps together.

    With S_0 before the chunk and g_t the product of a up to step t, the corrections u_t = b_t (v_t
    - a_t S_{t-1} k_t) obey (I + tril(b (g_t / g_i) k_t k_i, -1)) U = b (V - g K S_0^T); steps of
    different episodes do not see each other.

    Args:
        fast: S before the chunk, (B, n, d, d).
        told: of (B, n, C, d).
        episode: (B, 1 + C) episode numbers, that of the step before the chunk first.

    Returns:
        What is read, (B, n, C, d), and S after the chunk.
    """
    q, k, v, rate, log_keep = told
    now = episode[:, None, 1:]  # (B, 1, C)
    same = now.unsqueeze(-1) == now.unsqueeze(-2)  # (B, 1, C, C)
    carried = (now == episode[:, None, :1]).unsqueeze(-1)  # (B, 1, C, 1)
    alike, seen = k @ k.mT, q @ k.mT
    before, read = k @ fast.mT, q @ fast.mT
    if log_keep is not None:
        since = log_keep.cumsum(2)  # (B, n, C, 1), log g
        # Sums of what lies between two steps, for differences of `since` would round by what
        # was before an episode began.
        steps = log_keep.expand(-1, -1, -1, log_keep.shape[2])
        between = steps.tril(-1).cumsum(2).exp()
        alike, seen = alike * between, seen * between
        before, read = since.exp() * before, since.exp() * read
    before = torch.where(carried, before, 0.0)
    system = torch.where(same, rate * alike, 0.0).tril(-1)
    # Unitriangular: the ones on the diagonal are implied.
    corrections = torch.linalg.solve_triangular(
        system, rate * (v - before), upper=False, unitriangular=True
    )
    read = torch.where(carried, read, 0.0) + torch.where(same, seen, 0.0).tril() @ corrections
    kept = fast if log_keep is None else since[:, :, -1:].exp() * fast
    last = corrections if log_keep is None else between[:, :, -1].unsqueeze(-1) * corrections
    kept = torch.where(carried[:, :, -1:], kept, 0.0)
    last = torch.where(same[:, :, -1].unsqueeze(-1), last, 0.0)
    return read, kept + last.mT @ k
