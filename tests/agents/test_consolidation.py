"""Elastic weight consolidation: importance against closed forms, drift against the penalty."""

from __future__ import annotations

import pytest
import torch

from drivemem_agents.consolidation import Consolidation, fisher_information


def trained(agent, memory, **settings):
    model = agent(memory, **settings)
    model.learn(512)
    return model


def weights(model):
    return {name: weight.detach().clone() for name, weight in model.policy.named_parameters()}


@pytest.mark.parametrize("memory", ["none", "gru"])
def test_importance_of_the_action_bias_is_the_variance_of_the_actions(agent, memory):
    """For a softmax, d log p(a) / d bias_i = [a = i] - p_i: its square has mean p_i (1 - p_i)."""
    model = trained(agent, memory, n_steps=128, batch_size=512)
    policy, rollout = model.policy, model.rollout
    importance = fisher_information(policy, rollout)
    state, expected = rollout.states[0], []
    with torch.inference_mode():
        for step in range(rollout.steps):
            frames = {name: value[step] for name, value in rollout.observation().items()}
            act = policy.act(frames, state, rollout.starts[step])
            expected.append(act.probs * (1.0 - act.probs))
            state = act.state
    expected = torch.stack(expected).mean((0, 1))
    torch.testing.assert_close(importance["action_head.layer.bias"], expected, rtol=0.5, atol=0)


def test_what_does_not_touch_the_actions_is_free(agent):
    model = trained(agent, "gru")
    importance = fisher_information(model.policy, model.rollout)
    assert not any(name.startswith("value_head") for name in importance)
    assert any(name.startswith("memory") for name in importance)
    assert any(name.startswith("encoder") for name in importance)


def test_measuring_importance_leaves_weights_and_gradients_alone(agent):
    model = trained(agent, "lstm")
    before = weights(model)
    for weight in model.policy.parameters():
        weight.grad = None
    fisher_information(model.policy, model.rollout)
    for name, weight in model.policy.named_parameters():
        assert torch.equal(weight, before[name]) and weight.grad is None


def test_the_penalty_is_half_coef_times_importance_times_squared_drift(agent):
    model = agent("gru")
    name = "action_head.layer.bias"
    importance = {name: torch.full_like(dict(model.policy.named_parameters())[name], 0.5)}
    held = Consolidation(model.policy, importance, coef=8.0)
    assert held.penalty(model.policy).item() == 0.0
    with torch.no_grad():
        bias = dict(model.policy.named_parameters())[name]
        bias += 3.0
    expected = 0.5 * 8.0 * 0.5 * 9.0 * len(bias)
    assert held.penalty(model.policy).item() == pytest.approx(expected)


def test_important_weights_drift_less_the_stronger_the_penalty(agent):
    drifts = []
    for coef in (0.0, 100.0, 10_000.0):
        model = trained(agent, "gru", seed=1)
        importance = fisher_information(model.policy, model.rollout)
        start = weights(model)
        model.consolidation = Consolidation(model.policy, importance, coef)
        model.learn(1024, reset_num_timesteps=False)
        now = weights(model)
        drifts.append(
            sum(float((value * (now[k] - start[k]) ** 2).sum()) for k, value in importance.items())
        )
    assert drifts[1] < 0.8 * drifts[0] and drifts[2] < 0.3 * drifts[1]
    assert "train/consolidation_loss" in model.logger.name_to_value


def test_importance_of_another_architecture_is_refused(agent):
    importance = {"memory.none_such": torch.ones(3)}
    with pytest.raises(ValueError, match="fits no weight"):
        Consolidation(agent("gru").policy, importance, 1.0)


@pytest.mark.parametrize("frozen", ["memory", "value_head", "all but the value head"])
def test_frozen_weights_are_skipped(agent, frozen):
    model = agent("gru")
    for name, weight in model.policy.named_parameters():
        of_value = name.startswith("value_head")
        weight.requires_grad = of_value if " " in frozen else not name.startswith(frozen)
    start = weights(model)
    model.learn(256)
    importance = fisher_information(model.policy, model.rollout)
    assert all(dict(model.policy.named_parameters())[name].requires_grad for name in importance)
    assert bool(importance) == (" " not in frozen)
    model.consolidation = Consolidation(model.policy, importance, 1.0)
    model.learn(256, reset_num_timesteps=False)
    for name, weight in model.policy.named_parameters():
        assert torch.equal(weight, start[name]) == (not weight.requires_grad), name
