"""Observations as dictionaries of tensors, whatever the space: one shape of code behind it."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

Observation = dict[str, Tensor]

SOLE = "observation"
"""Key of an observation that is not a Dict."""


def subspaces(space: spaces.Space[Any]) -> dict[str, spaces.Box]:
    """The Box parts of an observation space by key.

    Raises:
        ValueError: for a part that is neither Box, Discrete nor MultiBinary.
    """
    parts = space.spaces if isinstance(space, spaces.Dict) else {SOLE: space}
    boxes: dict[str, spaces.Box] = {}
    for key, part in parts.items():
        if isinstance(part, spaces.Discrete):
            part = spaces.Box(0.0, 1.0, (int(part.n),), np.float32)
        elif isinstance(part, spaces.MultiBinary):
            part = spaces.Box(0.0, 1.0, part.shape, np.float32)
        if not isinstance(part, spaces.Box):
            raise ValueError(
                f"observation part '{key}' is a {type(part).__name__}; agents read Box, Discrete, "
                "MultiBinary and Dict spaces of them: flatten it with a Gymnasium wrapper"
            )
        boxes[key] = part
    return boxes


def to_tensors(space: spaces.Space[Any], observation: Any, device: torch.device) -> Observation:
    """A batch of observations as tensors.

    Args:
        space: the observation space of one world.
        observation: arrays or tensors with a leading batch dimension, or a dict of them.
        device: where the tensors shall live.

    Returns:
        Tensors (B, ...) by key; Discrete parts one-hot.
    """
    parts = space.spaces if isinstance(space, spaces.Dict) else {SOLE: space}
    given = observation if isinstance(space, spaces.Dict) else {SOLE: observation}
    tensors = {}
    for key, part in parts.items():
        tensor = torch.as_tensor(given[key], device=device)
        if isinstance(part, spaces.Discrete):
            tensor = torch.nn.functional.one_hot(tensor.long() - int(part.start), int(part.n))
        tensors[key] = tensor if tensor.dtype == torch.uint8 else tensor.float()
    return tensors


def batch_of(observation: Observation) -> int:
    """The leading dimension of a batch of observations."""
    return int(next(iter(observation.values())).shape[0])


def select(observation: Any, index: Any) -> Any:
    """Index the leading dimension of an observation given as arrays, tensors or a dict of them."""
    if isinstance(observation, dict):
        return {key: value[index] for key, value in observation.items()}
    return cast(Any, observation)[index]
