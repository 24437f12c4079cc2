"""Agents on disk: exact resume, and clear words for every broken file."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch

from drivemem_agents import MemoryPPO
from drivemem_agents.checkpoint import (
    CheckpointError,
    load_training,
    save_training,
)
from drivemem_agents.memory import memory_names

from .conftest import worlds


@pytest.mark.parametrize("memory", memory_names())
def test_saved_agents_act_the_same(agent, memory, tmp_path):
    model = agent(memory, normalize_observations=True).learn(256)
    model.save(tmp_path / "agent")
    loaded = MemoryPPO.load(tmp_path / "agent")
    generator = np.random.default_rng(0)
    state, other = None, None
    for step in range(6):
        frame = generator.uniform(-1, 1, (5, 2)).astype(np.float32)
        starts = np.full(5, step == 0)
        a, state = model.predict(frame, state, starts, deterministic=True)
        b, other = loaded.predict(frame, other, starts, deterministic=True)
        np.testing.assert_array_equal(a, b)
        for key in state:
            assert torch.equal(state[key], other[key])


@pytest.mark.parametrize("memory", ["none", "gru", "lstm", "frame_stack"])
def test_interrupted_and_resumed_equals_uninterrupted(agent, memory, tmp_path):
    # Episodes of Recall are 4 steps and rollouts 16, so episodes end with the rollout and the
    # only simulator state is the generator, which a fresh world of another seed stands in for.
    def build(seed: int):
        env = worlds(4, seed=seed)
        return agent(memory, env=env, normalize_observations=True, normalize_rewards=True)

    whole = build(0)
    whole.learn(128)
    save_training(whole, tmp_path / "checkpoint")
    whole.set_env(worlds(4, seed=5), force_reset=True)
    whole.learn(128, reset_num_timesteps=False)

    resumed = build(1)
    load_training(resumed, tmp_path / "checkpoint")
    assert resumed.num_timesteps == 128
    resumed.set_env(worlds(4, seed=5), force_reset=True)
    resumed.learn(128, reset_num_timesteps=False)
    for a, b in zip(
        whole.policy.state_dict().values(), resumed.policy.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b)


def test_another_architecture_is_named(agent, tmp_path):
    save_training(agent("gru"), tmp_path / "checkpoint")
    with pytest.raises(CheckpointError, match="another architecture"):
        load_training(agent("lstm"), tmp_path / "checkpoint")


@pytest.mark.parametrize("file", ["model.safetensors", "agent.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "pickle"])
def test_broken_agents_say_what_is_wrong(agent, tmp_path, file, damage):
    folder = tmp_path / "agent"
    agent("gru").save(folder)
    path = folder / file
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-40])
    else:
        ran = tmp_path / "ran"

        class Hostile:
            def __reduce__(self):
                return (open, (str(ran), "w"))

        path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(CheckpointError) as caught:
        MemoryPPO.load(folder)
    assert file in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("file", ["model", "optimizer", "rollout", "state"])
def test_truncated_checkpoints_are_refused(agent, tmp_path, file):
    folder = tmp_path / "checkpoint"
    model = agent("gru").learn(64)
    save_training(model, folder)
    path = next(folder.glob(f"{file}.*"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError):
        load_training(agent("gru"), folder)


def test_an_agent_of_another_format_is_refused(agent, tmp_path):
    folder = tmp_path / "agent"
    agent("gru").save(folder)
    described = json.loads((folder / "agent.json").read_text())
    (folder / "agent.json").write_text(json.dumps({**described, "version": 99}))
    with pytest.raises(CheckpointError, match="version 99"):
        MemoryPPO.load(folder)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("settings", "clip_range"), {}), (("settings", "learning_rate"), []),
        (("settings", "ent_coef"), True), (("observation_space", "spaces"), 10**30),
        (("observation_space",), {"type": "Dict", "spaces": None}), (("action_space",), 3),
        (("policy",), []), (("training",), "x"),
    ],
)  # fmt: skip
def test_an_edited_description_is_refused_in_one_line(agent, tmp_path, place, value):
    folder = tmp_path / "agent"
    agent("gru").save(folder)
    described = json.loads((folder / "agent.json").read_text())
    table = described
    for key in place[:-1]:
        table = table[key]
    table[place[-1]] = value
    (folder / "agent.json").write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match=r"agent\.json") as caught:
        MemoryPPO.load(folder)
    assert "\n" not in str(caught.value)


def test_saving_replaces_whole_folders_only(agent, tmp_path, monkeypatch):
    folder = tmp_path / "agent"
    model = agent("gru")
    model.save(folder)
    before = (folder / "model.safetensors").read_bytes()
    monkeypatch.setattr(
        "drivemem_agents.checkpoint.write_json", lambda *_: (_ for _ in ()).throw(OSError("full"))
    )
    model.learn(64)
    with pytest.raises(CheckpointError, match=r"cannot write .*: full"):
        model.save(folder)
    assert (folder / "model.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["agent"]
