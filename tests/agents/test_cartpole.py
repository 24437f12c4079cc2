"""Velocity-free CartPole at RecurrentPPO's settings: memory solves it, a single frame cannot."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from drivemem_agents import MemoryPPO


class NoVelocity(gym.ObservationWrapper):
    """Cart position and pole angle alone."""

    def __init__(self, env: gym.Env) -> None:
        super().__init__(env)
        self.observation_space = gym.spaces.Box(-5.0, 5.0, (2,), np.float32)

    def observation(self, observation: np.ndarray) -> np.ndarray:
        return observation[[0, 2]]


def make():
    return NoVelocity(gym.make("CartPole-v1"))


def score(memory: str, seed: int) -> float:
    """Mean of 10 evaluation episodes after 50k steps."""
    kwargs = {} if memory == "none" else {"hidden_size": 64}
    model = MemoryPPO(
        "MemoryPolicy", make_vec_env(make, n_envs=8, seed=seed), memory=memory,
        memory_kwargs=kwargs, critic="separate", n_steps=128, batch_size=256, n_epochs=10,
        learning_rate=7e-4, gamma=0.99, gae_lambda=0.98, ent_coef=0.0, max_grad_norm=1.0,
        normalize_observations=True, seed=seed,
    )  # fmt: skip
    model.learn(50_000)
    return float(evaluate_policy(model, make_vec_env(make, n_envs=5, seed=1000 + seed), 10)[0])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("memory", ["lstm", "gru"])
def test_memory_solves_cartpole_without_velocities(memory, seed):
    assert score(memory, seed) > 450


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_single_frame_does_not(seed):
    assert score("none", seed) < 150
