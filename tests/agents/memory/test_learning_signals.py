"""What training needs of every memory: gradients, device, determinism, ragged states."""

from __future__ import annotations

import pytest
import torch

from drivemem_agents.memory import Memory, make_memory, memory_names

D = 5


def build(name: str, dtype: torch.dtype = torch.float64) -> Memory:
    torch.manual_seed(0)
    return make_memory(name, D).to(dtype)


def block(steps: int, batch: int, dtype: torch.dtype = torch.float64, share: float = 0.2):
    generator = torch.Generator().manual_seed(7 * steps + batch)
    x = torch.randn(steps, batch, D, generator=generator, dtype=dtype)
    return x, torch.rand(steps, batch, generator=generator) < share


def stepwise(memory: Memory, x, state, starts):
    outputs = []
    for frame, begins in zip(x, starts, strict=True):
        y, state = memory.step(frame, memory.reset(state, begins))
        outputs.append(y)
    return torch.stack(outputs), state


def gradients(memory: Memory, loss) -> dict[str, torch.Tensor]:
    names, weights = zip(*memory.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, weights, allow_unused=True)
    return {
        name: torch.zeros_like(weight) if gradient is None else gradient
        for name, weight, gradient in zip(names, weights, found, strict=True)
    }


@pytest.mark.parametrize("name", memory_names())
def test_gradients_of_sequence_are_those_of_steps(name):
    memory = build(name)
    x, starts = block(21, 4)
    weight = torch.randn(21, 4, memory.output_size, dtype=torch.float64)
    x.requires_grad_(True)
    results = []
    for run in (memory.sequence, lambda *a: stepwise(memory, *a)):
        y, _ = run(x, memory.initial_state(4), starts)
        loss = (y * weight).sum()
        own = gradients(memory, loss) if list(memory.parameters()) else {}
        y, _ = run(x, memory.initial_state(4), starts)
        results.append((torch.autograd.grad((y * weight).sum(), x)[0], own))
    (into_x, own), (into_x_stepwise, own_stepwise) = results
    torch.testing.assert_close(into_x, into_x_stepwise, atol=1e-9, rtol=1e-9)
    for key, gradient in own.items():
        torch.testing.assert_close(gradient, own_stepwise[key], atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", memory_names())
def test_every_weight_is_trained(name):
    memory = build(name)
    if not list(memory.parameters()):
        pytest.skip("a memory without weights")
    x, starts = block(12, 6)
    y, _ = memory.sequence(x, memory.initial_state(6), starts)
    loss = (y * torch.randn_like(y)).sum()
    cost = memory.auxiliary_loss()
    for key, gradient in gradients(memory, loss if cost is None else loss + cost).items():
        assert torch.isfinite(gradient).all(), key
        assert torch.count_nonzero(gradient) > 0, f"{key} gets no gradient"


@pytest.mark.parametrize("name", memory_names())
def test_a_broken_state_ends_with_its_episode(name):
    memory = build(name)
    state = memory.initial_state(3)
    if not state:
        pytest.skip("a memory without state")
    x, starts = block(6, 3, share=0.0)
    starts[0] = True
    broken = {key: torch.full_like(value, torch.nan) for key, value in state.items()}
    with torch.no_grad():
        expected, last = memory.sequence(x, state, starts)
        y, after = memory.sequence(x, broken, starts)
        assert torch.equal(y, expected)
        for key in last:
            assert torch.equal(after[key], last[key])


@pytest.mark.parametrize("name", memory_names())
def test_the_past_changes_nothing_after_a_start_to_the_last_bit(name):
    memory = build(name, torch.float32)
    x, starts = block(40, 3, torch.float32, share=0.0)
    starts[17] = True
    other = x.clone()
    other[:17] = 100.0 * torch.randn(17, 3, D)
    with torch.no_grad():
        y, last = memory.sequence(x, memory.initial_state(3), starts)
        z, after = memory.sequence(other, memory.initial_state(3), starts)
    assert torch.equal(y[17:], z[17:])
    for key in last:
        assert torch.equal(last[key], after[key])


@pytest.mark.parametrize("name", memory_names())
def test_worlds_do_not_mix(name):
    memory = build(name)
    x, starts = block(30, 5)
    with torch.no_grad():
        together, _ = memory.sequence(x, memory.initial_state(5), starts)
        for i in range(5):
            own = slice(i, i + 1)
            alone, _ = memory.sequence(x[:, own], memory.initial_state(1), starts[:, own])
            torch.testing.assert_close(together[:, own], alone, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", memory_names())
def test_same_seed_same_weights_and_outputs(name):
    x, starts = block(15, 4)
    found = []
    for _ in range(2):
        memory = build(name)
        with torch.no_grad():
            found.append(memory.sequence(x, memory.initial_state(4), starts)[0])
    assert torch.equal(*found)


@pytest.mark.parametrize("name", memory_names())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_everything_keeps_the_memorys_dtype(name, dtype):
    memory = build(name, dtype)
    x, starts = block(4, 3, dtype)
    y, after = memory.sequence(x, memory.initial_state(3), starts)
    z, following = memory.step(x[0], after)
    assert y.dtype == z.dtype == dtype
    if list(memory.parameters()):
        for state in (memory.initial_state(3), after, following):
            assert {value.dtype for value in state.values()} <= {dtype}


@pytest.mark.parametrize("name", memory_names())
def test_everything_stays_on_the_memorys_device(name):
    # The meta device stands in for a GPU: mixing devices raises there as it would on one.
    memory = build(name, torch.float32).to("meta")
    x = torch.empty(3, D, device="meta")
    y, after = memory.step(x, memory.initial_state(3))
    assert {y.device.type, *(value.device.type for value in after.values())} == {"meta"}


@pytest.mark.parametrize("name", memory_names())
def test_states_have_one_shape(name):
    memory = build(name)
    x, starts = block(3, 4)
    shapes = {key: value.shape for key, value in memory.initial_state(4).items()}
    _, after_sequence = memory.sequence(x, memory.initial_state(4), starts)
    _, after_step = memory.step(x[0], memory.initial_state(4))
    for state in (after_sequence, after_step, memory.reset(after_step, starts[0])):
        assert {key: value.shape for key, value in state.items()} == shapes


@pytest.mark.parametrize("name", memory_names())
def test_reset_gives_the_initial_state_exactly_where_asked(name):
    memory = build(name)
    x, _ = block(3, 4)
    _, state = memory.step(x[0], memory.initial_state(4))
    starts = torch.tensor([True, False, True, False])
    for key, value in memory.reset(state, starts).items():
        assert torch.equal(value[starts], memory.initial_state(4)[key][starts])
        assert torch.equal(value[~starts], state[key][~starts])


@pytest.mark.parametrize("name", memory_names())
def test_every_weight_can_be_drawn_anew(name):
    """Lesion `reinit` calls `reset_parameters` on every layer that has it: none may be left."""
    memory = build(name)
    if not list(memory.parameters()):
        pytest.skip("a memory without weights")
    with torch.no_grad():
        for weight in memory.parameters():
            weight.fill_(7.5)
    for layer in memory.modules():
        reset = getattr(layer, "reset_parameters", None)
        if callable(reset):
            reset()
    for key, value in memory.named_parameters():
        assert not (value == 7.5).all(), f"{key} is not reset"
