"""Matrices that add up decaying outer products, many steps at once.

S' = a S + w v k^T, read as o = S' q, is linear in the state, so that a chunk of steps is two
products of matrices. Source: Dao and Gu, "Transformers are SSMs", 2024 (the chunked form).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from drivemem_agents.memory._history import episode_numbers

# Steps taken together: longer chunks cost quadratic work, shorter ones more Python calls.
_CHUNK = 32


NOTHING = -1e4
"""m of sums of nothing: its exponential is 0, and it is finite, as all of a state should be."""


class Products(NamedTuple):
    """What steps ask for and add; n matrices of p values by d keys."""

    query: Tensor
    """(..., n, d)."""
    key: Tensor
    """(..., n, d)."""
    value: Tensor
    """(..., n, p)."""
    log_keep: Tensor
    """(..., n) log a, at most 0."""
    log_weight: Tensor | None = None
    """(..., n) log w; None: all weights are 1."""


class Sums(NamedTuple):
    """Matrices, divided by exp(m) where there are weights, so that they do not overflow."""

    matrix: Tensor
    """(B, n, p, d)."""
    most: Tensor
    """(B, n) m, the log of the largest weight that is left in them; 0 where there are none.

    What is read times exp(m) does not depend on m, so that no gradient goes through it.
    """


def add(sums: Sums, told: Products) -> tuple[Tensor, Sums]:
    """One step.

    Args:
        sums: before it.
        told: of (B, n, ...).

    Returns:
        What is read, (B, n, p), divided by exp(m) of the sums after it, and these.
    """
    kept, most, value = told.log_keep + sums.most, sums.most, told.value
    if told.log_weight is not None:
        most = torch.maximum(kept, told.log_weight).detach()
        value = torch.exp(told.log_weight - most).unsqueeze(-1) * value
    old = torch.exp(kept - most)[..., None, None]
    matrix = old * sums.matrix + value.unsqueeze(-1) * told.key.unsqueeze(-2)
    return (matrix @ told.query.unsqueeze(-1)).squeeze(-1), Sums(matrix, most)


def add_all(sums: Sums, told: Products, starts: Tensor) -> tuple[Tensor, Tensor, Sums]:
    """T steps, equal to T calls of `add` with sums of nothing at `starts`.

    Args:
        sums: before them.
        told: of (T, B, n, ...), T and B at least 1.
        starts: (T, B) bool.

    Returns:
        What is read, (T, B, n, p), each divided by exp(m) of its step; m, (T, B, n); the sums
        after them.
    """
    # Time last but one, so that products of matrices run over it.
    parts = [part.permute(1, 2, 0, 3) for part in told[:3]]
    parts += [part.permute(1, 2, 0) for part in told[3:] if part is not None]
    episode = episode_numbers(starts, 1).T  # (B, 1 + T)
    reads, mosts = [], []
    for begin in range(0, starts.shape[0], _CHUNK):
        chunk = Products(*(part[:, :, begin : begin + _CHUNK] for part in parts))
        read, most, sums = _chunk(sums, chunk, episode[:, begin : begin + _CHUNK + 1])
        reads.append(read)
        mosts.append(most)
    read, most = torch.cat(reads, dim=2), torch.cat(mosts, dim=2)
    return read.permute(2, 0, 1, 3), most.permute(2, 0, 1), sums


def _chunk(sums: Sums, told: Products, episode: Tensor) -> tuple[Tensor, Tensor, Sums]:
    """C steps together.

    Args:
        sums: before the chunk.
        told: of (B, n, C, ...).
        episode: (B, 1 + C) episode numbers, that of the step before the chunk first.
    """
    q, k, v, log_keep, log_weight = told
    steps, now = log_keep.shape[2], episode[:, None, 1:]  # (B, 1, C)
    carried = now == episode[:, None, :1]
    seen = torch.ones(steps, steps, dtype=torch.bool, device=q.device).tril()
    seen = seen & (now.unsqueeze(-1) == now.unsqueeze(-2))  # (B, 1, C, C)
    # Sums of what lies between two steps: differences of running sums would round by what was
    # before an episode began.
    logs = log_keep.unsqueeze(-1).expand(-1, -1, -1, steps).tril(-1).cumsum(2)
    before = log_keep.cumsum(2) + sums.most.unsqueeze(-1)  # (B, n, C)
    most = torch.zeros_like(before)
    if log_weight is not None:
        logs = logs + log_weight.unsqueeze(-2)
        least = before.masked_fill(~carried, -torch.inf)
        most = torch.maximum(logs.masked_fill(~seen, -torch.inf).amax(-1), least).detach()
    # Masked before the exponential: what is not seen may be large.
    new = torch.exp((logs - most.unsqueeze(-1)).masked_fill(~seen, -torch.inf))
    old = torch.exp((before - most).masked_fill(~carried, -torch.inf)).unsqueeze(-1)
    # Chosen and not only weighted by 0: a broken state ends with its episode.
    told_before = torch.where(carried.unsqueeze(-1), old * (q @ sums.matrix.mT), 0.0)
    read = (new * (q @ k.mT)) @ v + told_before
    kept = torch.where(carried[:, :, -1, None, None], old[:, :, -1:] * sums.matrix, 0.0)
    last = (new[:, :, -1].unsqueeze(-1) * v).mT @ k + kept
    return read, most, Sums(last, most[:, :, -1])
