"""One flipped bit in any file of an agent or a checkpoint is refused, naming the file."""

from __future__ import annotations

import json

import pytest

from drivemem_agents import CheckpointError, MemoryPPO
from drivemem_agents.checkpoint import load_training, save_training


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def places(size: int) -> list[int]:
    """Bits all over a file: header, middle, end."""
    return [8 * (size * part // 7) + part % 8 for part in range(7)] + [8 * size - 1]


@pytest.mark.parametrize("file", ["model.safetensors", "training.safetensors", "agent.json"])
def test_a_flipped_bit_in_an_agent_is_refused(agent, tmp_path, file):
    folder = tmp_path / "agent"
    agent("gru").learn(128).save(folder)
    data = (folder / file).read_bytes()
    for bit in places(len(data)):
        (folder / file).write_bytes(flipped(data, bit))
        with pytest.raises(CheckpointError) as caught:
            MemoryPPO.load(folder)
        assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
    (folder / file).write_bytes(data)
    MemoryPPO.load(folder)


@pytest.mark.parametrize("file", ["model", "optimizer", "rollout", "state"])
def test_a_flipped_bit_in_a_checkpoint_is_refused(agent, tmp_path, file):
    folder = tmp_path / "checkpoint"
    save_training(agent("gru").learn(128), folder)
    path = next(folder.glob(f"{file}.*"))
    data = path.read_bytes()
    for bit in places(len(data)):
        path.write_bytes(flipped(data, bit))
        with pytest.raises(CheckpointError, match=path.name):
            load_training(agent("gru"), folder)


@pytest.mark.parametrize("old, new", [('"gamma": 0.99', '"gamma": 0.19'), ('"sha256"', '"sha255"')])
def test_another_number_or_no_checksums_are_refused(agent, tmp_path, old, new):
    agent("gru").save(tmp_path / "agent")
    path = tmp_path / "agent" / "agent.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(CheckpointError, match="checksum"):
        MemoryPPO.load(tmp_path / "agent")


def test_agents_from_before_checksums_are_read(agent, tmp_path):
    agent("gru").save(tmp_path / "agent")
    path = tmp_path / "agent" / "agent.json"
    described = json.loads(path.read_text())
    del described["sha256"], described["training"]
    path.write_text(json.dumps({**described, "version": 1}))
    (tmp_path / "agent" / "training.safetensors").unlink()
    assert MemoryPPO.load(tmp_path / "agent").num_timesteps == 0
