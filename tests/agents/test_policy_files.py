"""Policies of any class are saved and loaded as what they are, and no file makes code run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from drivemem_agents import CheckpointError, MemoryPolicy, MemoryPPO

from .conftest import worlds
from .policies import Gated

OBSERVATION = np.array([0.5, -0.25], np.float32)


def gated(**policy_kwargs) -> MemoryPPO:
    model = MemoryPPO(
        Gated,
        worlds(4),
        n_steps=8,
        batch_size=32,
        seed=0,
        device="cpu",
        policy_kwargs=policy_kwargs,
    )
    return model.learn(64)


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    mine, theirs = a.state_dict(), b.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


def test_a_subclass_is_loaded_as_itself_with_its_arguments(tmp_path):
    model = gated(first=2.0)
    model.save(tmp_path / "agent")
    for loaded in (
        MemoryPPO.load(tmp_path / "agent"),
        MemoryPPO.load(tmp_path / "agent", policy=Gated),
        MemoryPPO.load(tmp_path / "agent", policy="MemoryPolicy"),
    ):
        assert type(loaded.policy) is Gated and loaded.policy.first == 2.0
        assert same(loaded.policy, model.policy)
    again = MemoryPPO.load(tmp_path / "agent", env=worlds(4)).learn(64, reset_num_timesteps=False)
    assert again.num_timesteps == 128


def test_another_class_than_the_stored_one_is_refused(agent, tmp_path):
    gated().save(tmp_path / "agent")
    with pytest.raises(CheckpointError, match="another architecture"):
        MemoryPPO.load(tmp_path / "agent", policy=MemoryPolicy)


@pytest.mark.parametrize(
    "name", ["nowhere:Gated", "antigravity:fly", "os:system", "tests.agents.policies:Nothing", ""]
)
def test_only_imported_subclasses_are_found_by_name_and_nothing_is_imported(tmp_path, name):
    gated().save(tmp_path / "agent")
    path = tmp_path / "agent" / "agent.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "policy_class": name}))
    before = set(sys.modules)
    with pytest.raises(CheckpointError, match=r"import .* first, or give the class") as caught:
        MemoryPPO.load(tmp_path / "agent")
    assert "\n" not in str(caught.value) and set(sys.modules) - before == set()


def test_what_no_file_can_hold_must_be_given_again(tmp_path):
    gated(note=len).save(tmp_path / "agent")
    with pytest.raises(CheckpointError, match=r"note.*policy_kwargs="):
        MemoryPPO.load(tmp_path / "agent")
    assert MemoryPPO.load(tmp_path / "agent", policy_kwargs={"note": len}).policy.note is len


@pytest.mark.parametrize("memory", ["none", "gru", "attention"])
def test_a_policy_alone_is_saved_and_loaded(agent, memory, tmp_path):
    policy = agent(memory, normalize_observations=True).learn(128).policy
    policy.save(tmp_path / "policy")
    loaded = MemoryPolicy.load(tmp_path / "policy", device="cpu")
    assert same(policy, loaded)
    mine, theirs = (p.predict(OBSERVATION, deterministic=True)[0] for p in (policy, loaded))
    assert mine == theirs
    assert {path.name for path in (tmp_path / "policy").iterdir()} == {
        "policy.json", "model.safetensors",
    }  # fmt: skip


def test_a_policy_is_loaded_as_its_class_and_from_an_agents_folder(tmp_path):
    model = gated(first=3.0)
    model.save(tmp_path / "agent")
    model.policy.save(tmp_path / "policy")
    for kind in (MemoryPolicy, Gated):
        for folder in ("agent", "policy"):
            loaded = kind.load(tmp_path / folder)
            assert type(loaded) is Gated and loaded.first == 3.0 and same(loaded, model.policy)


def test_a_policy_replaces_no_other_folder(agent, tmp_path):
    agent("gru").save(tmp_path / "agent")
    before = sorted(Path(tmp_path / "agent").iterdir())
    with pytest.raises(CheckpointError, match=r"agent\.json"):
        agent("gru").policy.save(tmp_path / "agent")
    assert sorted(Path(tmp_path / "agent").iterdir()) == before
    with pytest.raises(CheckpointError, match="missing"):
        MemoryPolicy.load(tmp_path / "nothing")
