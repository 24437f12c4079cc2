"""Velocity-free CartPole at RecurrentPPO's settings: memory solves it, a single frame cannot."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.callbacks import EvalCallback
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


def score(memory: str, seed: int, folder: Path) -> float:
    """Mean of 10 fresh episodes of the policy that did best in evaluations every 5k of 50k steps.

    The settings and the choice of the policy are those of sb3-contrib's own test of RecurrentPPO
    (test_ppo_lstm_performance), which scales rewards as well and takes the best evaluation itself
    as the result; here the chosen policy drives episodes that it was not chosen by.
    """
    kwargs = {} if memory == "none" else {"hidden_size": 64}
    model = MemoryPPO(
        "MemoryPolicy", make_vec_env(make, n_envs=8, seed=seed), memory=memory,
        memory_kwargs=kwargs, critic="separate", n_steps=128, batch_size=256, n_epochs=10,
        learning_rate=7e-4, gamma=0.99, gae_lambda=0.98, ent_coef=0.0, max_grad_norm=1.0,
        normalize_observations=True, normalize_rewards=True, seed=seed,
    )  # fmt: skip
    choosing = make_vec_env(make, n_envs=5, seed=500 + seed)
    best = EvalCallback(
        choosing, n_eval_episodes=10, eval_freq=5_000 // 8, best_model_save_path=str(folder),
        verbose=0,
    )  # fmt: skip
    model.learn(50_000, callback=best)
    chosen = MemoryPPO.load(folder / "best_model", device="cpu")
    fresh = make_vec_env(make, n_envs=5, seed=1000 + seed)
    return float(evaluate_policy(chosen, fresh, n_eval_episodes=10)[0])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("memory", ["lstm", "gru"])
def test_memory_solves_cartpole_without_velocities(memory, seed, tmp_path):
    assert score(memory, seed, tmp_path) > 450


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_single_frame_does_not(seed, tmp_path):
    assert score("none", seed, tmp_path) < 150
