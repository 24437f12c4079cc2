"""SB3's attributes of PPO: each can be read, and what is set is what is trained with."""

from __future__ import annotations

import pytest
from stable_baselines3 import PPO

from drivemem_agents import MemoryPPO
from drivemem_agents.setting_attributes import SB3_SETTINGS

from .conftest import worlds

CHANGED = {
    "learning_rate": 1e-5, "batch_size": 32, "n_epochs": 2, "gamma": 0.5, "gae_lambda": 0.5,
    "clip_range": 0.01, "clip_range_vf": 0.01, "normalize_advantage": False, "ent_coef": 0.5,
    "vf_coef": 2.0, "max_grad_norm": 0.01, "target_kl": 1e-6,
}  # fmt: skip


def trained(model: MemoryPPO) -> float:
    """A sum of the weights after learning from known random states."""
    model.set_random_seed(0)
    model.learn(256)
    return float(sum(weight.double().sum() for weight in model.policy.parameters()))


@pytest.mark.parametrize("name", SB3_SETTINGS)
def test_attributes_read_as_sb3s_do(agent, name):
    values = {**CHANGED, "n_steps": 16}
    theirs = PPO("MlpPolicy", worlds(8), device="cpu", **{**values, "n_steps": 16})
    mine, other = getattr(agent("gru", **values), name), getattr(theirs, name)
    assert callable(mine) == callable(other)
    assert (mine(1.0), mine(0.0)) == (other(1.0), other(0.0)) if callable(mine) else mine == other


@pytest.mark.parametrize("name", CHANGED)
def test_setting_an_attribute_is_the_same_as_giving_the_setting(agent, name):
    plain = {"clip_range_vf": 0.3, "normalize_rewards": True}
    model = agent("none", **plain)
    setattr(model, name, CHANGED[name])
    given = agent("none", **{**plain, name: CHANGED[name]})
    assert model.settings == given.settings
    assert trained(model) == trained(given) != trained(agent("none", **plain))


def test_setting_a_function_is_the_same_as_giving_it(agent):
    for name in ("learning_rate", "lr_schedule", "clip_range", "ent_coef"):
        model = agent("none")
        setattr(model, name, lambda left: 0.01 * left)
        setting = name.replace("lr_schedule", "learning_rate")
        given = agent("none", **{setting: lambda left: 0.01 * left})
        assert trained(model) == trained(given), name
        assert getattr(model, name)(0.5) == 0.005


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("batch_size", 0, "batch_size"),
        ("batch_size", 20, "try batch_size=32"),
        ("n_steps", 32, r"load\(path, env, n_steps=32\)"),
        ("gamma", 1.5, "gamma"),
        ("learning_rate", -1.0, "learning_rate"),
        ("clip_range", float("nan"), "clip_range"),
        ("n_epochs", 1.5, "n_epochs"),
    ],
)
def test_what_cannot_be_set_is_refused_and_nothing_changes(agent, name, value, said):
    model = agent("gru")
    before = model.settings
    with pytest.raises(ValueError, match=said) as caught:
        setattr(model, name, value)
    assert model.settings == before and "\n" not in str(caught.value)


def test_what_was_set_is_saved(agent, tmp_path):
    model = agent("gru")
    model.clip_range, model.learning_rate = 0.07, 3e-4
    model.save(tmp_path / "agent")
    loaded = MemoryPPO.load(tmp_path / "agent")
    assert loaded.clip_range(0.5) == 0.07 and loaded.learning_rate == 3e-4
