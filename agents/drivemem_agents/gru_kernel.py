"""A GRU layer over a block without resets, on CPU: few operations per step, gradient by hand.

PyTorch's own CPU layer records some thirty small operations per step; here it is seven forward
and four backward, the rest being done for all steps at once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def gru_block(layer: nn.GRU, x: Tensor, h: Tensor) -> Tensor:
    """The layer's outputs.

    Args:
        layer: one layer with biases, time first.
        x: (T, n, D) inputs, T at least 1.
        h: (n, H) state before step 0.

    Returns:
        (T, n, H) outputs.
    """
    inputs = nn.functional.linear(x, layer.weight_ih_l0, layer.bias_ih_l0)
    y: Tensor = _Recurrence.apply(inputs, h, layer.weight_hh_l0, layer.bias_hh_l0)  # type: ignore[no-untyped-call]
    return y


class _Recurrence(torch.autograd.Function):
    """r, z = sigmoid(i + U h + b); n = tanh(i_n + r (U_n h + b_n)); h' = n + z (h - n)."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Outputs (T, n, H) from input parts of the gates (T, n, 3H)."""
        steps, _, size = inputs.shape[0], inputs.shape[1], h.shape[1]
        gates = torch.empty_like(inputs)  # r, z, n
        recurrent = torch.empty_like(inputs)  # U h + b
        states = inputs.new_empty(steps + 1, *h.shape)
        states[0] = h
        transposed = weight.t()
        at = states.unbind(0)
        per_step = zip(
            inputs[..., : 2 * size].unbind(0), inputs[..., 2 * size :].unbind(0),
            recurrent.unbind(0),
            recurrent[..., : 2 * size].unbind(0), recurrent[..., 2 * size :].unbind(0),
            gates[..., : 2 * size].unbind(0), gates[..., :size].unbind(0),
            gates[..., size : 2 * size].unbind(0), gates[..., 2 * size :].unbind(0),
            at[:-1], at[1:], strict=True,
        )  # fmt: skip
        for in_rz, in_n, rec, rec_rz, rec_n, rz, r, z, n, before, after in per_step:
            torch.addmm(bias, before, transposed, out=rec)
            torch.add(in_rz, rec_rz, out=rz)
            rz.sigmoid_()
            torch.addcmul(in_n, r, rec_n, out=n)
            n.tanh_()
            torch.lerp(n, before, z, out=after)
        ctx.save_for_backward(gates, recurrent, states, weight)
        return states[1:].clone() if ctx.needs_input_grad[0] else states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Everything but the carried gradient is done for all steps at once."""
        gates, recurrent, states, weight = ctx.saved_tensors
        steps, count, size = gradient.shape
        r, z, n = gates.split(size, dim=-1)
        into_n = (1.0 - z) * (1.0 - n * n)
        factors = gates.new_empty(steps, count, 3, size)  # d(U h + b) over d h'
        torch.mul(into_n * recurrent[..., 2 * size :], r * (1.0 - r), out=factors[:, :, 0])
        torch.mul(states[:-1] - n, z * (1.0 - z), out=factors[:, :, 1])
        torch.mul(into_n, r, out=factors[:, :, 2])
        carried = gradient.new_zeros(count, size)
        through = torch.empty_like(gradient)  # d h', all of it
        pulled = factors  # overwritten step by step: d(U h + b)
        flat = pulled.view(steps, count, 3 * size)
        lists = zip(
            gradient.unbind(0), through.unbind(0), through.unsqueeze(2).unbind(0),
            pulled.unbind(0), flat.unbind(0), z.unbind(0), strict=True,
        )  # fmt: skip
        for given, total, wide, pull, pull_flat, keep in reversed(list(lists)):
            torch.add(given, carried, out=total)
            pull.mul_(wide)
            carried = torch.addmm(total * keep, pull_flat, weight)
        to_inputs = flat.clone()
        torch.mul(through, into_n, out=to_inputs[..., 2 * size :])
        rows = flat.view(-1, 3 * size)
        to_weight = rows.t() @ states[:-1].reshape(-1, size)
        return to_inputs, carried, to_weight, rows.sum(0)
