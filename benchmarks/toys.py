"""Small worlds in which what memory is worth is known: a passive T-maze, CartPole without speeds.

For tests and benchmarks: they take seconds, and tell a memory that works from one that does not.
"""

from __future__ import annotations

import time
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


class TMaze(gym.Env[Any, Any]):
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


class _Worlds(VecEnv):
    """What vector environments stepped as arrays share: actions kept, no single worlds."""

    def __init__(self, worlds: int, space: spaces.Box, actions: spaces.Discrete, seed: int) -> None:
        self.render_mode = None
        super().__init__(worlds, space, actions)
        self._generator = np.random.default_rng(seed)
        self._actions = np.zeros(worlds, dtype=np.int64)
        self._length = np.zeros(worlds, dtype=np.int64)
        self._begun = time.time()

    def _begin(self) -> None:
        """Take over a seed that was set, and start counting."""
        if self._seeds and self._seeds[0] is not None:
            self._generator = np.random.default_rng(self._seeds[0])
            self._reset_seeds()
        self._length[:] = 0
        self._begun = time.time()

    def _info(self, final: Floats, total: float, length: int, truncated: bool) -> dict[str, Any]:
        """What SB3 and its Monitor say at the end of an episode."""
        elapsed = round(time.time() - self._begun, 6)
        return {
            "terminal_observation": final,
            "TimeLimit.truncated": truncated,
            "episode": {"r": total, "l": length, "t": elapsed},
        }

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions."""
        self._actions = np.asarray(actions)

    def close(self) -> None:
        """Nothing to close."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The same value for every world."""
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Refuse: the worlds share their attributes."""
        raise AttributeError(f"'{attr_name}' is shared by all worlds; build the environment anew")

    def env_method(
        self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """Refuse: there are no single worlds."""
        raise AttributeError(f"there are no single worlds to call '{method_name}' on")

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """No world is wrapped; episode statistics are there as from SB3's Monitor."""
        return [False] * len(list(self._get_indices(indices)))


class TMazes(_Worlds):
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
        super().__init__(worlds, *tmaze_spaces(), seed)
        self.corridor = corridor

    def reset(self) -> Floats:
        """New episodes in all worlds."""
        self._begin()
        self._cue = self._generator.integers(2, size=self.num_envs)
        self._time = self._generator.integers(self.corridor + 1, size=self.num_envs)
        return self._observe()

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
            for i in ended:
                infos[i] = self._info(last[i], float(rewards[i]), int(self._length[i]), False)
                infos[i]["is_success"] = bool(right[i])
            self._cue[ended] = self._generator.integers(2, size=len(ended))
            self._length[ended] = 0
        self._time = np.where(dones, 0, self._time + 1)
        return self._observe(), rewards, dones, infos

    def _observe(self) -> Floats:
        frames = np.zeros((self.num_envs, 3), dtype=np.float32)
        first = np.flatnonzero(self._time == 0)
        frames[first, self._cue[first]] = 1.0
        frames[:, 2] = self._time == self.corridor
        return frames


class CartPoleNoVel(
    gym.ObservationWrapper[NDArray[np.float32], int, NDArray[np.float32]],
    gym.utils.RecordConstructorArgs,
):
    """CartPole that shows position and angle but no speeds, so that two frames are needed.

    Args:
        env: CartPole, or another environment with its four observations.
    """

    def __init__(self, env: gym.Env[Any, Any] | None = None) -> None:
        gym.utils.RecordConstructorArgs.__init__(self)
        gym.ObservationWrapper.__init__(self, gym.make("CartPole-v1") if env is None else env)
        full = self.env.observation_space
        if not isinstance(full, spaces.Box) or full.shape != (4,):
            raise ValueError(f"CartPoleNoVel needs CartPole's 4 observations, not {full}")
        self.observation_space = spaces.Box(full.low[::2], full.high[::2], dtype=np.float32)

    def observation(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Position (m) and angle (rad)."""
        return np.asarray(observation[::2], dtype=np.float32)


class CartPolesNoVel(_Worlds):
    """Many CartPoles without speeds, stepped as arrays with Gymnasium's CartPole-v1 dynamics.

    Args:
        worlds: N.
        seed: of the starting states.
    """

    limit = 500
    """Steps after which an episode is cut."""

    def __init__(self, worlds: int, seed: int = 0) -> None:
        bound = np.array([4.8, 0.42], dtype=np.float32)
        super().__init__(worlds, spaces.Box(-bound, bound), spaces.Discrete(2), seed)

    def reset(self) -> Floats:
        """New episodes in all worlds."""
        self._begin()
        self.state = self._draw(self.num_envs)
        return self._observe()

    def step_wait(self) -> Any:
        """Push all carts; those whose episode ended start anew."""
        self.state = cartpole_step(self.state, self._actions)
        self._length += 1
        x, _, angle, _ = self.state.T
        fallen = (np.abs(x) > 2.4) | (np.abs(angle) > np.deg2rad(12.0))
        dones = fallen | (self._length >= self.limit)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = np.flatnonzero(dones)
        if len(ended):
            last = self._observe()
            for i in ended:
                length = int(self._length[i])
                infos[i] = self._info(last[i], float(length), length, not fallen[i])
            self.state[ended] = self._draw(len(ended))
            self._length[ended] = 0
        return self._observe(), np.ones(self.num_envs, dtype=np.float32), dones, infos

    def _draw(self, count: int) -> NDArray[np.float64]:
        return self._generator.uniform(-0.05, 0.05, (count, 4))

    def _observe(self) -> Floats:
        return self.state[:, ::2].astype(np.float32)


def cartpole_step(state: NDArray[np.float64], actions: NDArray[Any]) -> NDArray[np.float64]:
    """One Euler step of 0.02 s of CartPole-v1 (Barto, Sutton and Anderson 1983).

    Args:
        state: (N, 4) position m, speed m/s, angle rad, angular speed rad/s.
        actions: (N,) 0 pushes left, 1 right, with 10 N.

    Returns:
        (N, 4) the next state.
    """
    gravity, cart, pole, half_length, seconds = 9.8, 1.0, 0.1, 0.5, 0.02
    _, speed, angle, turning = state.T
    force = np.where(actions == 1, 10.0, -10.0)
    sine, cosine = np.sin(angle), np.cos(angle)
    pushed = (force + pole * half_length * np.square(turning) * sine) / (cart + pole)
    inertia = half_length * (4.0 / 3.0 - pole * np.square(cosine) / (cart + pole))
    twist = (gravity * sine - cosine * pushed) / inertia
    push = pushed - pole * half_length * twist * cosine / (cart + pole)
    following: NDArray[np.float64] = state + seconds * np.stack([speed, push, turning, twist], 1)
    return following


def _check_corridor(corridor: int) -> None:
    if corridor < 1:
        raise ValueError(f"corridor={corridor}, but at least 1 step must lie after the cue")
