"""What is not finite stops training before it is learnt from, and is never written or read."""

from __future__ import annotations

import json
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from stable_baselines3.common.callbacks import CheckpointCallback
from stable_baselines3.common.vec_env import DummyVecEnv

from drivemem_agents import CheckpointError, MemoryPPO, NonFiniteError
from drivemem_agents.checkpoint import load_training, save_training

from .conftest import Recall


class Broken(Recall):
    """Recall that gives something that is not finite in one step of its life."""

    def __init__(self, at: int, **given: float) -> None:
        super().__init__(truncate_at=2)
        self.at, self.given, self.count = at, given, 0

    def step(self, action: int) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        self.count += 1
        if self.count == self.at:
            observation = observation + np.float32(self.given.get("observation", 0.0))
            reward += self.given.get("reward", 0.0)
        return observation, reward, terminated, truncated, info


class Steer(gym.Env[np.ndarray, np.ndarray]):
    """Continuous actions; the observation is given."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def __init__(self, value: float) -> None:
        self.value = value

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return np.array([self.value], np.float32), {}

    def step(self, action: np.ndarray) -> Any:
        assert np.isfinite(action).all(), "an action that no world can take"
        return self.reset()[0], 0.0, False, False, {}


def broken(at: int, **given: float) -> DummyVecEnv:
    """Four worlds, of which the third breaks."""
    return DummyVecEnv([*[Recall] * 2, lambda: Broken(at, **given), Recall])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("what", ["observation", "reward"])
@pytest.mark.parametrize("memory", ["none", "gru"])
def test_one_bad_number_of_an_environment_stops_training(agent, what, value, memory):
    model = agent(memory, env=broken(21, **{what: value}), normalize_rewards=True)
    weights: list[dict[str, torch.Tensor]] = []

    def remember(local: dict[str, Any], _: dict[str, Any]) -> bool:
        weights.append({k: v.clone() for k, v in model.policy.state_dict().items()})
        return True

    with pytest.raises(NonFiniteError) as caught:
        model.learn(10_000, callback=remember)
    said = str(caught.value)
    assert f"the {what}" in said and f"is {value}" in said and "in world 2" in said
    assert "after 128 steps" in said and "\n" not in said
    assert "4 decisions" in said if what == "reward" else "5 decisions" in said
    for name, value in model.policy.state_dict().items():
        assert torch.equal(value, weights[-1][name]) and value.isfinite().all()
    assert np.isfinite(float(model.reward_scaler.moments.variance))


def test_a_final_observation_that_is_not_finite_stops_training(agent):
    model = agent("gru", env=broken(22, observation=np.nan))  # the last step of an episode
    with pytest.raises(NonFiniteError, match="value of the final observation"):
        model.learn(10_000)


def test_no_action_that_is_not_finite_reaches_a_world(agent):
    model = agent("none", env=DummyVecEnv([lambda: Steer(np.nan)] * 2), batch_size=32)
    with pytest.raises(NonFiniteError, match="action for world 0 is not finite"):
        model.learn(64)


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 1e30},
        {"learning_rate": 1e30, "n_epochs": 1, "batch_size": 128},
        {"vf_coef": 1e38, "max_grad_norm": 1e38},
    ],
    ids=str,
)
def test_what_learning_breaks_stops_it(agent, settings, tmp_path):
    model = agent("gru", **settings)
    with pytest.raises(NonFiniteError, match="learning_rate"):
        model.learn(10_000, callback=CheckpointCallback(16, str(tmp_path)))
    for folder in tmp_path.iterdir():
        assert all(
            value.isfinite().all() for value in load_file(folder / "model.safetensors").values()
        )
        MemoryPPO.load(folder)


def test_a_loss_or_gradient_names_what_is_wrong_and_when(agent):
    model = agent("gru")
    model.learn(128)
    with torch.no_grad():
        model.policy.value_head[-1].bias.fill_(torch.nan)
    with pytest.raises(NonFiniteError, match=r"value_loss is nan") as caught:
        model.train()
    assert "in update 4 (after 128 steps)" in str(caught.value)


@pytest.mark.parametrize("setting", ["learning_rate", "clip_range", "vf_coef", "max_grad_norm"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_settings_are_finite(agent, setting, value):
    with pytest.raises(ValueError, match=setting):
        agent("gru", **{setting: value})


def test_weights_that_are_not_finite_are_neither_written_nor_read(agent, tmp_path):
    model = agent("gru")
    model.save(tmp_path / "agent")
    save_training(model, tmp_path / "checkpoint")
    kept = (tmp_path / "agent" / "model.safetensors").read_bytes()
    with torch.no_grad():
        model.policy.action_head.layer.bias[1] = torch.inf
    for write in (lambda: model.save(tmp_path / "agent"),
                  lambda: save_training(model, tmp_path / "checkpoint")):  # fmt: skip
        with pytest.raises(CheckpointError, match=r"action_head\.layer\.bias"):
            write()
    assert (tmp_path / "agent" / "model.safetensors").read_bytes() == kept
    for folder, description in (("agent", "agent.json"), ("checkpoint", "state.json")):
        path = tmp_path / folder / description  # as they were written before checksums
        described = {**json.loads(path.read_text()), "version": 1}
        del described["sha256"]
        path.write_text(json.dumps(described))
        file = tmp_path / folder / "model.safetensors"
        save_file({name: value * torch.nan if name.endswith("layer.bias") else value
                   for name, value in load_file(file).items()}, file)  # fmt: skip
    with pytest.raises(CheckpointError, match=r"action_head\.layer\.bias is not finite"):
        MemoryPPO.load(tmp_path / "agent")
    with pytest.raises(CheckpointError, match=r"action_head\.layer\.bias is not finite"):
        load_training(agent("gru"), tmp_path / "checkpoint")
