"""PPO's settings are declared once: arguments, help, files and documentation say the same."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

from drivemem_agents import MemoryPolicy, MemoryPPO
from drivemem_agents.ppo_settings import PolicySettings, PPOSettings

from .conftest import worlds
from .settings_table import PAGE, page


def test_constructors_show_what_they_take_with_the_defaults_of_the_table():
    taken = inspect.signature(MemoryPPO).parameters
    for name, field in PPOSettings.model_fields.items():
        assert taken[name].default == field.default
        assert f"    {name}: " in MemoryPPO.__doc__
    taken = inspect.signature(MemoryPolicy).parameters
    for name, field in PolicySettings.model_fields.items():
        assert taken[name].default == field.default == PPOSettings.model_fields[name].default
        assert f"    {name}: " in MemoryPolicy.__doc__
    assert "changes" not in taken


def test_every_setting_is_explained_in_whole_sentences():
    for name, field in PPOSettings.model_fields.items():
        assert field.description and field.description.endswith("."), name


def test_an_agent_of_defaults_has_the_defaults():
    model = MemoryPPO("MemoryPolicy", worlds(4), device="cpu")
    assert model.settings == PPOSettings()
    assert model.rollout.steps == model.n_steps == PPOSettings().n_steps
    assert model.policy.optimizer.param_groups[0]["lr"] == PPOSettings().learning_rate


def test_the_documentation_shows_the_table():
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run `python -m tests.agents.settings_table`"
    assert all(f"| `{name}`" in text for name in PPOSettings.model_fields)


def test_importing_the_table_imports_no_torch():
    code = "import sys, drivemem_agents.ppo_settings; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_settings_come_whole_or_by_name(agent):
    whole = PPOSettings(n_steps=32, batch_size=64, gamma=0.9)
    model = MemoryPPO("MemoryPolicy", worlds(2), settings=whole, gamma=0.8, device="cpu")
    assert model.settings == whole.model_copy(update={"gamma": 0.8})
    assert (model.n_steps, model.gamma) == (32, 0.8)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lerning_rate": 1e-3}, "unknown setting 'lerning_rate'; did you mean 'learning_rate'"),
        ({"xyzzy": 1}, r"unknown setting 'xyzzy' \(settings: memory, encoder, "),
        ({"n_epochs": 0}, "'n_epochs' is 0: input should be greater than or equal to 1"),
        ({"state_init": "warm"}, "'warm' is not one of 'stored', 'zero', 'burn_in', 'recompute'"),
        ({"clip_range": -0.1}, "'clip_range' is -0.1: input should be greater than 0"),
        ({"memory_kwargs": {"hidden_size": 10**30}}, "'hidden_size' is 10+: give at most"),
        ({"encoder": "vehicles", "encoder_kwargs": {"width": 10**30}}, "'width' is 10+: give"),
        ({"clip_range_vf": 1e308}, r"'clip_range_vf' is 1e\+308: give at most 1e\+38"),
        ({"device": "1e6"}, "device is '1e6': give 'auto', 'cpu', 'cuda' or a torch.device"),
        ({"device": 1e-320}, "device is 1e-320: give 'auto', 'cpu', 'cuda' or a torch.device"),
    ],
)
def test_what_is_no_setting_is_refused_in_one_line(agent, settings, words):
    with pytest.raises(ValueError, match=words) as caught:
        agent("gru", **settings)
    assert "\n" not in str(caught.value)


def test_the_policy_refuses_the_settings_of_the_algorithm():
    env = worlds(1)
    with pytest.raises(ValueError, match="unknown setting 'n_steps'"):
        MemoryPolicy(env.observation_space, env.action_space, lambda _: 1e-3, n_steps=16)


def test_numbers_of_numpy_are_numbers(agent):
    model = agent("gru", n_steps=np.int64(8), gamma=np.float32(0.5), learning_rate=np.float64(0.1))
    assert model.settings.n_steps == 8 and model.settings.gamma == 0.5


def test_loaded_agents_have_the_settings_of_the_saved(agent, tmp_path):
    """Functions are kept as their first value, also where no number may be that."""
    model = agent(
        "lstm", state_init="burn_in", bptt_steps=4, clip_range_vf=0.3, target_kl=0.1, dropout=0.1,
        memory_kwargs={"hidden_size": 8}, ent_coef=lambda left: 0.5 * left,
        learning_rate=lambda left: 1e-3 * (1.0 - left), memory_horizon_steps=3,
    )  # fmt: skip
    assert (model.settings.learning_rate, model.settings.ent_coef) == (0.0, 0.5)
    model.save(tmp_path / "agent")
    loaded = MemoryPPO.load(tmp_path / "agent")
    assert loaded.settings == model.settings.model_copy(update={"encoder_kwargs": {}})
    other = MemoryPPO.load(tmp_path / "agent", dropout=0.2, target_kl=None)
    assert (other.settings.dropout, other.settings.target_kl) == (0.2, None)
