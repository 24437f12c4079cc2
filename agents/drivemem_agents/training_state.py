"""What training carries from update to update besides weights, as tensors and plain values."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from drivemem_agents.algorithm import MemoryAlgorithm


def part_of(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those tensors whose name has a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def optimizer_tensors(model: MemoryAlgorithm) -> dict[str, Tensor]:
    """The optimiser's state by weight and slot; nothing if it was never used."""
    if "optimizer" not in vars(model.policy) and not model.policy.optimizer_state:
        return {}
    tensors = {}
    for index, slots in model.policy.optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            tensors[f"{index}.{name}"] = torch.as_tensor(value)
    return tensors


def restore_optimizer(model: MemoryAlgorithm, tensors: dict[str, Tensor]) -> None:
    """Give the optimiser its state back, which it takes in when it is made.

    Raises:
        ValueError: the state of another architecture.
    """
    state: dict[int, dict[str, Tensor]] = {}
    weights = list(model.policy.parameters())
    for name, value in tensors.items():
        index, _, slot = name.partition(".")
        fits = index.isdigit() and int(index) < len(weights)
        if not fits or (value.dim() and value.shape != weights[int(index)].shape):
            raise ValueError(f"the optimiser's '{name}' is of another architecture")
        state.setdefault(int(index), {})[slot] = value
    model.policy.optimizer_state = state
    vars(model.policy).pop("optimizer", None)  # it takes the state in when it is made again


def carried_tensors(model: MemoryAlgorithm) -> dict[str, Tensor]:
    """Memory state, last observation, reward statistics and random states."""
    tensors = {f"state.{key}": value for key, value in model._state.items()}
    if model._last_obs is not None:
        last = model.policy.to_tensors(model._last_obs)
        raw = (
            model._last_obs
            if isinstance(model._last_obs, dict)
            else {next(iter(last)): model._last_obs}
        )
        tensors |= {f"observation.{key}": torch.as_tensor(value) for key, value in raw.items()}
        tensors["starts"] = torch.as_tensor(model._last_episode_starts)
    tensors |= {f"reward.{key}": value for key, value in model.reward_scaler.state_dict().items()}
    tensors |= {f"own.{key}": value for key, value in model.carried().items()}
    tensors["random.torch"] = torch.get_rng_state()
    if model.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(model.device)
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    tensors["random.numpy"] = torch.from_numpy(np.asarray(keys).astype(np.int64))
    tensors["random.numpy_rest"] = torch.tensor([position, has_gauss, cached], dtype=torch.float64)
    return tensors


def restore_carried(model: MemoryAlgorithm, tensors: dict[str, Tensor]) -> None:
    """Undo `carried_tensors`."""
    model._state = {
        key: value.to(model.device) for key, value in part_of(tensors, "state.").items()
    }
    model.reward_scaler.load_state_dict(part_of(tensors, "reward."))
    model.carry_on(part_of(tensors, "own."))
    if "starts" in tensors:
        parts = part_of(tensors, "observation.").items()
        observation = {key: value.numpy() for key, value in parts}
        is_dict = isinstance(model.observation_space, spaces.Dict)
        model._last_obs = observation if is_dict else next(iter(observation.values()))
        model._last_episode_starts = tensors["starts"].numpy()
    torch.set_rng_state(tensors["random.torch"])
    if model.device.type == "cuda" and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], model.device)
    position, has_gauss, cached = tensors["random.numpy_rest"].tolist()
    keys = tensors["random.numpy"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, int(position), int(has_gauss), cached))


def counters(model: MemoryAlgorithm) -> dict[str, Any]:
    """How far training is, and the last episodes."""

    def plain(value: Any) -> Any:
        return value.item() if isinstance(value, np.generic) else value

    return {
        "num_timesteps": model.num_timesteps,
        "n_updates": model._n_updates,
        "episode_num": model._episode_num,
        "progress_remaining": model._current_progress_remaining,
        "episodes": [
            {key: plain(value) for key, value in episode.items() if np.isscalar(value)}
            for episode in model.ep_info_buffer or ()
        ],
        "successes": [bool(success) for success in model.ep_success_buffer or ()],
    }


def restore_counters(model: MemoryAlgorithm, counted: dict[str, Any]) -> None:
    """Undo `counters`."""
    model.num_timesteps = int(counted["num_timesteps"])
    model._n_updates = int(counted["n_updates"])
    model._episode_num = int(counted["episode_num"])
    model._current_progress_remaining = float(counted["progress_remaining"])
    size = model._stats_window_size
    model.ep_info_buffer = deque(counted["episodes"], maxlen=size)
    model.ep_success_buffer = deque(counted["successes"], maxlen=size)
