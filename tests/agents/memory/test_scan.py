"""The scan: equal to a plain loop, in order and in parallel, with exact gradients."""

from __future__ import annotations

import pytest
import torch

from drivemem_agents.memory._scan import linear_recurrence, run_in_order, run_in_parallel


def inputs(steps: int, dtype: torch.dtype):
    generator = torch.Generator().manual_seed(steps)
    decay = 0.6 * torch.randn(steps, 3, 2, generator=generator, dtype=dtype)
    added = torch.randn(steps, 3, 2, generator=generator, dtype=dtype)
    first = torch.randn(3, 2, generator=generator, dtype=dtype)
    return decay, added, first


@pytest.mark.parametrize("run", [run_in_order, run_in_parallel])
@pytest.mark.parametrize("steps", [1, 2, 3, 8, 100])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_both_ways_equal_a_plain_loop(run, steps, dtype):
    decay, added, first = inputs(steps, dtype)
    h, expected = first, []
    for a, b in zip(decay, added, strict=True):
        h = a * h + b
        expected.append(h)
    torch.testing.assert_close(run(decay, added, first), torch.stack(expected))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("run", ["run_in_order", "run_in_parallel"])
def test_gradients_are_those_of_finite_differences(dtype, run, monkeypatch):
    import drivemem_agents.memory._scan as module

    monkeypatch.setattr(module, "_run", getattr(module, run))
    starts = torch.zeros(7, 3, dtype=torch.bool)
    starts[2, 0] = starts[0, 1] = starts[6, 2] = True
    arguments = [value.requires_grad_(True) for value in inputs(7, dtype)]
    assert torch.autograd.gradcheck(lambda *a: linear_recurrence(*a, starts), arguments)


def test_an_infinite_past_ends_at_a_start():
    decay, added, first = inputs(4, torch.float64)
    starts = torch.zeros(4, 3, dtype=torch.bool)
    starts[0] = True
    states = linear_recurrence(decay, added, torch.full_like(first, torch.inf), starts)
    torch.testing.assert_close(states[0], added[0])


def test_long_sequences_stay_exact_in_single_precision():
    decay, added, first = inputs(1024, torch.float32)
    decay = decay.sigmoid()
    exact = run_in_order(decay.double(), added.double(), first.double())
    for run in (run_in_order, run_in_parallel):
        torch.testing.assert_close(run(decay, added, first).double(), exact, atol=1e-5, rtol=1e-5)
