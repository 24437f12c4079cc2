"""Fingerprints of trained weights: two versions that train alike print the same.

Run `python -m tests.agents.determinism_trace` with the `agents` folder of either version on
PYTHONPATH and compare what is printed. Every setting is given, so that defaults do not matter.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

from drivemem_agents import MemoryPPO
from drivemem_agents.memory import memory_names

from .conftest import Recall, worlds

SETTINGS: dict[str, Any] = {
    "memory": "gru", "memory_kwargs": None, "encoder": "vector", "encoder_kwargs": None,
    "learning_rate": 1e-3, "n_steps": 16, "batch_size": 64, "n_epochs": 2, "bptt_steps": None,
    "state_init": "stored", "burn_in_steps": 3, "gamma": 0.99, "gae_lambda": 0.95,
    "clip_range": 0.2, "clip_range_vf": None, "normalize_advantage": True, "ent_coef": 0.01,
    "vf_coef": 0.5, "max_grad_norm": 0.5, "target_kl": None, "critic": "shared", "aux_coef": 0.0,
    "dropout": 0.0, "weight_decay": 0.0, "l1_coef": 0.0, "normalize_observations": False,
    "normalize_rewards": False, "squash": True, "observe_previous_action": False,
    "observe_previous_reward": False, "precision": "float32", "compile": False,
    "memory_horizon_steps": None, "stats_window_size": 100, "tensorboard_log": None,
    "policy_kwargs": None, "verbose": 0, "seed": 0, "device": "cpu", "torch_threads": 1,
}  # fmt: skip


class Told(DummyVecEnv):
    """Recall, whose cue a privileged critic and the auxiliary loss are told."""

    privileged_dim = 1

    def privileged(self) -> np.ndarray:
        return np.array([[float(env.cue)] for env in self.envs], dtype=np.float32)

    def step_wait(self) -> Any:
        observations, rewards, dones, infos = super().step_wait()
        for info in infos:
            info["final_privileged"] = np.ones(1, dtype=np.float32)
        return observations, rewards, dones, infos


class Continuous(Recall):
    """Recall, answered by the sign of one of two numbers."""

    def __init__(self) -> None:
        super().__init__(truncate_at=2)
        self.action_space = gym.spaces.Box(-2.0, 1.0, (2,), np.float32)

    def step(self, action: Any) -> Any:
        observation, _, done, cut, info = super().step(int(action[0] > 0))
        return observation, float(action[1]), done, cut, info


class Choosy(Recall):
    """Recall with parts of observations by name, and one action that may not be taken at first."""

    def __init__(self) -> None:
        super().__init__()
        box = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.observation_space = gym.spaces.Dict({"a": box, "b": box})

    def _observe(self) -> Any:
        both = super()._observe()
        return {"a": both[:1], "b": both[1:]}

    def action_masks(self) -> np.ndarray:
        return np.array([self.t != 0, True])


def _seeded(env: DummyVecEnv) -> DummyVecEnv:
    env.seed(0)
    return env


def cases() -> dict[str, dict[str, Any]]:
    """What is trained, by name: changes to `SETTINGS`, and `env` where it is not plain recall."""
    told = {"truncate_at": 2}
    return {
        **{name: {"memory": name} for name in memory_names()},
        "critic=separate": {"critic": "separate", "memory": "lstm", "bptt_steps": 4},
        "critic=privileged": {
            "critic": "privileged", "aux_coef": 0.5,
            "env": _seeded(Told([lambda: Recall(**told) for _ in range(8)])),
        },
        **{
            f"state_init={kind}": {
                "state_init": kind, "bptt_steps": 4, "critic": "separate",
                "env": worlds(delay=5),  # so that episodes cross the chunks' borders
            }
            for kind in ("stored", "zero", "burn_in", "recompute")
        },
        "continuous": {"env": _seeded(DummyVecEnv([Continuous] * 8))},
        "continuous unsquashed": {"env": _seeded(DummyVecEnv([Continuous] * 8)), "squash": False},
        "masks": {"env": _seeded(DummyVecEnv([Choosy] * 8)), "encoder": "fusion"},
        "regularised": {
            "dropout": 0.2, "weight_decay": 0.01, "l1_coef": 1e-4, "clip_range_vf": 0.1,
            "target_kl": 1e-4, "n_epochs": 6, "normalize_advantage": False,
        },
        "normalised": {
            "normalize_observations": True, "normalize_rewards": True,
            "env": worlds(truncate_at=2),
        },
        "previous": {"observe_previous_action": True, "observe_previous_reward": True},
        "schedules": {
            "learning_rate": lambda left: 1e-2 * left, "ent_coef": lambda left: 0.1 * left,
            "clip_range": lambda left: 0.1 + 0.1 * left, "precision": "bf16",
        },
    }  # fmt: skip


def trained(env: Any = None, **changes: Any) -> MemoryPPO:
    """An agent after three updates."""
    torch.set_num_threads(1)
    model = MemoryPPO("MemoryPolicy", env or worlds(), **{**SETTINGS, **changes})
    return model.learn(3 * 128)


def fingerprint(model: MemoryPPO) -> str:
    """SHA-256 of all weights and statistics, and of the random numbers that come next."""
    digest = hashlib.sha256()
    for name, value in sorted(model.policy.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().numpy().tobytes())
    digest.update(torch.get_rng_state().numpy().tobytes())
    return digest.hexdigest()


def loaded_and_trained_on() -> str:
    """The fingerprint of an agent that was saved, loaded and trained for one update more."""
    model = trained(critic="separate", normalize_observations=True)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "agent")
        again = MemoryPPO.load(Path(folder) / "agent", env=worlds(), device="cpu")
    return fingerprint(again.learn(128))


def trace(names: list[str] | None = None) -> dict[str, str]:
    """Fingerprints by case; all cases if no names are given."""
    chosen = {name: case for name, case in cases().items() if names is None or name in names}
    found = {name: fingerprint(trained(**case)) for name, case in chosen.items()}
    if names is None:
        found["loaded"] = loaded_and_trained_on()
    return found


if __name__ == "__main__":
    print(json.dumps(trace(), indent=2))
