"""Tanh between layers: PyTorch's values and gradients, and its own operation where it is read."""

from __future__ import annotations

import pytest
import torch

from drivemem_agents.activation import Tanh

WIDE = torch.cat([torch.linspace(-12.0, 12.0, 4001), torch.tensor([0.0, 1e-9, -60.0, 60.0])])


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 2e-7), (torch.float64, 1e-15)], ids=str
)
@pytest.mark.parametrize("learning", [False, True])
def test_values_are_tanh(dtype: torch.dtype, tolerance: float, learning: bool) -> None:
    x = WIDE.to(dtype).requires_grad_(learning)
    y = Tanh()(x)
    torch.testing.assert_close(y.detach(), torch.tanh(x).detach(), atol=tolerance, rtol=0)
    assert y.requires_grad == learning
    assert float(y.detach().abs().max()) <= 1.0


def test_gradients_are_those_of_tanh() -> None:
    x = WIDE.double().requires_grad_(True)
    weights = torch.linspace(-1.0, 2.0, len(x), dtype=torch.float64)
    (ours,) = torch.autograd.grad(Tanh()(x), x, weights)
    (theirs,) = torch.autograd.grad(torch.tanh(x), x, weights)
    torch.testing.assert_close(ours, theirs, atol=1e-14, rtol=0)


def test_the_input_is_left_alone() -> None:
    x = WIDE.clone()
    Tanh()(x)
    assert torch.equal(x, WIDE)


def test_low_precision_is_left_to_pytorch() -> None:
    x = WIDE.bfloat16()
    assert torch.equal(Tanh()(x), torch.tanh(x))


def test_an_exporter_meets_one_operation() -> None:
    program = torch.export.export(Tanh(), (torch.zeros(3),))
    called = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert called == ["aten.tanh.default"]
