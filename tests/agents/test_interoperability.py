"""What SB3 brings works with these agents: evaluation, callbacks, wrappers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.callbacks import (
    CallbackList,
    CheckpointCallback,
    EvalCallback,
    StopTrainingOnMaxEpisodes,
    StopTrainingOnRewardThreshold,
)
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
    unwrap_vec_normalize,
)

from drivemem_agents import MemoryPPO
from drivemem_agents.memory import memory_names

from .conftest import Recall, worlds


class Names(MemoryPPO):
    """Acts by rule through `predict`, to see what SB3 hands over."""

    def predict(self, observation: Any, state: Any = None, episode_start: Any = None, **_: Any):
        cues = np.zeros(len(observation)) if state is None else state
        cues = np.where(episode_start, observation[:, 0], cues)
        return (cues > 0).astype(int), cues


def monitored(count: int = 4) -> VecMonitor:
    return VecMonitor(worlds(count, seed=9))


def test_evaluate_policy_hands_state_and_episode_starts_over():
    model = Names("MemoryPolicy", worlds(2), n_steps=8, batch_size=16)
    rewards, lengths = evaluate_policy(
        model, monitored(), n_eval_episodes=40, return_episode_rewards=True
    )
    assert rewards == [1.0] * 40 and set(lengths) == {4}


@pytest.mark.parametrize("memory", memory_names())
def test_every_memory_is_evaluated(agent, memory):
    mean, spread = evaluate_policy(agent(memory), monitored(), n_eval_episodes=12)
    assert 0.0 <= mean <= 1.0 and spread <= 0.5


def test_evaluation_is_repeatable(agent):
    model = agent("lstm")
    first, second = (
        evaluate_policy(model, monitored(), n_eval_episodes=12, return_episode_rewards=True)
        for _ in range(2)
    )
    assert first == second


def test_eval_callback_keeps_the_best_agent_and_stops_training(agent, tmp_path):
    callback = EvalCallback(
        monitored(),
        callback_on_new_best=StopTrainingOnRewardThreshold(0.95, verbose=0),
        n_eval_episodes=32,
        eval_freq=64,
        best_model_save_path=str(tmp_path),
        log_path=str(tmp_path),
        verbose=0,
    )
    settings = {"n_steps": 32, "batch_size": 256, "learning_rate": 5e-3, "ent_coef": 0.0}
    model = agent("gru", env=worlds(16), **settings)
    model.learn(60_000, callback=callback)
    assert model.num_timesteps < 60_000  # the threshold stopped it
    best = MemoryPPO.load(tmp_path / "best_model")
    assert evaluate_policy(best, monitored(), n_eval_episodes=64)[0] > 0.9
    assert np.load(tmp_path / "evaluations.npz")["results"].shape[1] == 32


def test_callbacks_in_a_list_see_every_step(agent, tmp_path):
    model = agent("gru", env=monitored(8))
    both = CallbackList(
        [CheckpointCallback(16, str(tmp_path), name_prefix="a"), StopTrainingOnMaxEpisodes(10)]
    )
    model.learn(10_000, callback=both)
    assert model.num_timesteps == 320  # 10 episodes for each of 8 worlds
    assert (tmp_path / "a_128_steps" / "agent.json").is_file()


def test_training_through_normalised_and_monitored_worlds(agent, tmp_path):
    env = VecNormalize(VecMonitor(worlds(8)), gamma=0.99)
    model = agent("lstm", env=env, n_steps=32, batch_size=256, learning_rate=5e-3, ent_coef=0.0)
    model.set_logger(configure(str(tmp_path), ["csv"]))
    model.learn(20_000)
    assert unwrap_vec_normalize(model.get_env()) is env and env.obs_rms.count > 20_000
    assert model.get_vec_normalize_env() is env
    assert 0.0 <= np.mean([info["r"] for info in model.ep_info_buffer]) <= 1.0  # not normalised
    judge = VecNormalize(monitored(), training=False, norm_reward=False)
    judge.obs_rms = env.obs_rms
    assert evaluate_policy(model, judge, n_eval_episodes=64)[0] > 0.9
    columns = (tmp_path / "progress.csv").read_text().splitlines()[0].split(",")
    assert {"rollout/ep_rew_mean", "time/fps", "train/value_loss", "train/approx_kl"} <= {*columns}


def test_one_monitored_world_is_wrapped_as_sb3_does():
    model = MemoryPPO("MemoryPolicy", Monitor(Recall()), n_steps=16, batch_size=16)
    model.learn(64)
    assert model.ep_info_buffer[0]["l"] == 4
    action, state = model.predict(Recall().reset(seed=0)[0])
    assert np.shape(action) == () and state["h"].shape[0] == 1


def test_frame_stacks_and_env_ids_of_others():
    stacked = VecFrameStack(worlds(4), 3)
    assert MemoryPPO("MemoryPolicy", stacked, n_steps=16, batch_size=64).learn(64).env is stacked
    env = make_vec_env("CartPole-v1", 2, vec_env_cls=DummyVecEnv)
    model = MemoryPPO("MemoryPolicy", env, n_steps=16, batch_size=32).learn(64)
    assert model.num_timesteps == 64
    assert MemoryPPO("MemoryPolicy", "CartPole-v1", n_steps=16, batch_size=16).n_envs == 1


def test_the_test_world_itself_is_sound():
    check_env(Recall(), skip_render_check=True)
