"""docs/sb3.md lists every public method of SB3's two classes, and each does what its row says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import CheckpointCallback, EvalCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from drivemem_agents import CheckpointError, MemoryPolicy, MemoryPPO

from .conftest import worlds

PAGE = Path(__file__).parents[2] / "docs" / "sb3.md"
ONE = np.array([0.5, -0.25], np.float32)


def table(heading: str) -> dict[str, str]:
    """Method to `same`, `differs` or `refused`, of one table of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.M))


OF_MODEL, OF_POLICY = table("MemoryPPO"), table("MemoryPolicy")


def theirs() -> PPO:
    return PPO("MlpPolicy", worlds(8), n_steps=16, batch_size=64, seed=0, device="cpu")


def own(base: type) -> set[str]:
    """Public names that SB3 gives a class (PyTorch's are not SB3's)."""
    parts = [cls for cls in base.__mro__ if cls.__module__.startswith("stable_baselines3")]
    return {name for cls in parts for name in vars(cls) if not name.startswith("_")}


def test_the_tables_list_every_public_method():
    assert set(OF_MODEL) == own(OnPolicyAlgorithm)
    assert set(OF_POLICY) == own(BasePolicy)
    assert {*OF_MODEL.values(), *OF_POLICY.values()} == {"same", "differs", "refused"}


@pytest.mark.parametrize("name", OF_MODEL)
def test_methods_take_sb3s_arguments_in_sb3s_order(name):
    if not callable(getattr(PPO, name)):
        return
    wanted = list(inspect.signature(getattr(PPO, name)).parameters)
    found = list(inspect.signature(getattr(MemoryPPO, name)).parameters)
    assert found[: len(wanted) - ("kwargs" in wanted)] == [n for n in wanted if n != "kwargs"]


@pytest.mark.parametrize("kind, base, rows", [
    (MemoryPPO, OnPolicyAlgorithm, OF_MODEL), (MemoryPolicy, BasePolicy, OF_POLICY),
])  # fmt: skip
def test_what_is_the_same_is_sb3s_own_code_and_what_differs_is_not(kind, base, rows):
    for name, how in rows.items():
        mine, other = inspect.getattr_static(kind, name), inspect.getattr_static(base, name)
        assert (mine is other) == (how == "same"), name


def test_learning_logging_and_environments_go_as_in_sb3(agent, tmp_path):
    mine, other = agent("gru", env=VecNormalize(worlds(8))), theirs()
    for model in (mine, other):
        model.set_logger(configure(str(tmp_path), []))
        model.set_random_seed(3)
        assert model.learn(128) is model and model.num_timesteps == 128
        model.learn(128, reset_num_timesteps=False)
        assert model.num_timesteps == 256 and model.logger.get_dir() == str(tmp_path)
        model.dump_logs()
        model.set_env(worlds(8))
        assert model.get_env().num_envs == 8 and model.get_vec_normalize_env() is None
        with pytest.raises(AssertionError, match="number of environments"):
            model.set_env(worlds(4))
    assert list(mine.policy_aliases) == ["MemoryPolicy"]


def test_parameters_are_got_and_set_as_in_sb3(agent, tmp_path):
    model = agent("gru").learn(128)
    for each in (model, theirs()):
        assert set(each.get_parameters()) == {"policy", "policy.optimizer"}
    other = agent("gru", seed=1)
    other.set_parameters(model.get_parameters())
    model.save(tmp_path / "agent")
    again = agent("gru", seed=2)
    again.set_parameters(tmp_path / "agent.zip")
    for taken in (other, again):
        for name, value in model.policy.state_dict().items():
            assert torch.equal(value, taken.policy.state_dict()[name])
        mine, state = model.policy.optimizer.state_dict(), taken.policy.optimizer.state_dict()
        assert torch.equal(mine["state"][0]["exp_avg"], state["state"][0]["exp_avg"])
    with pytest.raises(ValueError, match="Names of parameters"):
        other.set_parameters({"policy": model.policy.state_dict()})
    with pytest.raises(CheckpointError, match="another architecture"):
        agent("lstm").set_parameters(tmp_path / "agent")


