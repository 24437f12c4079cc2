"""Recurrent layers over packed rows: outputs and gradients are PyTorch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from drivemem_agents.memory._recurrent_kernels import layer_rows


@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN], ids=["gru", "elman"])
@pytest.mark.parametrize("counts", [[1], [6, 6, 6], [6, 6, 4, 3, 3, 1]], ids=str)
def test_rows_are_what_pytorch_makes_of_packed_sequences(kind: type, counts: list[int]) -> None:
    torch.manual_seed(0)
    layer = kind(5, 7).double()
    rows = torch.randn(sum(counts), 5, dtype=torch.float64, requires_grad=True)
    h = torch.randn(counts[0], 7, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(sum(counts), 7, dtype=torch.float64)
    sources = [rows, h, *layer.parameters()]
    ours = layer_rows(layer, rows, counts, h)
    theirs = layer(PackedSequence(rows, torch.tensor(counts)), h.unsqueeze(0))[0].data
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    for mine, other in zip(
        torch.autograd.grad(ours, sources, weights),
        torch.autograd.grad(theirs, sources, weights),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, atol=1e-12, rtol=0)
