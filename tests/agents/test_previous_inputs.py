"""The previous action and reward as inputs of the memory."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

from drivemem_agents import MemoryPPO
from drivemem_agents.policy import MemoryPolicy

from .conftest import Recall, worlds
from .test_ppo import Nothing, collect

BOTH = {"observe_previous_action": True, "observe_previous_reward": True}
FRAME = {"observation": torch.tensor([[0.5, -0.5], [0.5, -0.5]])}
GOING_ON, NEW = torch.zeros(2, dtype=torch.bool), torch.ones(2, dtype=torch.bool)


class Paid(Recall):
    """Recall of five steps, with a reward that differs from step to step."""

    def __init__(self) -> None:
        super().__init__(delay=4)

    def step(self, action: int) -> Any:
        frame, reward, *rest = super().step(action)
        return frame, reward + 0.1 * self.t + 0.5 * action, *rest


def paid_worlds() -> DummyVecEnv:
    env = DummyVecEnv([Paid] * 8)
    env.seed(0)
    return env


def policy_of(actions: Any = None, **settings: Any) -> MemoryPolicy:
    torch.manual_seed(0)
    box = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
    actions = actions or gym.spaces.Discrete(3)
    return MemoryPolicy(box, actions, lambda _: 1e-3, memory="none", **settings).eval()


def inputs_of(policy: MemoryPolicy, state: Any, starts: torch.Tensor) -> torch.Tensor:
    frames = policy.with_previous_inputs(FRAME, state, starts)
    return policy._inputs(policy.encoder, frames)[:, policy.encoder.output_size :]


def test_what_the_memory_reads_is_the_last_action_and_reward():
    policy = policy_of(**BOTH)
    act = policy.act(FRAME, policy.initial_state(2), NEW)
    state = policy.tell_rewards(act.state, torch.tensor([0.25, -4.0]))
    expected = torch.nn.functional.one_hot(act.actions[:, 0], 3).float()
    seen = inputs_of(policy, state, GOING_ON)
    torch.testing.assert_close(seen, torch.cat([expected, torch.tensor([[0.25], [-4.0]])], dim=1))


def test_an_episode_begins_with_zeros():
    policy = policy_of(**BOTH)
    first = inputs_of(policy, policy.initial_state(2), NEW)
    assert not first.any()
    act = policy.act(FRAME, policy.initial_state(2), NEW)  # whose reward nobody tells
    one = torch.tensor([True, False])
    assert not inputs_of(policy, act.state, NEW).any()
    with pytest.raises(ValueError, match=r"call policy\.tell_rewards"):
        inputs_of(policy, act.state, one)


@pytest.mark.parametrize(
    ("space", "stored", "described"),
    [
        (gym.spaces.Discrete(3, start=5), [[2]], [[0, 0, 1]]),
        (gym.spaces.MultiDiscrete([2, 3]), [[1, 0]], [[0, 1, 1, 0, 0]]),
        (gym.spaces.Box(-9.0, 9.0, (2,), np.float32), [[0.0, 50.0]], [[0.0, 1.0]]),
    ],
    ids=["discrete", "multi", "squashed"],
)
def test_actions_are_described_by_hand(space, stored, described):
    head = policy_of(space).action_head
    found = head.describe(torch.tensor(stored))
    torch.testing.assert_close(found, torch.tensor(described, dtype=torch.float32))


@pytest.mark.parametrize("memory", ["none", "lstm", "attention", "mingru"])
@pytest.mark.parametrize("critic", ["shared", "separate"])
def test_replay_equals_acting(agent, memory, critic):
    model = agent(memory, env=paid_worlds(), bptt_steps=4, critic=critic, **BOTH)
    collect(model)
    silent = Nothing()
    silent.init_callback(model)
    more = model.collect_rollouts(model.env, silent, None, 16)
    assert more and not model.rollout.starts[0].any()  # it goes on in the middle of episodes
    assert model.rollout.columns["observation._previous"][..., -1].any()
    for batch in model.rollout.minibatches(64, model._chunk_states()):
        with torch.no_grad():
            new = model.policy.evaluate_sequence(
                batch.observation, batch.actions, batch.state, batch.starts
            )
        torch.testing.assert_close(new.log_prob, batch.log_prob, atol=1e-5, rtol=0)
        torch.testing.assert_close(new.values, batch.values, atol=1e-5, rtol=0)


def test_chunk_states_are_recomputed_from_stored_previous_inputs(agent):
    model = agent("gru", env=paid_worlds(), bptt_steps=4, state_init="recompute", **BOTH)
    collect(model)
    for found, stored in zip(model._chunk_states(), model.rollout.states, strict=True):
        torch.testing.assert_close(found["h"], stored["h"], atol=1e-6, rtol=0)


def test_what_is_stored_is_what_was_done_and_earned(agent):
    model = agent("gru", env=paid_worlds(), **BOTH)
    collect(model)
    rollout = model.rollout
    seen = rollout.columns["observation._previous"]
    taken = rollout.columns["actions"]
    for t in range(1, rollout.steps):
        begun = rollout.starts[t]
        done = torch.nn.functional.one_hot(taken[t - 1, :, 0], 2).float()
        earned = torch.from_numpy(rollout.rewards[t - 1])
        expected = torch.cat([done, earned[:, None]], dim=1).masked_fill(begun[:, None], 0.0)
        torch.testing.assert_close(seen[t], expected)


class Echo(gym.Env[np.ndarray, int]):
    """Repeat your own first action: nothing but the previous action tells which it was."""

    observation_space = gym.spaces.Box(0.0, 1.0, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.first: int | None = None
        # A coin in the first frame makes either action the first one.
        self.coin = int(self.np_random.integers(2))
        return np.array([self.coin], dtype=np.float32), {}

    def step(self, action: int) -> Any:
        frame = np.array([0.5], dtype=np.float32)
        if self.first is None:
            self.first = int(action)
            return frame, float(action == self.coin), False, False, {}
        return frame, float(action == self.first), True, False, {}


def test_the_previous_action_alone_solves_what_depends_on_it():
    settings: dict[str, Any] = {
        "memory": "none", "n_steps": 32, "batch_size": 256, "learning_rate": 1e-2,
        "ent_coef": 0.0, "seed": 0,
    }  # fmt: skip
    scores = {}
    for observed in (True, False):
        model = MemoryPPO(
            "MemoryPolicy", DummyVecEnv([Echo] * 8), observe_previous_action=observed, **settings
        ).learn(8_000)
        collect(model)
        scores[observed] = 2.0 * float(model.rollout.rewards.mean())  # 2 a step pair, at best
    assert scores[True] > 1.9
    assert scores[False] < 1.75


def test_predict_carries_the_action_and_needs_to_be_told_rewards():
    model = MemoryPPO("MemoryPolicy", worlds(2), memory="gru", n_steps=8, batch_size=16, **BOTH)
    frame = np.zeros((2, 2), dtype=np.float32)
    _, state = model.predict(frame, None, np.ones(2, dtype=bool))
    with pytest.raises(ValueError, match="tell_rewards"):
        model.predict(frame, state, np.zeros(2, dtype=bool))
    told = model.policy.tell_rewards(state, torch.tensor([1.0, 0.0]))
    _, later = model.predict(frame, told, np.zeros(2, dtype=bool))
    assert not torch.equal(later["h"][0], later["h"][1])
