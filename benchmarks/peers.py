"""What the training benchmarks share: cheap worlds, the same network for each peer, a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from drivemem_agents import MemoryPPO

OBSERVATION_SIZE = 56
ACTIONS = 5


class RandomWorlds(VecEnv):
    """Worlds of noise whose episodes last 20 to 40 steps, as driving episodes do.

    They cost next to nothing, so that what is measured is the learner.
    """

    def __init__(self, count: int, seed: int = 0) -> None:
        box = spaces.Box(-1.0, 1.0, (OBSERVATION_SIZE,), np.float32)
        self.render_mode = None
        super().__init__(count, box, spaces.Discrete(ACTIONS))
        self._random = np.random.default_rng(seed)
        self._left = self._random.integers(1, 41, count)

    def _observe(self) -> NDArray[np.float32]:
        shape = (self.num_envs, OBSERVATION_SIZE)
        return self._random.uniform(-1.0, 1.0, shape).astype(np.float32)

    def reset(self) -> Any:
        return self._observe()

    def step_async(self, actions: NDArray[Any]) -> None:
        self._actions = actions

    def step_wait(self) -> Any:
        observation = self._observe()
        self._left -= 1
        dones = self._left == 0
        self._left[dones] = self._random.integers(20, 41, int(dones.sum()))
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for world in np.flatnonzero(dones):
            infos[world]["terminal_observation"] = observation[world]
        rewards = self._random.normal(size=self.num_envs).astype(np.float32)
        return observation, rewards, dones, infos

    def close(self) -> None:
        pass

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise AttributeError(attr_name)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        raise AttributeError(method_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]


class _Silent(BaseCallback):
    def _on_step(self) -> bool:
        return True


def ours(memory: str, env: Any, hidden_size: int = 64, **settings: Any) -> MemoryPPO:
    """MemoryPPO with the peers' network: flat input, memory, one layer of 64 for each head."""
    policy: dict[str, Any] = {"head_widths": (64, 64) if memory == "none" else (64,)}
    return MemoryPPO(
        "MemoryPolicy", env, memory=memory, encoder="vector", encoder_kwargs={"widths": ()},
        memory_kwargs={} if memory == "none" else {"hidden_size": hidden_size},
        critic="shared" if memory == "none" else "separate", policy_kwargs=policy, seed=0,
        device="cpu", **settings,
    )  # fmt: skip


def recurrent_ppo(env: Any, hidden_size: int = 64, **settings: Any) -> RecurrentPPO:
    """sb3-contrib's RecurrentPPO with an LSTM for the actor and one for the critic."""
    policy = {"lstm_hidden_size": hidden_size, "net_arch": {"pi": [64], "vf": [64]}}
    return RecurrentPPO(
        "MlpLstmPolicy", env, policy_kwargs=policy, seed=0, device="cpu", **settings
    )


def sb3_ppo(env: Any, **settings: Any) -> PPO:
    """SB3's PPO with two layers of 64 for each head."""
    policy = {"net_arch": {"pi": [64, 64], "vf": [64, 64]}}
    return PPO("MlpPolicy", env, policy_kwargs=policy, seed=0, device="cpu", **settings)


def prepare(model: BaseAlgorithm) -> Callable[[], None]:
    """Set a learner up and return what collects one rollout with it."""
    _, callback = model._setup_learn(10**9, _Silent())

    def collect() -> None:
        buffer = model.rollout_buffer  # type: ignore[attr-defined]
        model.collect_rollouts(model.env, callback, buffer, model.n_steps)  # type: ignore[attr-defined]

    return collect


def seconds(work: Callable[[], Any]) -> float:
    """Time of one call: with one thread CPU time, which other programs disturb less, else wall."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    began = clock()
    work()
    return clock() - began


def interleaved(
    works: dict[str, tuple[Callable[[], Any], Callable[[], Any]]], repeats: int
) -> dict[str, NDArray[np.float64]]:
    """Seconds (repeats, 2) of (collect, update) by name, peers taking turns on one machine."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for repeat in range(repeats + 1):
        for name, (collect, update) in works.items():
            pair = (seconds(collect), seconds(update))
            if repeat:  # the first is warm-up
                times[name].append(pair)
    return {name: np.array(pairs) for name, pairs in times.items()}
