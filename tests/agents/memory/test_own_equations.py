"""Each memory against its own equations, written out step by step, and what sets it apart."""

from __future__ import annotations

import math

import pytest
import torch

from drivemem_agents.memory import make_memory

D = 4


def build(name: str, **settings):
    torch.manual_seed(1)
    return make_memory(name, D, settings).double()


def frames(steps: int, batch: int = 2):
    return torch.randn(steps, batch, D, generator=torch.Generator().manual_seed(3)).double()


def run(memory, x):
    starts = torch.zeros(x.shape[:2], dtype=torch.bool)
    with torch.no_grad():
        return memory.sequence(x, memory.initial_state(x.shape[1]), starts)


def influence(memory, steps: int) -> list[bool]:
    """Whether the last output depends on the input `back` steps ago, for back = 0, 1, ..."""
    x = frames(steps, 1).requires_grad_(True)
    starts = torch.zeros(steps, 1, dtype=torch.bool)
    y, _ = memory.sequence(x, memory.initial_state(1), starts)
    gradient = torch.autograd.grad((y[-1] * torch.randn_like(y[-1])).sum(), x)[0]
    return [bool(torch.count_nonzero(frame) > 0) for frame in gradient.flip(0)]


def test_elman():
    memory = build("elman", hidden_size=3)
    layer, x = memory.layer, frames(5)
    h = torch.zeros(2, 3).double()
    for frame, y in zip(x, run(memory, x)[0], strict=True):
        h = torch.tanh(
            frame @ layer.weight_ih_l0.T + layer.bias_ih_l0
            + h @ layer.weight_hh_l0.T + layer.bias_hh_l0
        )  # fmt: skip
        torch.testing.assert_close(y, h)


def test_elman_starts_orthogonal_unless_told():
    u = build("elman").layer.weight_hh_l0.detach()
    torch.testing.assert_close(u @ u.T, torch.eye(64).double(), atol=1e-5, rtol=0)
    uniform = build("elman", recurrent_init="uniform").layer.weight_hh_l0
    assert uniform.abs().max() <= 64**-0.5


def test_mingru():
    memory = build("mingru", hidden_size=3)
    x, h = frames(6), torch.zeros(2, 3).double()
    for frame, y in zip(x, run(memory, x)[0], strict=True):
        gate, candidate = memory.layer(frame).chunk(2, -1)
        z = gate.sigmoid()
        h = (1 - z) * h + z * candidate
        torch.testing.assert_close(y, h)


@pytest.mark.parametrize("name", ["gru", "lstm", "mingru"])
def test_gate_bias_makes_memories_last(name):
    """An input 40 steps back weighs more with gates started for delays up to 200."""

    def weight(**settings) -> float:
        memory = build(name, hidden_size=128, **settings)
        x = torch.zeros(41, 1, D).double()
        x[0] = 1.0
        cleared = run(memory, torch.zeros_like(x))[0][-1]
        return float((run(memory, x)[0][-1] - cleared).norm())

    assert weight(gate_bias=200.0) > 10.0 * weight()


def test_lru():
    memory = build("lru", hidden_size=3)
    x = frames(6)
    h = torch.zeros(2, 3, dtype=torch.complex128)
    rate = torch.exp(torch.complex(-memory.nu.exp(), memory.theta.exp())).detach()
    enter = torch.complex(*memory.enter.weight.detach().chunk(2))
    real, minus_imaginary = memory.leave.weight.detach().chunk(2, -1)
    leave = torch.complex(real, -minus_imaginary)
    for frame, y in zip(x, run(memory, x)[0], strict=True):
        driven = memory.log_gamma.exp() * (frame.to(h.dtype) @ enter.T)
        h = rate * h + driven
        torch.testing.assert_close(y, torch.tanh((h @ leave.T).real + memory.skip(frame)))


def test_lru_cannot_blow_up_whatever_is_learned():
    memory = build("lru")
    with torch.no_grad():
        memory.nu.uniform_(-4.0, 8.0)
        memory.theta.uniform_(-8.0, 8.0)
    _, state = run(memory, frames(2000, 1))
    assert torch.isfinite(state["real"]).all()
    assert (torch.hypot(*memory._lambda()) < 1.0).all()


def test_lru_refuses_rates_in_the_wrong_order():
    with pytest.raises(ValueError, match="must be below"):
        make_memory("lru", D, {"fastest": 0.999, "slowest": 0.9})


