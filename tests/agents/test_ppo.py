"""MemoryPPO by behaviour: exact replay, bootstrapping, learning what only memory can."""

from __future__ import annotations

import warnings

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback, CheckpointCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

from drivemem_agents import MemoryPPO
from drivemem_agents.memory import memory_names

from .conftest import Recall, worlds


class Nothing(BaseCallback):
    def _on_step(self) -> bool:
        return True


def collect(model: MemoryPPO) -> None:
    _, callback = model._setup_learn(10**9, Nothing())
    assert model.collect_rollouts(model.env, callback, None, model.n_steps)


@pytest.mark.parametrize("memory", memory_names())
@pytest.mark.parametrize("bptt_steps", [None, 4])
def test_replay_before_the_first_update_is_exact(agent, memory, bptt_steps):
    model = agent(memory, bptt_steps=bptt_steps)
    collect(model)
    for batch in model.rollout.minibatches(64, model._chunk_states()):
        with torch.no_grad():
            new = model.policy.evaluate_sequence(
                batch.observation, batch.actions, batch.state, batch.starts
            )
        torch.testing.assert_close(new.log_prob, batch.log_prob, atol=1e-5, rtol=0)
        torch.testing.assert_close(new.values, batch.values, atol=1e-5, rtol=0)


@pytest.mark.parametrize("critic", ["shared", "separate"])
def test_replay_is_exact_for_every_critic(agent, critic):
    model = agent("lstm", critic=critic, normalize_observations=True)
    model.learn(256)
    collect(model)
    for batch in model.rollout.minibatches(64, model._chunk_states()):
        with torch.no_grad():
            new = model.policy.evaluate_sequence(
                batch.observation, batch.actions, batch.state, batch.starts
            )
        torch.testing.assert_close(new.values, batch.values, atol=1e-5, rtol=0)


@pytest.mark.parametrize("state_init", ["stored", "recompute"])
def test_chunk_states_before_an_update_do_not_depend_on_where_they_come_from(agent, state_init):
    model = agent("gru", bptt_steps=4, state_init=state_init)
    collect(model)
    for found, stored in zip(model._chunk_states(), model.rollout.states, strict=True):
        torch.testing.assert_close(found["h"], stored["h"], atol=1e-6, rtol=0)


def test_zero_and_burned_in_states(agent):
    zero = agent("gru", bptt_steps=4, state_init="zero")
    collect(zero)
    assert all(torch.count_nonzero(state["h"]) == 0 for state in zero._chunk_states())
    # Episodes are 4 steps: burning in 8 recovers the stored state exactly.
    burned = agent("gru", bptt_steps=4, state_init="burn_in", burn_in_steps=8)
    collect(burned)
    for found, stored in zip(burned._chunk_states()[2:], burned.rollout.states[2:], strict=True):
        torch.testing.assert_close(found["h"], stored["h"], atol=1e-6, rtol=0)


def test_truncation_bootstraps_with_the_carried_state(agent):
    model = agent("gru", env=worlds(4, delay=9, truncate_at=3), gamma=0.9)
    collect(model)
    rollout = model.rollout
    assert rollout.dones.any() and not rollout.rewards.any()
    t = int(np.flatnonzero(rollout.dones.any(axis=1))[0])
    # The state after step t, had the episode gone on, sees the frame that follows.
    final = torch.tensor([[0.0, 0.0]]).repeat(4, 1)
    state = model.policy.initial_state(4)
    starts = torch.ones(4, dtype=torch.bool)
    with torch.no_grad():
        for k in range(t + 1):
            frame = {"observation": rollout.columns["observation.observation"][k]}
            state = model.policy.act(frame, state, starts).state
            starts = torch.zeros(4, dtype=torch.bool)
        expected = model.policy.act({"observation": final}, state, starts).values
    np.testing.assert_allclose(rollout.bootstraps[t], expected.numpy(), atol=1e-6)
    # It enters as gamma V on top of the reward.
    plain = rollout.returns[t].numpy()
    np.testing.assert_allclose(plain, 0.9 * expected.numpy(), atol=1e-5)


def test_termination_does_not_bootstrap(agent):
    model = agent("gru", env=worlds(4, delay=3))
    collect(model)
    assert model.rollout.dones.any()
    assert not model.rollout.bootstraps.any()


@pytest.mark.parametrize("memory", ["gru", "lstm"])
def test_memory_learns_to_recall_and_no_memory_cannot(agent, memory):
    # A few in a hundred seeds fail at this learning rate; this one does not.
    settings = {"n_steps": 32, "batch_size": 256, "learning_rate": 5e-3, "ent_coef": 0.0}
    model = agent(memory, env=worlds(16), seed=1, **settings).learn(16_000)
    assert evaluate_policy(model, worlds(8, seed=9), n_eval_episodes=64)[0] > 0.95
    blind = agent("none", env=worlds(16), **settings).learn(16_000)
    assert evaluate_policy(blind, worlds(8, seed=9), n_eval_episodes=128)[0] < 0.7


