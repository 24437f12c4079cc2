"""What MemoryPPO may ask of a vector environment beyond SB3's interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv


def privileged_size(env: VecEnv | None) -> int:
    """P, the width of the true state that the environment offers; 0: none."""
    return 0 if env is None else int(getattr(env.unwrapped, "privileged_dim", 0))


def privileged_method(env: VecEnv) -> Callable[[], Any] | None:
    """What gives the true state of all worlds, (N, P)."""
    return _method(env, "privileged")


def lesson_method(env: VecEnv) -> Callable[[], Any] | None:
    """What asks the environment's teacher about all worlds; see `dagger.Lesson`."""
    return _method(env, "lesson")


def action_masks_method(env: VecEnv, action_space: spaces.Space[Any]) -> Callable[[], Any] | None:
    """What gives the available actions of all worlds, (N, n) bool.

    It is a method `action_masks` of the vector environment or, as sb3-contrib's MaskablePPO has
    it, of each of its worlds.
    """
    if isinstance(action_space, spaces.Box):
        return None
    batched = _method(env, "action_masks")
    if batched is not None or not env.has_attr("action_masks"):
        return batched
    return lambda: np.stack(env.env_method("action_masks"))


def has_masks(env: VecEnv | None, action_space: spaces.Space[Any]) -> bool:
    """Whether the environment says which actions are available."""
    return env is not None and action_masks_method(env, action_space) is not None


def _method(env: VecEnv, name: str) -> Callable[[], Any] | None:
    """A method of the innermost vector environment."""
    method = getattr(env.unwrapped, name, None)
    return method if callable(method) else None
