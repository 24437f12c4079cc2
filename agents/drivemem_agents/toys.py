"""Small worlds in which what memory is worth is known: a passive T-maze, CartPole without speeds.

For tests and benchmarks: they take seconds, and tell a memory that works from one that does not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

Floats = NDArray[np.float32]


def tmaze_spaces() -> tuple[spaces.Box, spaces.Discrete]:
    """Observation and action space of the T-maze."""
    return spaces.Box(0.0, 1.0, (3,), np.float32), spaces.Discrete(2)


class TMaze(gym.Env[Floats, int]):
    """A corridor that is walked by itself, a cue at its start, a junction at its end.

    Observation: (cue is left, cue is right, at the junction), each 0 or 1; the corridor looks the
    same everywhere. Actions: left, right; they count at the junction only. Reward there: 1 if the
    action is the cue's, else -1. A policy without memory gets 0 on average, a perfect one 1.
    Source of the task: Bakker 2002; in passive form Ni et al., "When do transformers shine in
    RL?", 2023.

    Args:
        corridor: steps between cue and junction, at least 1; episodes have one step more.
    """

    def __init__(self, corridor: int = 10) -> None:
        _check_corridor(corridor)
        self.observation_space, self.action_space = tmaze_spaces()
        self.corridor = corridor
        self._cue, self._time = 0, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Show a new cue."""
        super().reset(seed=seed)
        self._cue, self._time = int(self.np_random.integers(2)), 0
        return self._observe(), {}

    def step(self, action: int) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Walk on; at the junction the action is judged and the episode ends."""
        if self._time == self.corridor:
            right = int(action) == self._cue
            return self._observe(), 1.0 if right else -1.0, True, False, {"is_success": right}
        self._time += 1
        return self._observe(), 0.0, False, False, {}

    def _observe(self) -> Floats:
        frame = np.zeros(3, dtype=np.float32)
        if self._time == 0:
            frame[self._cue] = 1.0
        frame[2] = self._time == self.corridor
        return frame


class TMazes(VecEnv):
    """Many T-mazes stepped as arrays, the `TMaze` above as an SB3 vector environment.

    Worlds start at random places of their first corridor (without having seen a cue, and with a
    fair coin as cue), so that episodes do not all end at once; later episodes are whole.

    Args:
        worlds: N.
        corridor: as in `TMaze`.
        seed: of cues and starting places.
    """

    def __init__(self, worlds: int, corridor: int = 10, seed: int = 0) -> None:
        _check_corridor(corridor)
        super().__init__(worlds, *tmaze_spaces())
        self.corridor = corridor
        self._generator = np.random.default_rng(seed)
        self._actions = np.zeros(worlds, dtype=np.int64)

    def reset(self) -> Floats:  # type: ignore[override]
        """New episodes in all worlds."""
        if self._seeds and self._seeds[0] is not None:
            self._generator = np.random.default_rng(self._seeds[0])
            self._reset_seeds()
        self._cue = self._generator.integers(2, size=self.num_envs)
        self._time = self._generator.integers(self.corridor + 1, size=self.num_envs)
        self._length = np.zeros(self.num_envs, dtype=np.int64)
        self._begun = time.time()
        return self._observe()

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions."""
        self._actions = np.asarray(actions)

    def step_wait(self) -> Any:
        """Walk on in all worlds; those at the junction begin a new episode."""
        dones = self._time == self.corridor
        right = self._actions == self._cue
        rewards = np.where(dones, np.where(right, 1.0, -1.0), 0.0).astype(np.float32)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        self._length += 1
        ended = np.flatnonzero(dones)
        if len(ended):
            last = self._observe()
            elapsed = round(time.time() - self._begun, 6)
            for i in ended:
                episode = {"r": float(rewards[i]), "l": int(self._length[i]), "t": elapsed}
                infos[i] = {
                    "terminal_observation": last[i],
                    "TimeLimit.truncated": False,
                    "is_success": bool(right[i]),
                    "episode": episode,
                }
            self._cue[ended] = self._generator.integers(2, size=len(ended))
            self._length[ended] = 0
        self._time = np.where(dones, 0, self._time + 1)
        return self._observe(), rewards, dones, infos

    def close(self) -> None:
        """Nothing to close."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The same value for every world."""
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Refuse: the worlds share their attributes."""
        raise AttributeError(f"'{attr_name}' cannot be set on the worlds of TMazes; build it anew")

    def env_method(
        self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """Refuse: there are no single worlds."""
        raise AttributeError(f"TMazes has no single worlds to call '{method_name}' on")

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """No world is wrapped; episode statistics are there as from SB3's Monitor."""
        return [False] * len(list(self._get_indices(indices)))

    def _observe(self) -> Floats:
        frames = np.zeros((self.num_envs, 3), dtype=np.float32)
        first = np.flatnonzero(self._time == 0)
        frames[first, self._cue[first]] = 1.0
        frames[:, 2] = self._time == self.corridor
        return frames


class CartPoleNoVel(gym.ObservationWrapper[NDArray[np.float32], int, NDArray[np.float32]]):
    """CartPole that shows position and angle but no speeds, so that two frames are needed.

    Args:
        env: CartPole, or another environment with its four observations.
    """

    def __init__(self, env: gym.Env[Any, Any] | None = None) -> None:
        super().__init__(gym.make("CartPole-v1") if env is None else env)
        full = self.env.observation_space
        if not isinstance(full, spaces.Box) or full.shape != (4,):
            raise ValueError(f"CartPoleNoVel needs CartPole's 4 observations, not {full}")
        self.observation_space = spaces.Box(full.low[::2], full.high[::2], dtype=np.float32)

    def observation(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Position (m) and angle (rad)."""
        return np.asarray(observation[::2], dtype=np.float32)


def _check_corridor(corridor: int) -> None:
    if corridor < 1:
        raise ValueError(f"corridor={corridor}, but at least 1 step must lie after the cue")


def success_rate(episodes: Sequence[float]) -> float:
    """Share of T-maze episodes with reward 1; nan without episodes."""
    return float(np.mean([reward > 0 for reward in episodes])) if episodes else float("nan")
