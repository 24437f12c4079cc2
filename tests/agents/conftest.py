"""Small worlds whose right behaviour is known."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

from drivemem_agents import MemoryPPO

torch.set_num_threads(1)


class Recall(gym.Env[np.ndarray, int]):
    """A cue in the first frame, empty frames, then the cue must be named: 1 if right, else 0.

    Memoryless policies get 1/2 on average.
    """

    def __init__(self, delay: int = 3, truncate_at: int | None = None) -> None:
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.action_space = gym.spaces.Discrete(2)
        self.delay, self.truncate_at = delay, truncate_at

    def _observe(self) -> np.ndarray:
        cue = (2.0 * self.cue - 1.0) if self.t == 0 else 0.0
        return np.array([cue, float(self.t == self.delay)], dtype=np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.t, self.cue = 0, int(self.np_random.integers(2))
        return self._observe(), {}

    def step(self, action: int) -> Any:
        if self.t == self.delay:
            return self._observe(), float(action == self.cue), True, False, {}
        self.t += 1
        return self._observe(), 0.0, False, self.t == self.truncate_at, {}


def worlds(count: int = 8, seed: int = 0, **settings: Any) -> DummyVecEnv:
    env = DummyVecEnv([lambda: Recall(**settings) for _ in range(count)])
    env.seed(seed)
    return env


@pytest.fixture
def agent() -> Any:
    """Builds a small agent on `Recall`."""

    def build(memory: str = "gru", env: Any = None, **settings: Any) -> MemoryPPO:
        known: dict[str, Any] = {
            "n_steps": 16, "batch_size": 64, "learning_rate": 1e-3, "seed": 0, "device": "cpu",
        }  # fmt: skip
        return MemoryPPO("MemoryPolicy", env or worlds(), memory=memory, **{**known, **settings})

    return build