def test_lru_starts_between_its_bounds():
    size = torch.hypot(*build("lru", fastest=0.5, slowest=0.75, hidden_size=200)._lambda())
    assert 0.5 <= size.min() < 0.55 and 0.7 < size.max() <= 0.75


@pytest.mark.parametrize(("kernel_size", "levels"), [(2, 1), (2, 3), (3, 2)])
def test_tcn_sees_its_span_and_no_further(kernel_size, levels):
    memory = build("tcn", hidden_size=16, kernel_size=kernel_size, levels=levels)
    seen = influence(memory, memory.span + 3)
    assert memory.span == 1 + (kernel_size - 1) * (2**levels - 1)
    assert seen[0] and seen[memory.span - 1]
    assert not any(seen[memory.span :])


def test_tcn_is_a_convolution():
    memory = build("tcn", hidden_size=3, kernel_size=3, levels=2)
    x = frames(9)
    u = memory.enter(x).permute(1, 2, 0)  # (B, H, T)
    for level, layer in enumerate(memory.filters):
        apart = 2**level
        kernel = layer.weight.unflatten(1, (3, 3)).permute(0, 2, 1).flip(-1)  # oldest tap first
        padded = torch.nn.functional.pad(u, (2 * apart, 0))
        u = u + torch.relu(torch.nn.functional.conv1d(padded, kernel, layer.bias, dilation=apart))
    torch.testing.assert_close(run(memory, x)[0], u.permute(2, 0, 1).detach())


def test_rbf_traces_fade_from_one():
    memory = build("rbf", prototypes=5)
    with torch.no_grad():
        memory.metric.weight.copy_(torch.eye(8, D))
        memory.centres.normal_(std=5.0)
        memory.centres[:, D:] = 0.0  # what A maps features onto
        memory.log_sharpness.fill_(6.0)
    met = memory.centres[2, :D].detach()
    x = torch.full((4, 1, D), 50.0).double()
    x[0] = met
    _, state = run(memory, x)
    decay = memory.keep.sigmoid().detach()
    expected = torch.zeros(1, 5).double()
    expected[0, 2] = decay[2] ** 3
    torch.testing.assert_close(state["trace"], expected)


def test_rbf_meeting_again_replaces_the_trace():
    memory = build("rbf")
    _, state = run(memory, frames(50))
    assert state["trace"].min() >= 0.0 and state["trace"].max() <= 1.0


