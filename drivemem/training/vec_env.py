"""drivemem's vector environments as SB3 VecEnvs: any SB3 learner or callback can use them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from drivemem.config import PrivilegedView
from drivemem.training.privileged import privileged_size, privileged_vector

_NOTHING: dict[str, Any] = {}


class WorldsVecEnv(VecEnv):
    """Adapter from a same-step-autoreset Gymnasium vector environment of drivemem.

    Infos are built only for worlds whose episode ended; the others share one empty dict.

    Args:
        worlds: what `drivemem_envs.make_vec` returns.
        final_privileged: put the privileged vector at an episode's end into its info, which a
            privileged critic needs to bootstrap truncated episodes.
        privileged_view: how the privileged vector describes other actors.
    """

    def __init__(
        self,
        worlds: Any,
        final_privileged: bool = False,
        privileged_view: PrivilegedView = "actors",
    ) -> None:
        self.worlds = worlds
        self.render_mode = None
        super().__init__(
            worlds.num_envs, worlds.single_observation_space, worlds.single_action_space
        )
        self._returns = np.zeros(self.num_envs)
        self.last_rewards: NDArray[np.float64] = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)
        self._began = time.time()
        self._actions: Any = None
        space = self.action_space
        self._taken = np.zeros((self.num_envs, 64, *(space.shape or ())), dtype=space.dtype)
        self._rows = np.arange(self.num_envs)
        self._latent = worlds.latent()
        self._final_privileged = final_privileged
        if final_privileged:
            worlds.keep_final_truth(True)
        self._view: PrivilegedView = privileged_view
        self.privileged_dim = privileged_size(privileged_view, self._latent.shape[1])

    # ---- SB3's interface ------------------------------------------------------------------

    def reset(self) -> Any:
        """Begin an episode in every world."""
        self._clear()
        observation, _ = self.worlds.reset(seed=self._seeds_given())
        return observation

    def step_async(self, actions: NDArray[Any]) -> None:
        """Remember the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step all worlds."""
        observation, rewards, terminated, truncated, infos = self.worlds.step(self._actions)
        dones = terminated | truncated
        self._remember_actions()
        self.last_rewards = rewards
        self._returns += rewards
        self._lengths += 1
        told = [_NOTHING] * self.num_envs
        ended = np.flatnonzero(dones)
        if len(ended):
            finals = self.worlds.final_truths() if self._final_privileged else None
            for world in map(int, ended):
                told[world] = self._ended(
                    world, infos, bool(truncated[world] and not terminated[world])
                )
                if finals is not None:
                    told[world]["final_privileged"] = self._privileged_at_end(world, finals[world])
            self._returns[ended] = 0.0
            self._lengths[ended] = 0
        return observation, rewards.astype(np.float32), dones, told

    def close(self) -> None:
        """Close the worlds."""
        self.worlds.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of the vector environment, once for each world asked for."""
        if attr_name == "render_mode":
            return [None for _ in self._get_indices(indices)]
        value = getattr(self.worlds, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Worlds share their attributes.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(f"worlds share their attributes: make a new one to change {attr_name}")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """A batched method's rows for the worlds asked for (such as `action_masks`)."""
        result = getattr(self.worlds, method_name)(*method_args, **method_kwargs)
        return [result[world] for world in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Whether episodes are monitored: they are, as SB3's Monitor would."""
        from stable_baselines3.common.monitor import Monitor

        return [wrapper_class is Monitor for _ in self._get_indices(indices)]

    # ---- what MemoryPPO may ask -----------------------------------------------------------

    def privileged(self) -> NDArray[np.float32]:
        """The true state for auxiliary losses and privileged critics (N, P)."""
        self._latent = self.worlds.latent()
        return privileged_vector(self.worlds.truth(), self._latent, self._view)

    def facts(self) -> dict[str, Any]:
        """What the manifest of a run shall say of its worlds beyond backend and scenario."""
        return {}

    # ---- exact resume ---------------------------------------------------------------------

    def save_more(self, folder: Path) -> None:
        """Write files of its own into a checkpoint; these worlds need none."""

    def restore_more(self, folder: Path) -> None:
        """Undo `save_more`, after `restore`."""

    def position(self) -> tuple[NDArray[np.int64], list[NDArray[Any]], NDArray[np.float64]]:
        """Where the worlds are: episode numbers, actions taken in them, returns so far."""
        taken = [self._taken[world, :length].copy() for world, length in enumerate(self._lengths)]
        return self.worlds.episodes.copy(), taken, self._returns.copy()

    def restore(
        self, episodes: NDArray[np.int64], taken: Sequence[NDArray[Any]], returns: NDArray[Any]
    ) -> Any:
        """Go back to a `position`; returns the observation there."""
        self._clear()
        observation, _ = self.worlds.restore(episodes, taken)
        self._lengths = np.array([len(actions) for actions in taken], dtype=np.int64)
        while self._taken.shape[1] < self._lengths.max():
            self._grow()
        for world, actions in enumerate(taken):
            self._taken[world, : len(actions)] = actions
        self._returns = np.asarray(returns, dtype=np.float64).copy()
        return observation

    # ---- inside ---------------------------------------------------------------------------

    def _clear(self) -> None:
        self._returns[:] = 0.0
        self._lengths[:] = 0

    def _remember_actions(self) -> None:
        """Keep the actions of the running episodes, of all worlds at once."""
        if self._lengths.max() == self._taken.shape[1]:
            self._grow()
        self._taken[self._rows, self._lengths] = self._actions

    def _grow(self) -> None:
        self._taken = np.concatenate([self._taken, np.zeros_like(self._taken)], axis=1)

    def _privileged_at_end(self, world: int, truth: dict[str, Any]) -> NDArray[np.float32]:
        """The privileged vector at an episode's end; the latent is that of its last decision."""
        batched = {key: value[None] for key, value in truth.items()}
        batched["present"] = np.ones_like(batched["id"], dtype=bool)
        latent = self._latent[world : world + 1]
        vector: NDArray[np.float32] = privileged_vector(batched, latent, self._view)[0]
        return vector

    def _seeds_given(self) -> int | None:
        seeds: Iterable[int | None] = self._seeds
        first = next(iter(seeds), None)
        self._reset_seeds()
        return first if self.worlds.seeds is None else None

    def _ended(self, world: int, infos: dict[str, Any], truncated: bool) -> dict[str, Any]:
        final = infos["final_obs"]
        observation = (
            {key: value[world] for key, value in final.items()}
            if isinstance(final, dict)
            else final[world]
        )
        told = {
            key: value[world]
            for key, value in infos["final_info"].items()
            if not key.startswith("_") and key != "rewards"
        }
        told["terminal_observation"] = observation
        told["TimeLimit.truncated"] = truncated
        told["episode"] = {
            "r": float(self._returns[world]),
            "l": int(self._lengths[world]),
            "t": round(time.time() - self._began, 6),
        }
        return told