def test_frame_stack_recalls_what_is_in_the_stack_and_nothing_else(agent):
    settings = {"n_steps": 32, "batch_size": 256, "learning_rate": 5e-3, "ent_coef": 0.0}
    long = agent("frame_stack", env=worlds(16), memory_kwargs={"frames": 4}, **settings)
    assert evaluate_policy(long.learn(16_000), worlds(8, seed=9), n_eval_episodes=64)[0] > 0.95
    short = agent("frame_stack", env=worlds(16), memory_kwargs={"frames": 3}, **settings)
    assert evaluate_policy(short.learn(16_000), worlds(8, seed=9), n_eval_episodes=128)[0] < 0.7


@pytest.mark.parametrize("memory", memory_names())
def test_training_is_deterministic(agent, memory):
    first, second = (agent(memory, env=worlds(seed=3)).learn(512) for _ in range(2))
    for a, b in zip(first.policy.parameters(), second.policy.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    "space",
    [
        gym.spaces.Discrete(3),
        gym.spaces.Discrete(3, start=5),
        gym.spaces.MultiDiscrete([2, 3]),
        gym.spaces.Box(-2.0, 1.0, (2,), np.float32),
    ],
    ids=str,
)
def test_every_action_space_is_driven_within_its_bounds(space):
    class Anything(Recall):
        def __init__(self) -> None:
            super().__init__()
            self.action_space = space

        def step(self, action):
            assert space.contains(np.asarray(action, dtype=space.dtype)), action
            return super().step(0)

    model = MemoryPPO("MemoryPolicy", DummyVecEnv([Anything] * 2), n_steps=16, batch_size=16)
    model.learn(64)
    action, state = model.predict(np.zeros(2, dtype=np.float32))
    assert space.contains(np.asarray(action, dtype=space.dtype)) and state


def test_dict_observations_and_masks():
    class Masked(DummyVecEnv):
        def action_masks(self):
            masks = np.ones((self.num_envs, 2), dtype=bool)
            masks[:, 1] = False
            return masks

    class Split(Recall):
        def __init__(self) -> None:
            super().__init__()
            box = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
            self.observation_space = gym.spaces.Dict({"a": box, "b": box})

        def _observe(self):
            both = super()._observe()
            return {"a": both[:1], "b": both[1:]}

        def step(self, action):
            assert action == 0
            return super().step(action)

    model = MemoryPPO("MemoryPolicy", Masked([Split] * 2), n_steps=16, batch_size=32, ent_coef=0.1)
    model.learn(128)
    probabilities = model.rollout.columns["masks"]
    assert not probabilities[..., 1].any()


def test_predict_carries_state_and_resets_it(agent):
    model = agent("gru")
    model.learn(128)
    cue = np.array([[1.0, 0.0], [-1.0, 0.0]], dtype=np.float32)
    starts = np.ones(2, dtype=bool)
    _, state = model.predict(cue, None, starts)
    _, later = model.predict(np.zeros((2, 2), np.float32), state, np.zeros(2, dtype=bool))
    assert not torch.allclose(later["h"][0], later["h"][1])
    _, fresh = model.predict(np.zeros((2, 2), np.float32), state, starts)
    torch.testing.assert_close(fresh["h"][0], fresh["h"][1])


def test_sb3_wrappers_and_callbacks(agent, tmp_path):
    env = VecNormalize(VecMonitor(worlds(4)))
    model = agent("gru", env=env)
    model.learn(256, callback=CheckpointCallback(64, str(tmp_path)))
    saved = sorted(tmp_path.iterdir())
    assert saved and all((folder / "model.safetensors").is_file() for folder in saved)
    assert len(model.ep_info_buffer) > 0
    assert evaluate_policy(model, VecMonitor(worlds(2)), n_eval_episodes=4)[0] >= 0.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bptt_steps": 5}, "does not divide n_steps=16; try bptt_steps=4"),
        ({"batch_size": 40}, "no multiple of the chunk length 16.*try batch_size=48"),
        ({"memory": "grru"}, "unknown memory 'grru'; did you mean 'gru'"),
        ({"encoder": "vectr"}, "unknown encoder 'vectr'; did you mean 'vector'"),
        ({"aux_coef": 1.0}, "privileged_size is 0"),
        ({"memory_kwargs": {"hiden_size": 8}}, "hiden_size"),
    ],
)
def test_settings_that_do_not_fit_say_how_they_would(agent, settings, words):
    memory = settings.pop("memory", "gru")
    with pytest.raises(ValueError, match=words):
        agent(memory, **settings)


def test_a_rollout_shorter_than_the_memory_horizon_warns(agent):
    with pytest.warns(UserWarning, match="raise n_steps"):
        agent("gru", memory_horizon_steps=40)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        agent("none", memory_horizon_steps=40)


def test_the_auxiliary_loss_teaches_the_memory(agent):
    class Telling(DummyVecEnv):
        privileged_dim = 1

        def privileged(self):
            return np.array([[float(env.cue)] for env in self.envs], dtype=np.float32)

    env = Telling([Recall for _ in range(8)])
    env.seed(0)
    model = agent("gru", env=env, aux_coef=1.0, learning_rate=5e-3, n_steps=32, batch_size=256)
    losses = []

    class Watch(Nothing):
        def _on_rollout_end(self) -> None:
            losses.append(self.logger.name_to_value.get("train/aux_loss", np.nan))

    model.learn(8_000, callback=Watch())
    assert losses[-1] < 0.1 * np.nanmax(losses)