def test_linear_attention_recalls_what_it_stored():
    memory = build("linear_attention", heads=1, head_size=8)
    with torch.no_grad():
        memory.rate.weight.zero_()
        memory.rate.bias.fill_(50.0)  # correct errors fully
    x = frames(1, 1)
    _, state = run(memory, x)
    told = memory._project(x[0])
    read = (state["fast"] @ told.key.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(read, told.value)
    _, again = run(memory, torch.cat([x, x, x]))
    torch.testing.assert_close(again["fast"], state["fast"])  # replaced, not added to


@pytest.mark.parametrize("name", ["linear_attention", "gated_delta"])
def test_fast_weights_follow_the_delta_rule(name):
    memory = build(name, heads=2, head_size=3)
    x = frames(45)
    fast = torch.zeros(2, 2, 3, 3).double()
    _, state = run(memory, x)
    for frame in x:
        told = memory._project(frame)
        if told.log_keep is not None:
            fast = torch.exp(told.log_keep).unsqueeze(-1) * fast
        error = told.value - torch.einsum("bnvk,bnk->bnv", fast, told.key)
        fast = fast + torch.einsum("bnv,bnk->bnvk", told.rate * error, told.key)
    torch.testing.assert_close(state["fast"], fast.detach())


def test_gated_delta_that_forgets_nothing_is_linear_attention():
    gated, plain = build("gated_delta"), build("linear_attention")
    with torch.no_grad():
        gated.forget.weight.zero_()
        gated.forget.bias.fill_(-80.0)
    gated.load_state_dict({**gated.state_dict(), **plain.state_dict()})
    x = frames(70, 3)
    torch.testing.assert_close(run(gated, x)[0], run(plain, x)[0])


def test_gated_delta_remembers_for_as_long_as_it_is_told_at_the_start():
    memory = build("gated_delta", heads=3, shortest=2.0, longest=200.0)
    steps = 1.0 / torch.nn.functional.softplus(memory.forget.bias.detach())
    torch.testing.assert_close(steps, torch.tensor([2.0, 20.0, 200.0]).double())
    with pytest.raises(ValueError, match="shortest=300 is above longest=200"):
        build("gated_delta", shortest=300.0, longest=200.0)


def test_what_is_forgotten_at_once_leaves_no_trace():
    memory = build("gated_delta", heads=1)
    with torch.no_grad():
        memory.forget.weight.zero_()
        memory.forget.bias.fill_(800.0)
    x = frames(40, 2)
    _, state = run(memory, x)
    _, last = run(memory, x[-1:])
    torch.testing.assert_close(state["fast"], last["fast"])


def test_hebbian_potentiates_agreement_and_depresses_disagreement():
    memory = build("hebbian", hidden_size=2, potentiation=0.3, depression=0.2, decay=0.1)
    rates = torch.sigmoid(memory.rates.detach())
    before = torch.tensor([[0.5, -0.5]]).double()
    plastic = torch.full((1, 2, 2), 0.4).double()
    h, after = memory._advance(torch.zeros(1, 2).double(), before, plastic, rates)
    h, after = h.detach(), after.detach()
    for i in range(2):
        for j in range(2):
            c = float(h[0, i] * before[0, j])
            change = 0.3 * max(c, 0) * (1 - 0.4) - 0.2 * max(-c, 0) * (1 + 0.4)
            assert float(after[0, i, j]) == pytest.approx(0.9 * 0.4 + change, abs=1e-6)


def test_hebbian_connections_stay_bounded():
    memory = build("hebbian", potentiation=0.99, depression=0.99, decay=0.001)
    with torch.no_grad():
        memory.enter.weight.mul_(20.0)
    _, state = run(memory, frames(300))
    assert state["plastic"].abs().max() <= 1.0
    assert state["plastic"].abs().max() > 0.5
    assert set(memory.diagnostics()) == {"potentiation", "depression", "decay"}


def test_hebbian_without_plasticity_is_a_plain_recurrence():
    memory = build("hebbian", hidden_size=3)
    with torch.no_grad():
        memory.plasticity.zero_()
    x, h = frames(5), torch.zeros(2, 3).double()
    for frame, y in zip(x, run(memory, x)[0], strict=True):
        h = torch.tanh(memory.enter(frame) + h @ memory.fixed.T)
        torch.testing.assert_close(y, h)


@pytest.mark.parametrize("name", ["attention", "adaptive_attention"])
@pytest.mark.parametrize("layers", [1, 2])
def test_cached_acting_equals_attending_to_the_whole_episode(name, layers):
    """Dense attention over all steps of one episode, masked to the window: no cache, no blocks."""
    memory = build(name, layers=layers, window=7, hidden_size=8, heads=2, head_size=3)
    steps = 40
    x = frames(steps)
    state, outputs = memory.initial_state(2), []
    with torch.no_grad():
        for frame in x:
            y, state = memory.step(frame, state)
            outputs.append(y)
        spans = memory._scores()
        u = memory.transformer.enter(x)
        for number, layer in enumerate(memory.transformer.layers):
            span = None if spans is None else spans[number]
            attended = dense(layer.attention, layer.attention_norm(u), 7, span)
            u = layer.attention_gate(u, torch.relu(attended))
            u = layer.mlp_gate(u, torch.relu(layer.mlp(layer.mlp_norm(u))))
    torch.testing.assert_close(torch.stack(outputs), u)


def dense(attention, x, window: int, span):
    steps, batch, _ = x.shape
    shape = (steps, batch, attention.heads, attention.head_size)
    q = attention.query(x).reshape(shape)
    k, v = (part.reshape(shape) for part in attention.key_value(x).chunk(2, -1))
    r = attention.position(attention.distances.flip(0)).reshape(window, *shape[2:])
    content, place = attention.content_bias.squeeze(1), attention.position_bias.squeeze(1)
    read = torch.zeros(shape).double()
    for t in range(steps):
        reach = range(max(0, t - window + 1), t + 1)
        scores = torch.stack(
            [
                (((q[t] + content) * k[s]).sum(-1) + ((q[t] + place) * r[t - s]).sum(-1))
                / attention.head_size**0.5
                + (0.0 if span is None else span.flip(1)[:, t - s])
                for s in reach
            ]
        )
        weights = scores.softmax(0).unsqueeze(-1)
        read[t] = sum(w * v[s] for w, s in zip(weights, reach, strict=True))
    return attention.leave(read.flatten(2))


@pytest.mark.parametrize("layers", [1, 2])
def test_attention_reaches_as_far_as_its_layers(layers):
    memory = build("attention", window=5, layers=layers, hidden_size=8)
    seen = influence(memory, 4 * layers + 4)
    assert all(seen[: 4 * layers + 1])
    assert not any(seen[4 * layers + 1 :])


def test_attention_starts_near_the_identity():
    memory = build("attention", gate_bias=8.0)
    x = frames(10)
    near = memory.transformer.enter(x).detach()
    torch.testing.assert_close(run(memory, x)[0], near, atol=0.02, rtol=0.0)


def test_attention_to_the_present_alone_needs_no_cache():
    memory = build("attention", window=1)
    x = frames(6)
    whole = run(memory, x)[0]
    for t in range(6):
        torch.testing.assert_close(run(memory, x[t : t + 1])[0][0], whole[t])
    assert memory.state_bytes() == 0


def test_adaptive_attention_sees_its_span_and_no_further():
    memory = build("adaptive_attention", window=20, ramp=2, hidden_size=8)
    # A whole number of steps would put a weight on the edge of 0, which processors round apart.
    with torch.no_grad():
        memory.span.fill_(float(torch.tensor(5.5 / 19).logit()))  # 5.5 steps back
    assert memory.diagnostics()["span"] == pytest.approx(5.5)
    seen = influence(memory, 20)
    assert all(seen[:8]) and not any(seen[8:])  # 5.5, and a ramp of 2 that ends at 7.5


def test_adaptive_attention_pays_for_its_span():
    memory = build("adaptive_attention", span_cost=0.5, initial_span=0.8)
    cost = memory.auxiliary_loss()
    assert float(cost) == pytest.approx(0.4)
    cost.backward()
    assert (memory.span.grad > 0).all()  # descent makes it shorter


def test_adaptive_attention_with_the_whole_window_is_attention():
    settings = {"window": 9, "hidden_size": 8}
    memory, plain = build("adaptive_attention", **settings), build("attention", **settings)
    with torch.no_grad():
        memory.span.fill_(60.0)
    plain.transformer.load_state_dict(memory.transformer.state_dict())
    x = frames(30)
    torch.testing.assert_close(run(memory, x)[0], run(plain, x)[0])


def test_mlstm_reads_means_of_what_it_stored_by_the_equations():
    memory = build("mlstm", heads=2, head_size=3)
    with torch.no_grad():
        memory.gates.weight.mul_(10.0)  # gates that differ by many orders of magnitude
    x = frames(45)
    y, _ = run(memory, x)
    cell, total = torch.zeros(2, 2, 3, 3).double(), torch.zeros(2, 2, 3).double()
    for frame, expected in zip(x, y, strict=True):
        told = memory._project(frame)
        keep, weight = told.log_keep.exp(), told.log_weight.exp()
        value = told.value[..., :-1]
        added = torch.einsum("bnv,bnk->bnvk", value, told.key)
        cell = keep[..., None, None] * cell + weight[..., None, None] * added
        total = keep[..., None] * total + weight[..., None] * told.key
        norm = torch.einsum("bnk,bnk->bn", total, told.query).abs().clamp(min=1.0)
        mean = torch.einsum("bnvk,bnk->bnv", cell, told.query) / norm[..., None]
        h = torch.sigmoid(memory.open(frame)) * mean.flatten(-2)
        out = torch.tanh(memory.layer(torch.cat([h, frame], dim=-1)))
        torch.testing.assert_close(out, expected)


def test_mlstm_does_not_overflow():
    memory = build("mlstm").float()
    with torch.no_grad():
        memory.gates.bias[4:] = 300.0  # exp(300) is no 32-bit number
    y, state = run(memory, frames(40).float())
    assert y.isfinite().all() and all(part.isfinite().all() for part in state.values())


def test_mlstm_keeps_for_as_long_as_its_gate_bias_says():
    bias = build("mlstm", gate_bias=100.0).gates.bias[:4]
    assert ((bias >= 0.0) & (bias <= 4.7)).all() and bias.unique().numel() == 4


def test_mamba2_follows_its_equations():
    memory = build("mamba2", heads=2, head_size=3, state_size=5)
    x = frames(45)
    _, state = run(memory, x)
    sums = torch.zeros(2, 2, 3, 5).double()
    for frame in x:
        _, value, _ = memory._project(frame)
        pace = torch.nn.functional.softplus(memory.pace(frame))
        key = memory.project(frame)[:, 12:17]
        added = torch.einsum("bnv,bk->bnvk", pace[..., None] * value, key)
        sums = torch.exp(-memory.log_rate.exp() * pace)[..., None, None] * sums + added
    torch.testing.assert_close(state["sums"], sums.detach())


def test_mamba2_remembers_for_as_long_as_it_is_told_at_the_start():
    memory = build("mamba2", heads=3, shortest=2.0, longest=200.0)
    pace = torch.nn.functional.softplus(memory.pace.bias.detach())
    steps = 1.0 / (memory.log_rate.detach().exp() * pace)
    torch.testing.assert_close(steps, torch.tensor([2.0, 20.0, 200.0]).double())
    with pytest.raises(ValueError, match="shortest=300 is above longest=200"):
        build("mamba2", shortest=300.0, longest=200.0)


def test_ffm_holds_what_was_added_faded_and_turned():
    memory = build("ffm", memory_size=3, context_size=2, shortest=2.0, longest=8.0)
    x = frames(6, 1)
    _, state = run(memory, x)
    value, gate = memory.enter(x[:, 0]).chunk(2, dim=-1)
    added = (value * torch.sigmoid(gate)).detach().to(torch.complex128)  # (T, m)
    fade = torch.tensor([2.0, 4.0, 8.0]).reciprocal()
    turn = 2.0 * math.pi / torch.tensor([4.0, 8.0])
    age = torch.arange(5, -1, -1)
    faded = torch.exp(torch.complex(-fade[:, None], turn).to(torch.complex128) * age[:, None, None])
    expected = (faded * added[..., None]).sum(0).flatten()
    torch.testing.assert_close(state["real"][0], expected.real, atol=1e-6, rtol=0)
    torch.testing.assert_close(state["imaginary"][0], expected.imag, atol=1e-6, rtol=0)


def test_a_kalman_layer_grows_unsure_while_nothing_is_told_and_sure_when_it_is():
    memory = build("kalman", beliefs=3)
    with torch.no_grad():
        memory.measure.weight.zero_()
        memory.measure.bias[3:] = 1e9  # variances of measurements
    _, blind = run(memory, frames(50, 1))
    torch.testing.assert_close(blind["variance"], torch.ones(1, 3).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(blind["mean"], torch.zeros(1, 3).double(), atol=1e-6, rtol=0)
    with torch.no_grad():
        memory.measure.bias[:3] = torch.tensor([1.0, -2.0, 0.5])
        memory.measure.bias[3:] = -30.0
    _, sure = run(memory, frames(1, 1))
    assert (sure["variance"] < 1e-5).all()
    expected = torch.tensor([[1.0, -2.0, 0.5]]).double()
    torch.testing.assert_close(sure["mean"], expected, atol=1e-4, rtol=0)


def test_a_kalman_layer_weighs_measurements_as_a_filter_does():
    memory = build("kalman", beliefs=1)
    with torch.no_grad():
        memory.log_rate.fill_(-40.0)  # nothing moves: the mean of measurements, by their precision
        memory.log_drift.fill_(-40.0)
    x = frames(20, 1)
    _, state = run(memory, x)
    seen, noise = (part[:, 0, 0].detach() for part in memory._measure(x))
    precision = 1.0 + (1.0 / noise).sum()
    torch.testing.assert_close(state["mean"][0, 0], (seen / noise).sum() / precision)
    torch.testing.assert_close(state["variance"][0, 0], 1.0 / precision)


def test_shm_calibrates_by_the_step_of_the_episode():
    memory = build("shm", memory_size=3, calibrations=5)
    x = frames(12, 1)
    _, state = run(memory, x)
    matrix = torch.zeros(3, 3).double()
    for number, frame in enumerate(x[:, 0]):
        change, value, key, _ = memory.project(frame).chunk(4)
        chosen = memory.calibrations[memory.order[number % 5]]
        key = torch.relu(key) / (torch.relu(key).sum() + 1e-5)
        keep = 1.0 + torch.tanh(torch.outer(chosen, change))
        matrix = keep * matrix + torch.sigmoid(memory.rate(frame)) * torch.outer(value, key)
    torch.testing.assert_close(state["matrix"][0], matrix.flatten().detach())
    assert float(state["step"]) == 12.0


def test_shm_stores_for_good_where_nothing_is_calibrated():
    memory = build("shm", memory_size=3)
    with torch.no_grad():
        memory.calibrations.zero_()
        memory.rate.bias[:] = -800.0  # nothing is added
    x = frames(30, 1)
    first = {"matrix": torch.randn(1, 9).double(), "step": torch.tensor([[3.0]]).double()}
    with torch.no_grad():
        _, state = memory.sequence(x, first, torch.zeros(30, 1, dtype=torch.bool))
    torch.testing.assert_close(state["matrix"], first["matrix"])