def test_loading_takes_custom_objects_as_settings(agent, tmp_path, capsys):
    agent("gru").save(tmp_path / "agent")
    objects = {"lr_schedule": lambda left: 0.5 * left, "clip_range": lambda _: 0.1}
    loaded = MemoryPPO.load(tmp_path / "agent", None, "cpu", objects, True)
    assert loaded.lr_schedule(0.5) == 0.25 and loaded.clip_range(1.0) == 0.1
    assert "Stable-Baselines3" in capsys.readouterr().out
    for wrong, said in (
        ({"replay_buffer": None}, "unknown setting 'replay_buffer'"),
        ({"gama": 0.9}, "did you mean 'gamma'"),
        ({"gamma": 2.0}, "gamma"),
    ):
        with pytest.raises(ValueError, match=f"^(unknown )?setting.*{said.split()[-1]}"):
            MemoryPPO.load(tmp_path / "agent", custom_objects=wrong)
        with pytest.raises(ValueError, match=said):
            MemoryPPO.load(tmp_path / "agent", **wrong)
    with pytest.raises(ValueError, match="force_reset"):
        MemoryPPO.load(tmp_path / "agent", force_reset=False)


@pytest.mark.parametrize("arguments", [{"exclude": ["policy"]}, {"include": ["env"]}])
def test_saving_refuses_what_only_a_pickle_has(agent, arguments, tmp_path):
    with pytest.raises(ValueError, match="exclude and include"):
        agent("gru").save(tmp_path / "agent", **arguments)
    with (tmp_path / "open").open("wb") as file, pytest.raises(ValueError, match="BufferedWriter"):
        agent("gru").save(file)


def test_sb3s_callbacks_save_agents_that_load(agent, tmp_path):
    model = agent("gru")
    best = EvalCallback(
        VecMonitor(worlds(2)), best_model_save_path=str(tmp_path / "best"), eval_freq=16, verbose=0
    )
    model.learn(512, callback=[CheckpointCallback(16, str(tmp_path / "all")), best])
    assert MemoryPPO.load(tmp_path / "best" / "best_model").num_timesteps in range(128, 513, 128)
    steps = [128, 256, 384, 512]
    found = [MemoryPPO.load(tmp_path / "all" / f"rl_model_{step}_steps") for step in steps]
    assert [each.num_timesteps for each in found] == steps


@pytest.mark.parametrize("name", [name for name, how in OF_POLICY.items() if how == "refused"])
def test_what_is_refused_says_what_to_use(agent, name):
    arguments = (torch.zeros(1, 2), None) if name == "extract_features" else ()
    with pytest.raises(ValueError, match="encoder"):
        getattr(agent("gru").policy, name)(*arguments)


POLICY: dict[str, Callable[[Any], Any]] = {
    "device": lambda policy: policy.device,
    "init_weights": lambda policy: policy.init_weights(torch.nn.Identity()),
    "is_vectorized_observation": lambda policy: [
        policy.is_vectorized_observation(ONE), policy.is_vectorized_observation(ONE[None])
    ],
    "obs_to_tensor": lambda policy: policy.obs_to_tensor(ONE)[0].tolist(),
    "set_training_mode": lambda policy: [
        policy.set_training_mode(True), policy.training, policy.set_training_mode(False),
        policy.training,
    ],
    "squash_output": lambda policy: policy.squash_output,
}  # fmt: skip


@pytest.mark.parametrize("name", POLICY)
def test_what_is_the_same_in_policies_gives_the_same(agent, name):
    assert POLICY[name](agent("gru").policy) == POLICY[name](theirs().policy)


def test_weights_go_through_vectors(agent):
    policy, other = agent("gru").policy, agent("gru", seed=1).policy
    other.load_from_vector(policy.parameters_to_vector())
    assert np.array_equal(policy.parameters_to_vector(), other.parameters_to_vector())
    assert np.array_equal(
        policy.predict(ONE, deterministic=True)[0], other.predict(ONE, deterministic=True)[0]
    )


def test_actions_are_scaled_as_in_sb3():
    steer = spaces.Box(np.array([-2.0, 0.0]), np.array([2.0, 1.0]), dtype=np.float32)
    policy = MemoryPolicy(spaces.Box(-1, 1, (2,)), steer, lambda _: 1e-3)
    assert policy.scale_action(np.array([1.0, 0.25])).tolist() == [0.5, -0.5]
    assert policy.unscale_action(np.array([0.5, -0.5])).tolist() == [1.0, 0.25]
