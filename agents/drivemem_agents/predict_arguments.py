"""What `predict` is given, in any of the shapes that SB3's users give, as batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.preprocessing import maybe_transpose
from torch import Tensor

from drivemem_agents.memory import State


def as_batch(space: spaces.Space[Any], observation: Any) -> tuple[Any, bool]:
    """A batch of observations, and whether it was one.

    Args:
        space: of one observation.
        observation: one or a batch; arrays, tensors, lists, numbers, or a dict of them.

    Raises:
        ValueError: what is no observation of the space, or is not finite.
    """
    if (
        isinstance(observation, tuple)
        and len(observation) == 2
        and isinstance(observation[1], dict)
    ):
        raise ValueError(
            "predict was given a pair, as an environment's reset() returns it: give it the "
            "observation alone (obs, info = env.reset())"
        )
    if not isinstance(space, spaces.Dict):
        value, batch = _part("observation", space, observation)
        return (value if batch else value[None]), batch
    if not isinstance(observation, dict) or set(space.spaces) - set(observation):
        given = sorted(observation) if isinstance(observation, dict) else type(observation).__name__
        raise ValueError(
            f"the observation is {given}, but the agent reads a dict of {sorted(space.spaces)}"
        )
    parts = {
        key: _part(f"observation part '{key}'", part, observation[key])
        for key, part in space.spaces.items()
    }
    batches = {batch for _, batch in parts.values()}
    if len(batches) > 1:
        shapes = {key: tuple(value.shape) for key, (value, _) in parts.items()}
        raise ValueError(f"some parts of the observation are batches, others are not: {shapes}")
    batch = batches.pop()
    values = {key: value if batch else value[None] for key, (value, _) in parts.items()}
    if len({len(value) for value in values.values()}) > 1:
        sizes = {key: len(value) for key, value in values.items()}
        raise ValueError(f"the parts of the observation are batches of different sizes: {sizes}")
    return values, batch


def as_starts(episode_start: Any, batch: int) -> NDArray[np.bool_]:
    """Where episodes begin, (B,): given for each world, or once for all.

    Raises:
        ValueError: another number of worlds.
    """
    starts = np.asarray(episode_start, dtype=bool)
    if starts.ndim and starts.size != batch:
        raise ValueError(
            f"episode_start has shape {starts.shape} for {batch} observations: give one for each, "
            "or one for all"
        )
    return np.broadcast_to(starts.ravel() if starts.ndim else starts, (batch,)).copy()


def as_state(state: Any, initial: State) -> State:
    """A memory state as tensors like the initial one.

    Args:
        state: what `predict` returned; its tensors may have become arrays.
        initial: of the same batch.

    Raises:
        ValueError: the state of another memory or of another number of worlds.
    """
    if not isinstance(state, dict) or set(state) != set(initial):
        given = sorted(state) if isinstance(state, dict) else type(state).__name__
        raise ValueError(
            f"the state is {given}, but this memory's is a dict of {sorted(initial)}: give what "
            "predict returned, or None at the start"
        )
    tensors = {
        key: torch.as_tensor(value).to(initial[key].device, initial[key].dtype)
        for key, value in state.items()
    }
    for key, value in tensors.items():
        if value.shape != initial[key].shape:
            raise ValueError(
                f"the state's '{key}' has shape {tuple(value.shape)}, but these observations need "
                f"{tuple(initial[key].shape)}: worlds begin with state None"
            )
    return tensors


def as_masks(action_masks: Any, batch: int, choices: int, device: torch.device) -> Tensor:
    """Action masks (B, n): given for each world, or for one alone.

    Raises:
        ValueError: another number of worlds or actions.
    """
    masks = torch.as_tensor(np.asarray(action_masks), device=device).bool()
    if masks.numel() != batch * choices:
        raise ValueError(
            f"action_masks has shape {tuple(masks.shape)}, but {batch} observations and {choices} "
            f"choices need {(batch, choices)}"
        )
    return masks.reshape(batch, choices)


def _part(name: str, space: spaces.Space[Any], given: Any) -> tuple[Any, bool]:
    """One part of an observation, and whether it is a batch of them."""
    try:
        value = given if isinstance(given, Tensor) else np.asarray(given)
    except ValueError as error:  # a list of lists of different lengths
        raise ValueError(f"the {name} is no array: {error}") from error
    if not isinstance(value, Tensor) and value.dtype.kind not in "biuf":
        raise ValueError(f"the {name} is {given!r}: give numbers")
    shape = tuple(space.shape or ())
    if not isinstance(value, Tensor):
        value = maybe_transpose(value, space)
    if tuple(value.shape) != shape and tuple(value.shape[1:]) != shape:
        batch = ", ".join(["B", *map(str, shape)])
        raise ValueError(
            f"the {name} has shape {tuple(value.shape)}, but the agent reads {shape} or a batch "
            f"({batch})"
        )
    if isinstance(space, spaces.Discrete):
        first, beyond = int(space.start), int(space.start + space.n)
        if not bool(((value >= first) & (value < beyond)).all()):
            raise ValueError(f"the {name} is {given!r}, but must be from {first} to {beyond - 1}")
    finite = value.isfinite() if isinstance(value, Tensor) else np.isfinite(value)
    if not bool(finite.all()):
        raise ValueError(f"the {name} is not finite: the agent has no action for nan or infinity")
    return value, tuple(value.shape) != shape
