"""Exported policies, run by onnxruntime, do what the policy does."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from drivemem_agents import ExportError, export_onnx
from drivemem_agents.export import Interface
from drivemem_agents.memory import MEMORIES, Memory, memory_names
from drivemem_agents.policy import MemoryPolicy

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

FLAT = gym.spaces.Box(-1.0, 1.0, (6,), np.float32)
FIVE = gym.spaces.Discrete(5, start=2)


def policy_of(observations: Any = FLAT, actions: Any = FIVE, **settings: Any) -> MemoryPolicy:
    torch.manual_seed(0)
    policy = MemoryPolicy(observations, actions, lambda _: 1e-3, **settings)
    with torch.no_grad():  # heads start so small that actions would hardly differ
        policy.action_head.layer.weight.mul_(100.0)
    return policy.eval()


class Driver:
    """Feeds a file's state outputs back to it."""

    def __init__(self, path: Any, interface: Interface, state: dict[str, np.ndarray]) -> None:
        self.session = onnxruntime.InferenceSession(str(path))
        self.interface, self.state = interface, state

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        carried = {f"state.{name}": self.state[name] for name in self.interface.state}
        found = self.session.run(None, {**inputs, **carried})
        outputs = dict(zip(self.interface.outputs, found, strict=True))
        self.state = {name: outputs[f"next_state.{name}"] for name in self.interface.state}
        return outputs


def assert_same(policy: MemoryPolicy, path: Any, *, batch: int = 3, steps: int = 45) -> None:
    """Drive both through random frames with random episode starts."""
    masked = policy.settings.get("masked", False)
    interface = export_onnx(policy, path, action_masks=masked)
    space = policy.observation_space
    space.seed(0)
    random = np.random.default_rng(0)
    state = policy.initial_state(batch)
    # Garbage: the first step starts episodes, which must make it irrelevant.
    driver = Driver(path, interface, {k: np.full_like(v.numpy(), 7.0) for k, v in state.items()})
    rewards = np.zeros(batch, dtype=np.float32)
    for step in range(steps):
        frames = [space.sample() for _ in range(batch)]
        if isinstance(space, gym.spaces.Dict):
            observation: Any = {key: np.stack([f[key] for f in frames]) for key in space.spaces}
            inputs = dict(observation)
        else:
            observation = np.stack(frames)
            inputs = {"observation": observation}
        starts = np.full(batch, True) if step == 0 else random.random(batch) < 0.1
        inputs["episode_start"] = starts
        masks = None
        if masked:
            masks = random.random((batch, 5)) < 0.5
            masks[:, 0] = True
            inputs["action_masks"] = masks
        if policy.previous.reward:
            inputs["previous_reward"] = rewards
            state = policy.tell_rewards(state, torch.from_numpy(rewards))
        with torch.inference_mode():
            tensors = policy.to_tensors(observation)
            told = None if masks is None else torch.from_numpy(masks)
            act = policy.act(tensors, state, torch.from_numpy(starts), True, told)
        outputs = driver(**inputs)
        np.testing.assert_allclose(outputs["parameters"], act.parameters, atol=2e-5)
        expected = policy.to_environment(act.actions)
        assert outputs["action"].shape == expected.shape
        np.testing.assert_allclose(outputs["action"], expected, atol=2e-5)
        state = act.state
        rewards = random.normal(size=batch).astype(np.float32)


QUICK = ("linear_attention", "lstm", "none")
"""Tracing takes seconds: the others are exported by `make test-all`."""


@pytest.mark.parametrize(
    "memory",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in memory_names()
    ],
)
def test_every_memory_acts_alike(memory, tmp_path):
    assert_same(policy_of(memory=memory), tmp_path / "agent.onnx")


PARTS = gym.spaces.Dict(
    {
        "vehicles": gym.spaces.Box(-1.0, 1.0, (4, 7), np.float32),
        "image": gym.spaces.Box(0, 255, (2, 40, 40), np.uint8),
        "grid": gym.spaces.Box(-1.0, 1.0, (2, 9, 9), np.float32),
        "cue": gym.spaces.Discrete(3),
    }
)


@pytest.mark.parametrize(
    "settings",
    [
        {"observations": PARTS, "encoder": "fusion", "normalize_observations": True},
        {"actions": gym.spaces.MultiDiscrete([2, 3])},
        {"actions": gym.spaces.Box(-2.0, 1.0, (2,), np.float32)},
        {"actions": gym.spaces.Box(-2.0, 1.0, (2,), np.float32), "squash": False},
        {"critic": "separate", "dropout": 0.5},
        {"critic": "privileged", "privileged_size": 3},
        {"observe_previous_action": True, "observe_previous_reward": True},
        {"compile": True},
    ],
    ids=[
        "fusion",
        "multi",
        "squashed",
        "clipped",
        "separate",
        "privileged",
        "previous",
        "compiled",
    ],
)
def test_every_kind_of_policy_acts_alike(settings, tmp_path):
    assert_same(policy_of(memory="elman", **settings), tmp_path / "agent.onnx")


def test_masks_are_obeyed(tmp_path):
    policy = policy_of(memory="none")
    policy.settings["masked"] = True
    assert_same(policy, tmp_path / "agent.onnx")


def test_the_critic_is_left_out(tmp_path):
    policy = policy_of(memory="gru", critic="separate")
    interface = export_onnx(policy, tmp_path / "agent.onnx")
    assert interface.state == ("h",)
    alone = export_onnx(policy_of(memory="gru"), tmp_path / "alone.onnx")
    assert alone == interface
    sizes = [(tmp_path / name).stat().st_size for name in ("agent.onnx", "alone.onnx")]
    assert sizes[0] < 1.1 * sizes[1]


class Branching(Memory):
    """Looks at its state's value: no graph of tensor operations can."""

    def __init__(self, input_size: int, settings: Any) -> None:
        super().__init__(input_size, input_size)

    def initial_state(self, batch):
        return {"h": torch.zeros(batch, self.input_size)}

    def step(self, x, state):
        return (x if float(state["h"].sum()) > 0.0 else -x), state

    def sequence(self, x, state, starts):
        raise NotImplementedError


class Counting(Branching):
    """Asks for the batch as a number, which fixes it."""

    def step(self, x, state):
        return x + torch.ones(len(x), self.input_size), state


@pytest.mark.parametrize(
    ("memory", "words"),
    [(Branching, r"memory 'odd'.*without branches"), (Counting, r"state\.h would be fixed at 2")],
)
def test_what_onnx_cannot_express_is_said(memory, words, tmp_path, monkeypatch):
    monkeypatch.setitem(MEMORIES._things, "odd", memory)
    with pytest.raises(ExportError, match=words):
        export_onnx(policy_of(memory="odd"), tmp_path / "agent.onnx")
    assert not list(tmp_path.iterdir())


def test_masks_need_discrete_actions(tmp_path):
    policy = policy_of(actions=gym.spaces.Box(-1.0, 1.0, (2,), np.float32))
    with pytest.raises(ExportError, match="not discrete"):
        export_onnx(policy, tmp_path / "agent.onnx", action_masks=True)


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("drivemem_agents.export.find_spec", lambda name: None)
    with pytest.raises(ExportError, match="extra `onnx`"):
        export_onnx(policy_of(), tmp_path / "agent.onnx")
