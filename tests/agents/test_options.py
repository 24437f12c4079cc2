"""PPO's options, each by what it does to the loss, the weights or the actions."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

from drivemem_agents import MemoryPPO
from drivemem_agents.losses import ppo_loss
from drivemem_agents.policy import MemoryPolicy
from drivemem_agents.ppo_settings import PPOSettings

from .conftest import Recall, worlds
from .test_ppo import Nothing, collect

PLAIN = PPOSettings(
    clip_range=0.2,
    clip_range_vf=None,
    ent_coef=0.0,
    vf_coef=1.0,
    aux_coef=0.0,
    l1_coef=0.0,
    normalize_advantage=False,
)


def first_batch(model: MemoryPPO) -> Any:
    torch.manual_seed(0)
    return next(model.rollout.minibatches(model.settings.batch_size, model._chunk_states()))


def test_l1_adds_the_sum_of_absolute_weights(agent):
    model = agent("gru")
    collect(model)
    batch = first_batch(model)
    without, _ = ppo_loss(model.policy, batch, PLAIN)
    with_l1, _ = ppo_loss(model.policy, batch, PLAIN.model_copy(update={"l1_coef": 0.5}))
    total = sum(weight.abs().sum() for weight in model.policy.parameters())
    torch.testing.assert_close(with_l1 - without, 0.5 * total)


def test_l1_shrinks_and_weight_decay_shrinks(agent):
    def size(**settings: Any) -> float:
        model = agent("gru", env=worlds(seed=1), learning_rate=3e-3, **settings).learn(1024)
        return float(sum(weight.detach().abs().sum() for weight in model.policy.parameters()))

    plain = size()
    assert size(l1_coef=1e-2) < 0.9 * plain
    assert size(weight_decay=1.0) < 0.98 * plain


def test_value_clipping_by_hand(agent):
    model = agent("none")
    collect(model)
    batch = first_batch(model)
    batch.values = batch.values - 1.0  # the critic has moved by 1 since
    with torch.no_grad():
        new = model.policy.evaluate_sequence(
            batch.observation, batch.actions, batch.state, batch.starts
        ).values
    _, plain = ppo_loss(model.policy, batch, PLAIN)
    _, clipped = ppo_loss(model.policy, batch, PLAIN.model_copy(update={"clip_range_vf": 0.25}))
    assert plain["value_loss"] == pytest.approx(float((new - batch.returns).square().mean()))
    by_hand = (batch.values + 0.25 - batch.returns).square().mean()
    assert clipped["value_loss"] == pytest.approx(float(by_hand), rel=1e-5)


def test_target_kl_stops_a_rollouts_epochs(agent):
    def updates(target: float | None) -> int:
        model = agent("gru", learning_rate=0.05, n_epochs=10, target_kl=target)
        collect(model)
        steps = []
        step = model.policy.optimizer.step
        model.policy.optimizer.step = lambda *a, **k: (steps.append(1), step(*a, **k))[1]
        model.train()
        return len(steps)

    assert updates(None) == 20  # 10 epochs of 128 / 64 minibatches
    assert 1 <= updates(1e-3) < 20


def test_schedules_follow_the_remaining_progress(agent):
    seen: list[dict[str, float]] = []

    class Watch(Nothing):
        def _on_rollout_start(self) -> None:
            logged = self.logger.name_to_value
            if "train/ent_coef" in logged:
                seen.append({key: logged[f"train/{key}"] for key in ("ent_coef", "learning_rate")})

    model = agent(
        "gru",
        learning_rate=lambda left: 1e-2 * left,
        ent_coef=lambda left: 0.1 * left,
        clip_range=lambda left: 0.1 + 0.1 * left,
    )
    model.learn(4 * 128, callback=Watch(), log_interval=None)
    left = [0.75, 0.5, 0.25]
    np.testing.assert_allclose([row["ent_coef"] for row in seen[:3]], np.multiply(0.1, left))
    np.testing.assert_allclose([row["learning_rate"] for row in seen[:3]], np.multiply(0.01, left))
    model._current_progress_remaining = 0.0
    assert model.settings_now().clip_range == pytest.approx(0.1)
    assert model.settings.clip_range == pytest.approx(0.2)


def test_dropout_acts_in_training_alone(agent):
    model = agent("gru", dropout=0.5)
    collect(model)  # acting: replay is exact, so nothing was dropped
    batch = first_batch(model)

    def log_probs() -> torch.Tensor:
        with torch.no_grad():
            return model.policy.evaluate_sequence(
                batch.observation, batch.actions, batch.state, batch.starts
            ).log_prob

    model.policy.set_training_mode(False)
    torch.testing.assert_close(log_probs(), batch.log_prob, atol=1e-5, rtol=0)
    model.policy.set_training_mode(True)
    assert not torch.allclose(log_probs(), log_probs())


@pytest.mark.parametrize("critic", ["shared", "separate"])
def test_where_the_values_gradient_goes(agent, critic):
    model = agent("gru", critic=critic)
    collect(model)
    batch = first_batch(model)
    new = model.policy.evaluate_sequence(
        batch.observation, batch.actions, batch.state, batch.starts
    )
    new.values.sum().backward()
    reached = {name for name, weight in model.policy.named_parameters() if weight.grad is not None}
    into_memory = any(name.startswith(("memory.", "encoder.")) for name in reached)
    assert into_memory == (critic == "shared")
    assert any(name.startswith("critic_memory.") for name in reached) == (critic == "separate")
    assert not any(name.startswith(("action_layers.", "action_head.")) for name in reached)


class Telling(DummyVecEnv):
    """Offers the cue as the true state."""

    privileged_dim = 1

    def privileged(self) -> np.ndarray:
        return np.array([[float(env.cue)] for env in self.envs], dtype=np.float32)


def test_a_privileged_critic_knows_what_the_actor_cannot(agent):
    env = Telling([Recall for _ in range(8)])
    env.seed(0)
    model = agent("none", env=env, critic="privileged", learning_rate=1e-2)
    collect(model)
    for batch in model.rollout.minibatches(64, model._chunk_states()):
        with torch.no_grad():
            new = model.policy.evaluate_sequence(
                batch.observation, batch.actions, batch.state, batch.starts, None, batch.privileged
            )
        torch.testing.assert_close(new.values, batch.values, atol=1e-5, rtol=0)
    by_cue = {}
    for cue in (0.0, 1.0):
        truth = torch.full((1, 1), cue)
        by_cue[cue] = model.policy._values(torch.zeros(1, 64), truth)
    assert not torch.allclose(by_cue[0.0], by_cue[1.0])
    assert model.predict(np.zeros(2, dtype=np.float32))[0] in (0, 1)  # without truth


def test_masked_actions_are_never_taken_and_others_keep_their_proportions():
    torch.manual_seed(0)
    box = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
    policy = MemoryPolicy(box, gym.spaces.Discrete(4), lambda _: 1e-3, memory="none").eval()
    frame = {"observation": torch.randn(500, 2)}
    starts = torch.ones(500, dtype=torch.bool)
    masks = torch.tensor([True, False, True, False]).expand(500, 4)
    free = policy.act(frame, {}, starts)
    masked = policy.act(frame, {}, starts, False, masks)
    assert set(masked.actions.unique().tolist()) == {0, 2}
    left = free.probs[:, [0, 2]]
    torch.testing.assert_close(masked.probs[:, [0, 2]], left / left.sum(1, keepdim=True))
    assert float(masked.entropy.detach().max()) <= np.log(2) + 1e-6


def test_masks_as_each_world_offers_them():
    class Choosy(Recall):
        def action_masks(self) -> np.ndarray:
            return np.array([self.t != 1, True])

        def step(self, action: int) -> Any:
            assert self.action_masks()[action]
            return super().step(action)

    model = MemoryPPO("MemoryPolicy", DummyVecEnv([Choosy] * 4), n_steps=16, batch_size=64)
    model.learn(128)
    masks = model.rollout.columns["masks"]
    assert not masks[..., 0].all() and masks[..., 1].all()


class Choice(Recall):
    """Recall, of which any action is available."""

    def action_masks(self) -> np.ndarray:
        return np.ones(2, dtype=bool)


def test_who_learned_with_masks_and_gets_none_warns_once(tmp_path):
    """Also when loaded: what it thinks of actions that were never available means nothing."""
    model = MemoryPPO("MemoryPolicy", DummyVecEnv([Choice]), n_steps=16, batch_size=16)
    model.save(tmp_path / "agent")
    frame = np.zeros((1, 2), dtype=np.float32)
    for agent in (model, MemoryPPO.load(tmp_path / "agent")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            agent.predict(frame, action_masks=np.ones((1, 2), dtype=bool))
        with pytest.warns(UserWarning, match="learned with action masks and gets none"):
            agent.predict(frame)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            agent.predict(frame)


def test_who_learned_without_masks_needs_none(agent):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agent("lstm").predict(np.zeros((1, 2), dtype=np.float32))


def test_masks_of_several_choices():
    torch.manual_seed(0)
    box = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
    actions = gym.spaces.MultiDiscrete([2, 3])
    policy = MemoryPolicy(box, actions, lambda _: 1e-3, memory="none").eval()
    masks = torch.tensor([[False, True, True, False, False]]).expand(50, 5)
    starts = torch.ones(50, dtype=torch.bool)
    act = policy.act({"observation": torch.randn(50, 2)}, {}, starts, False, masks)
    assert (act.actions == torch.tensor([1, 0])).all()
    torch.testing.assert_close(act.log_prob, torch.zeros(50))


def test_squashed_gaussians_have_the_density_of_what_is_done():
    torch.manual_seed(0)
    box = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    policy = MemoryPolicy(box, box, lambda _: 1e-3, memory="none").eval()
    head = policy.action_head
    parameters = torch.tensor([[0.3, -0.5]])  # mean, log standard deviation
    done = torch.linspace(-0.999, 0.999, 4001)
    density = head.log_prob(parameters, done.atanh()[:, None]).exp()
    assert float(torch.trapezoid(density, done)) == pytest.approx(1.0, abs=5e-3)


def test_only_a_reach_shorter_than_the_horizon_warns(agent):
    with pytest.warns(UserWarning, match="gradients reach 4 steps back.*remembered for 10"):
        agent("lstm", bptt_steps=4, memory_horizon_steps=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        agent("lstm", bptt_steps=16, memory_horizon_steps=10)


def compiles() -> bool:
    try:
        return bool(torch.equal(torch.compile(torch.sin)(torch.zeros(2)), torch.zeros(2)))
    except Exception:
        return False


def trained(**settings: Any) -> tuple[MemoryPPO, torch.Tensor]:
    model = MemoryPPO(
        "MemoryPolicy", worlds(8), memory="lstm", n_steps=16, batch_size=64, seed=0, device="cpu",
        **{"learning_rate": 1e-3, **settings},
    )  # fmt: skip
    collect(model)
    model.train()
    return model, torch.cat([weight.detach().flatten() for weight in model.policy.parameters()])


@pytest.mark.slow
def test_compilation_changes_speed_alone():
    if not compiles():
        pytest.skip("no C++ compiler that torch.compile can use")
    _, plain = trained()
    _, compiled = trained(compile=True)
    torch.testing.assert_close(compiled, plain, atol=1e-4, rtol=0)


def test_bf16_trains_within_its_precision_and_acts_in_float32(agent):
    exact, plain = trained(learning_rate=1e-4)
    half, rounded = trained(learning_rate=1e-4, precision="bf16")
    assert rounded.dtype == torch.float32
    # Adam moves a weight by about the learning rate a step, whatever the gradient's size.
    torch.testing.assert_close(rounded, plain, atol=2e-3, rtol=0)
    assert not torch.equal(rounded, plain)
    torch.testing.assert_close(half.rollout.log_prob, exact.rollout.log_prob, atol=0, rtol=0)
    with pytest.raises(ValueError, match="'fp8' is not one of 'float32', 'bf16'"):
        agent("gru", precision="fp8")
