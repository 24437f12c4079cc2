"""What every registered memory must do, whatever it computes."""

from __future__ import annotations

import pytest
import torch

from drivemem_agents.memory import Memory, make_memory, memory_class, memory_names, register_memory

D = 6
pytestmark = pytest.mark.parametrize("name", memory_names())


def build(name: str, dtype: torch.dtype = torch.float64) -> Memory:
    torch.manual_seed(0)
    return make_memory(name, D).to(dtype).eval()


def inputs(steps: int, batch: int, dtype: torch.dtype = torch.float64, share: float = 0.15):
    generator = torch.Generator().manual_seed(steps * 100 + batch)
    x = torch.randn(steps, batch, D, generator=generator, dtype=dtype)
    starts = torch.rand(steps, batch, generator=generator) < share
    return x, starts


def warm_state(memory: Memory, batch: int):
    """A state that an episode could be in: what some steps leave behind."""
    x, _ = inputs(9, batch, memory_dtype(memory))
    state = memory.initial_state(batch)
    for frame in x:
        _, state = memory.step(frame, state)
    return {key: value.detach() for key, value in state.items()}


def memory_dtype(memory: Memory) -> torch.dtype:
    return next((p.dtype for p in memory.parameters()), torch.float64)


def stepwise(memory: Memory, x, state, starts):
    outputs = []
    for frame, begins in zip(x, starts, strict=True):
        y, state = memory.step(frame, memory.reset(state, begins))
        outputs.append(y)
    return torch.stack(outputs), state


def same(a, b, tolerance):
    assert a.keys() == b.keys()
    for key in a:
        torch.testing.assert_close(a[key], b[key], atol=tolerance, rtol=0)


@pytest.mark.parametrize("steps", [1, 5, 37, 128])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_sequence_equals_steps(name, steps, batch):
    memory = build(name)
    x, starts = inputs(steps, batch)
    state = warm_state(memory, batch)
    with torch.no_grad():
        expected, last = stepwise(memory, x, state, starts)
        y, after = memory.sequence(x, state, starts)
    torch.testing.assert_close(y, expected, atol=1e-10, rtol=0)
    same(after, last, 1e-10)


def test_sequence_equals_steps_in_single_precision(name):
    memory = build(name, torch.float32)
    x, starts = inputs(37, 16, torch.float32)
    state = warm_state(memory, 16)
    with torch.no_grad():
        expected, _ = stepwise(memory, x, state, starts)
        y, _ = memory.sequence(x, state, starts)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, expected, atol=1e-5, rtol=0)


def test_outputs_are_those_of_sequence(name):
    memory = build(name)
    x, starts = inputs(20, 5)
    state = warm_state(memory, 5)
    with torch.no_grad():
        y, _ = memory.sequence(x, state, starts)
        torch.testing.assert_close(memory.outputs(x, state, starts), y, atol=1e-12, rtol=0)


def test_nothing_before_an_episode_start_matters_after_it(name):
    memory = build(name)
    x, starts = inputs(24, 4, share=0.0)
    starts[11] = True
    x.requires_grad_(True)
    state = {k: v.requires_grad_(v.is_floating_point()) for k, v in warm_state(memory, 4).items()}
    y, _ = memory.sequence(x, state, starts)
    sources = [x, *(value for value in state.values() if value.requires_grad)]
    gradients = torch.autograd.grad(y[11:].square().sum(), sources, allow_unused=True)
    assert gradients[0] is not None
    assert torch.count_nonzero(gradients[0][:11]) == 0
    assert torch.count_nonzero(gradients[0][11:]) > 0
    for gradient in gradients[1:]:
        assert gradient is None or torch.count_nonzero(gradient) == 0


def test_chunks_with_stored_state_equal_the_whole(name):
    memory = build(name)
    x, starts = inputs(36, 6)
    state = warm_state(memory, 6)
    with torch.no_grad():
        whole, last = memory.sequence(x, state, starts)
        parts = []
        for begin in range(0, 36, 12):
            rows = slice(begin, begin + 12)
            y, state = memory.sequence(x[rows], state, starts[rows])
            parts.append(y)
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-10, rtol=0)
    same(state, last, 1e-10)


def test_half_the_batch_may_reset_at_every_step(name):
    memory = build(name)
    x, starts = inputs(15, 8, share=0.0)
    starts[:, ::2] = True
    state = warm_state(memory, 8)
    with torch.no_grad():
        expected, _ = stepwise(memory, x, state, starts)
        y, _ = memory.sequence(x, state, starts)
    torch.testing.assert_close(y, expected, atol=1e-10, rtol=0)


def test_inputs_need_not_be_contiguous(name):
    memory = build(name)
    x, starts = inputs(10, 6)
    state = memory.initial_state(6)
    with torch.no_grad():
        expected, _ = memory.sequence(x, state, starts)
        odd = x.transpose(0, 1).contiguous().transpose(0, 1)
        y, _ = memory.sequence(odd, state, starts.t().contiguous().t())
    torch.testing.assert_close(y, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("shape", [(0, 3), (4, 0)])
def test_empty_inputs_give_empty_outputs(name, shape):
    memory = build(name)
    steps, batch = shape
    x = torch.zeros(steps, batch, D, dtype=torch.float64)
    starts = torch.zeros(steps, batch, dtype=torch.bool)
    y, _ = memory.sequence(x, memory.initial_state(batch), starts)
    assert y.shape == (steps, batch, memory.output_size)


def test_state_is_not_changed_in_place(name):
    memory = build(name)
    x, starts = inputs(6, 3)
    state = warm_state(memory, 3)
    kept = {key: value.clone() for key, value in state.items()}
    with torch.no_grad():
        memory.step(x[0], state)
        memory.sequence(x, state, starts)
        memory.reset(state, starts[0])
    same(state, kept, 0.0)


def test_weights_survive_saving(name):
    memory, other = build(name), make_memory(name, D).double().eval()
    other.load_state_dict(memory.state_dict())
    x, starts = inputs(8, 3)
    state = warm_state(memory, 3)
    with torch.no_grad():
        torch.testing.assert_close(
            other.sequence(x, state, starts)[0],
            memory.sequence(x, state, starts)[0],
            atol=0,
            rtol=0,
        )


def test_state_has_the_worlds_first(name):
    memory = build(name)
    for value in memory.initial_state(5).values():
        assert value.shape[0] == 5
    assert memory.state_bytes() >= 0


def test_a_name_is_taken_once(name):
    with pytest.raises(ValueError, match="already registered"):

        @register_memory(name)
        class Thief(Memory):
            pass


def test_unknown_settings_are_refused(name):
    with pytest.raises(ValueError, match="hiden_size"):
        make_memory(name, D, {"hiden_size": 3})


def test_unknown_names_get_the_nearest(name):
    with pytest.raises(ValueError, match=f"did you mean '{name}'"):
        memory_class(name + "x")
