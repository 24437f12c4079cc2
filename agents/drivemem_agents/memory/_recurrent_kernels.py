"""Recurrent layers over packed rows on CPU: a few operations per step, their gradients by hand.

Autograd through a loop records some thirty small operations per step. Here only what depends on
the step before is done step by step; projections, local derivatives and weight gradients are
single operations over all steps. Rows are packed (see `resets`): time first, counts not rising.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def layer_rows(layer: nn.GRU | nn.RNN, rows: Tensor, counts: list[int], h: Tensor) -> Tensor:
    """Outputs (R, H) of a layer.

    Args:
        layer: one layer, one direction, with biases; a tanh network if it is plain.
        rows: (R, D) packed inputs.
        counts: rows of each step.
        h: (S, H) state of each piece before its first step.
    """
    weight_ih, weight_hh, bias_ih, bias_hh = layer.parameters()
    y: Tensor
    if isinstance(layer, nn.GRU):
        inputs = nn.functional.linear(rows, weight_ih, bias_ih)
        y = _GRU.apply(inputs, counts, h, weight_hh, bias_hh)  # type: ignore[no-untyped-call]
    else:
        inputs = nn.functional.linear(rows, weight_ih, bias_ih + bias_hh)
        y = _Elman.apply(inputs, counts, h, weight_hh)  # type: ignore[no-untyped-call]
    return y


def _with_first(first: Tensor, rows: int) -> Tensor:
    """Storage of a state for every row, the states before the first step in front (S + R, H)."""
    states = first.new_empty(first.shape[0] + rows, first.shape[1])
    states[: first.shape[0]] = first
    return states


def _before(states: Tensor, counts: list[int]) -> tuple[Tensor, ...]:
    """For each step, the rows of `states` before it."""
    begin, views = 0, []
    for previous, count in zip([counts[0], *counts], counts, strict=False):
        views.append(states[begin : begin + count])
        begin += previous
    return tuple(views)


def _all_before(states: Tensor, counts: list[int]) -> Tensor:
    """The same for all steps at once (R, H)."""
    if counts[0] == counts[-1]:
        return states[: -counts[0]]
    begins = np.cumsum([0, counts[0], *counts[:-2]])
    shift = np.repeat(begins - np.cumsum([0, *counts[:-1]]), counts)
    rows = torch.from_numpy(np.arange(len(shift)) + shift)
    return states.index_select(0, rows)


def _steps(counts: list[int], *parts: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The parts' rows (R, ...) step by step, from the last step to the first."""
    steps: list[tuple[Tensor, ...]] = list(
        zip(*(part.split(counts) for part in parts), strict=True)
    )
    return reversed(steps)


class _Elman(torch.autograd.Function):
    """h' = tanh(x + U h)."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, counts: list[int], h: Tensor, weight: Tensor) -> Tensor:
        """Outputs (R, H) from the inputs' part (R, H)."""
        h_all = _with_first(h, inputs.shape[0])
        transposed = weight.t()
        new = h_all[h.shape[0] :].split(counts)
        for x, h_new, h_old in zip(inputs.split(counts), new, _before(h_all, counts), strict=True):
            torch.addmm(x, h_old, transposed, out=h_new).tanh_()
        ctx.save_for_backward(h_all, weight)
        ctx.counts = counts
        return h_all[h.shape[0] :].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        """Only the carried gradient goes step by step."""
        h_all, weight = ctx.saved_tensors
        counts = ctx.counts
        y = h_all[counts[0] :]
        slope = torch.addcmul(y.new_ones(()), y, y, value=-1.0)
        pulled = gradient.clone(memory_format=torch.contiguous_format)
        d_h: Tensor | None = None
        for pull, slope_t in _steps(counts, pulled, slope):
            if d_h is not None:
                pull[: d_h.shape[0]].add_(d_h)
            pull.mul_(slope_t)
            d_h = pull @ weight
        return pulled, None, d_h, pulled.t() @ _all_before(h_all, counts)


class _GRU(torch.autograd.Function):
    """r, z = sigmoid(x + U h + b); n = tanh(x_n + r (U_n h + b_n)); h' = n + z (h - n)."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, counts: list[int], h: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        """Outputs (R, H) from the inputs' part of the gates (R, 3H), in the order r, z, n."""
        size, rows = h.shape[1], inputs.shape[0]
        gates = inputs.clone()
        gates[:, : 2 * size] += bias[: 2 * size]
        candidate = bias[2 * size :].repeat(rows, 1)  # U_n h + b_n
        h_all = _with_first(h, rows)
        to_rz, to_n = weight.t().split((2 * size, size), dim=1)
        rz = gates[:, : 2 * size]
        parts = (rz, *gates.split(size, dim=1), candidate, h_all[h.shape[0] :])
        per_step = zip(*(part.split(counts) for part in parts), _before(h_all, counts), strict=True)
        for rz_t, r_t, z_t, n_t, candidate_t, h_new, h_old in per_step:
            rz_t.addmm_(h_old, to_rz).sigmoid_()
            n_t.addcmul_(r_t, candidate_t.addmm_(h_old, to_n)).tanh_()
            torch.lerp(n_t, h_old, z_t, out=h_new)
        ctx.save_for_backward(gates, candidate, h_all, weight)
        ctx.counts = counts
        return h_all[h.shape[0] :].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        """Only the carried gradient goes step by step."""
        gates, candidate, h_all, weight = ctx.saved_tensors
        counts, size = ctx.counts, gradient.shape[1]
        r, z, n = gates.split(size, dim=1)
        before = _all_before(h_all, counts)
        closed = 1.0 - z
        into_n = torch.addcmul(closed, closed * n, n, value=-1.0)
        # d (U h + b) / d h' and z, the direct way back; then the gradients of both.
        pulled = gates.new_empty(gates.shape[0], 4 * size)
        pulled_r, pulled_z, pulled_n, kept = pulled.split(size, dim=1)
        torch.mul(into_n, r, out=pulled_n)
        torch.mul(pulled_n, candidate, out=pulled_r).mul_(1.0 - r)
        torch.sub(before, n, out=pulled_z).mul_(closed).mul_(z)
        kept.copy_(z)
        total = gradient.clone(memory_format=torch.contiguous_format)
        gates_only = pulled[:, : 3 * size]
        d_h: Tensor | None = None
        for dh, pull, kept_t, gates_t in _steps(
            counts, total.unsqueeze(1), pulled.view(-1, 4, size), kept, gates_only
        ):
            if d_h is not None:
                dh[: d_h.shape[0]].add_(d_h.unsqueeze(1))
            pull.mul_(dh)
            d_h = torch.addmm(kept_t, gates_t, weight)
        to_inputs = gates_only.clone()
        torch.mul(total, into_n, out=to_inputs[:, 2 * size :])
        return to_inputs, None, d_h, gates_only.t() @ before, gates_only.sum(0)
