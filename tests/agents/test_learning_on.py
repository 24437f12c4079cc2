"""A saved and loaded agent learns on as SB3's PPO does."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecNormalize

from drivemem_agents import MemoryPPO
from drivemem_agents.checkpoint import save_agent

from .conftest import worlds


def learnt_on(model: MemoryPPO, seed: int = 5) -> MemoryPPO:
    """The model after further learning in fresh worlds, with known random states."""
    model.set_env(worlds(8, seed=seed))
    torch.manual_seed(seed)
    np.random.seed(seed)
    return model.learn(256, reset_num_timesteps=False)


@pytest.mark.parametrize("memory", ["none", "gru"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"normalize_rewards": True, "normalize_observations": True},
        {"weight_decay": 0.01},
        {"learning_rate": LinearSchedule(1e-3, 1e-5, 1.0), "clip_range": LinearSchedule(0.3, 0, 1)},
    ],
    ids=str,
)
def test_a_loaded_agent_learns_on_as_if_it_had_never_been_away(agent, memory, settings, tmp_path):
    whole = agent(memory, **settings).learn(256)
    whole.save(tmp_path / "agent")
    loaded = MemoryPPO.load(tmp_path / "agent", env=worlds(8), device="cpu")
    assert loaded.num_timesteps == 256 and loaded.seed == 0
    assert loaded._n_updates == whole._n_updates
    whole.reward_scaler.returns.zero_()  # worlds begin anew in both
    learnt_on(whole), learnt_on(loaded)
    assert loaded.num_timesteps == whole.num_timesteps == 512
    for name, value in whole.policy.state_dict().items():
        assert torch.equal(value, loaded.policy.state_dict()[name]), name


def test_saving_what_was_loaded_loses_nothing(agent, tmp_path):
    agent("gru", normalize_rewards=True, verbose=0, stats_window_size=7).learn(256).save(
        tmp_path / "a"
    )
    MemoryPPO.load(tmp_path / "a").save(tmp_path / "b")
    for file in ("agent.json", "model.safetensors", "training.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_a_loaded_agent_takes_worlds_later_and_other_numbers_of_them_at_once(agent, tmp_path):
    agent("gru").learn(128).save(tmp_path / "agent")
    later = MemoryPPO.load(tmp_path / "agent")
    later.set_env(worlds(8))
    assert later.learn(128, reset_num_timesteps=False).num_timesteps == 256
    fewer = MemoryPPO.load(tmp_path / "agent", env=worlds(2), batch_size=32)
    assert fewer.learn(32, reset_num_timesteps=False).num_timesteps == 160


def test_functions_that_no_file_holds_are_named_when_learning_goes_on(agent, tmp_path):
    agent("gru", ent_coef=lambda left: 0.01 * left).learn(128).save(tmp_path / "agent")
    loaded = MemoryPPO.load(tmp_path / "agent", env=worlds(8))
    loaded.save(tmp_path / "again")
    for folder in ("agent", "again"):
        with pytest.warns(
            UserWarning, match=r"ent_coef at 0\.01.*load\(path, env, ent_coef="
        ) as said:
            MemoryPPO.load(tmp_path / folder, env=worlds(8)).learn(128)
        assert said[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MemoryPPO.load(tmp_path / "agent").predict(np.zeros((1, 2), np.float32))
        given = MemoryPPO.load(tmp_path / "agent", env=worlds(8), ent_coef=lambda left: 0.02 * left)
        given.learn(128)


def test_settings_given_when_loading_replace_the_stored_ones(agent, tmp_path):
    agent("gru").learn(128).save(tmp_path / "agent")
    loaded = MemoryPPO.load(
        tmp_path / "agent", env=worlds(8), learning_rate=1e-5, seed=3, verbose=0
    )
    loaded.learn(128)
    assert loaded.seed == 3 and loaded.policy.optimizer.param_groups[0]["lr"] == 1e-5


def test_an_agent_for_driving_alone_has_nothing_of_training(agent, tmp_path):
    save_agent(agent("gru").learn(128), tmp_path / "agent")
    assert {path.name for path in (tmp_path / "agent").iterdir()} == {
        "agent.json", "model.safetensors",
    }  # fmt: skip
    assert MemoryPPO.load(tmp_path / "agent").num_timesteps == 0


def test_normalised_worlds_are_known_to_a_loaded_agent(agent, tmp_path):
    agent("gru").save(tmp_path / "agent")
    env = VecNormalize(worlds(8))
    assert MemoryPPO.load(tmp_path / "agent", env=env).get_vec_normalize_env() is env
