"""Action heads: the distribution over actions that the memory's output parametrises."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

_MASKED = -1e8
_INSIDE = 0.995
"""How near to their bounds, as -1 and 1, squashed actions can be asked for."""


class ActionHead(nn.Module, ABC):
    """Parameters of a distribution over actions, and what PPO asks of it.

    `action_size` is the width of an action stored as a row of numbers.
    """

    action_size: int

    @abstractmethod
    def forward(self, features: Tensor, masks: Tensor | None = None) -> Tensor:
        """Distribution parameters (..., P) from features (..., H)."""

    @abstractmethod
    def sample(self, parameters: Tensor, deterministic: bool) -> Tensor:
        """Actions (..., action_size), drawn or the most likely."""

    @abstractmethod
    def log_prob(self, parameters: Tensor, actions: Tensor) -> Tensor:
        """Log-probability (...) of actions (..., action_size)."""

    @abstractmethod
    def entropy(self, parameters: Tensor) -> Tensor:
        """Entropy (...) of the distribution (an estimate where it has no closed form)."""

    @abstractmethod
    def in_space(self, actions: Tensor) -> Tensor:
        """Stored actions (B, action_size) as the environment takes them (B, ...)."""

    @abstractmethod
    def from_environment(self, actions: np.ndarray[Any, Any]) -> Tensor:
        """Actions as the environment takes them (B, ...), as rollouts store them: of `in_space`."""

    @abstractmethod
    def describe(self, actions: Tensor) -> Tensor:
        """Stored actions (..., action_size) as a network's input (..., `described_size`)."""

    def to_environment(self, actions: Tensor) -> np.ndarray[Any, Any]:
        """`in_space`, as an array."""
        return np.asarray(self.in_space(actions).cpu().numpy())

    def probabilities(self, parameters: Tensor) -> Tensor | None:
        """Probability of each discrete action (..., n), or None."""
        return None


def orthogonal(inputs: int, outputs: int, gain: float) -> nn.Linear:
    """A linear layer with orthogonal weights of a gain and zero bias."""
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain=gain)
    nn.init.zeros_(layer.bias)
    return layer


class CategoricalHead(ActionHead):
    """One categorical distribution for each of the space's discrete choices."""

    def __init__(self, features: int, space: spaces.Discrete | spaces.MultiDiscrete) -> None:
        super().__init__()
        single = isinstance(space, spaces.Discrete)
        self.shape: tuple[int, ...] = () if single else tuple(space.shape or ())
        self.choices = [int(space.n)] if single else [int(n) for n in space.nvec.ravel()]  # type: ignore[union-attr]
        start = np.asarray(space.start).ravel()
        self.register_buffer("start", torch.as_tensor(start, dtype=torch.long), persistent=False)
        self.action_size = len(self.choices)
        self.layer = orthogonal(features, sum(self.choices), gain=0.01)

    def forward(self, features: Tensor, masks: Tensor | None = None) -> Tensor:
        """Normalised log-probabilities (..., sum of choices)."""
        logits: Tensor = self.layer(features)
        if masks is not None:
            logits = torch.where(masks, logits, _MASKED)
        if len(self.choices) == 1:
            return torch.log_softmax(logits, dim=-1)
        parts = [torch.log_softmax(part, dim=-1) for part in logits.split(self.choices, dim=-1)]
        return torch.cat(parts, dim=-1)

    def sample(self, parameters: Tensor, deterministic: bool) -> Tensor:
        """Indices of choices (..., action_size); Gumbel's maximum draws without a division."""
        if not deterministic:
            noise = torch.rand_like(parameters).clamp_(min=1e-20).log_().neg_()
            parameters = parameters - noise.log_()
        if len(self.choices) == 1:
            return parameters.argmax(dim=-1, keepdim=True)
        parts = parameters.split(self.choices, dim=-1)
        return torch.stack([part.argmax(dim=-1) for part in parts], dim=-1)

    def log_prob(self, parameters: Tensor, actions: Tensor) -> Tensor:
        """Sum over the choices of the log-probabilities of those taken."""
        if len(self.choices) == 1:
            return parameters.gather(-1, actions.long()).squeeze(-1)
        offsets = torch.as_tensor(np.cumsum([0, *self.choices[:-1]]), device=actions.device)
        return parameters.gather(-1, actions.long() + offsets).sum(-1)

    def entropy(self, parameters: Tensor) -> Tensor:
        """Sum of the choices' entropies."""
        return -(parameters.exp() * parameters).sum(-1)

    def in_space(self, actions: Tensor) -> Tensor:
        """Integers of the space's shape."""
        shifted: Tensor = actions + self.start  # type: ignore[operator]
        return shifted.reshape(actions.shape[0], *self.shape)

    def from_environment(self, actions: np.ndarray[Any, Any]) -> Tensor:
        """Indices of choices (B, action_size)."""
        given = torch.as_tensor(actions, dtype=torch.long, device=self.layer.weight.device)
        indices: Tensor = given.reshape(len(given), -1) - self.start  # type: ignore[operator]
        return indices

    def describe(self, actions: Tensor) -> Tensor:
        """One-hot rows, joined (..., sum of choices)."""
        parts = [
            nn.functional.one_hot(actions[..., index].long(), n)
            for index, n in enumerate(self.choices)
        ]
        return torch.cat(parts, dim=-1).float()

    def probabilities(self, parameters: Tensor) -> Tensor | None:
        """Probability of each discrete action (..., sum of choices)."""
        return parameters.exp()


class GaussianHead(ActionHead):
    """Independent normal distributions, by default squashed by tanh into the space's bounds.

    The standard deviation does not depend on the observation (as in PPO's usual form).
    """

    def __init__(self, features: int, space: spaces.Box, squash: bool = True) -> None:
        super().__init__()
        self.shape = space.shape
        self.action_size = int(np.prod(space.shape))
        bounded = bool(np.isfinite(space.low).all() and np.isfinite(space.high).all())
        if squash and not bounded:
            raise ValueError(
                f"squashed actions need finite bounds, but the space is {space}; "
                "use squash=False or bound the action space"
            )
        self.squash = squash
        self.layer = orthogonal(features, self.action_size, gain=0.01)
        self.log_std = nn.Parameter(torch.zeros(self.action_size))
        for name, bound in (("low", space.low), ("high", space.high)):
            self.register_buffer(name, torch.as_tensor(bound.ravel()).float(), persistent=False)

    def forward(self, features: Tensor, masks: Tensor | None = None) -> Tensor:
        """Mean and log standard deviation, joined (..., 2 action_size)."""
        mean: Tensor = self.layer(features)
        return torch.cat([mean, self.log_std.expand_as(mean)], dim=-1)

    def sample(self, parameters: Tensor, deterministic: bool) -> Tensor:
        """Unsquashed actions: storing those keeps the log-probability exact on replay."""
        mean, log_std = parameters.chunk(2, dim=-1)
        return mean if deterministic else mean + log_std.exp() * torch.randn_like(mean)

    def log_prob(self, parameters: Tensor, actions: Tensor) -> Tensor:
        """Density of the action; with tanh, of the squashed one on [-1, 1]."""
        mean, log_std = parameters.chunk(2, dim=-1)
        scaled = (actions - mean) * (-log_std).exp()
        density = -0.5 * scaled.square() - log_std - 0.5 * math.log(2.0 * math.pi)
        if self.squash:  # log(1 - tanh(a)^2), in a form that does not underflow
            density = density - 2.0 * (
                math.log(2.0) - actions - nn.functional.softplus(-2.0 * actions)
            )
        return density.sum(-1)

    def entropy(self, parameters: Tensor) -> Tensor:
        """Entropy of the normal distribution, before squashing (which has no closed form)."""
        log_std = parameters.chunk(2, dim=-1)[1]
        return (log_std + 0.5 * math.log(2.0 * math.pi * math.e)).sum(-1)

    def in_space(self, actions: Tensor) -> Tensor:
        """Actions inside the space's bounds."""
        if self.squash:
            actions = self.low + (actions.tanh() + 1.0) * 0.5 * (self.high - self.low)  # type: ignore[operator]
        else:
            actions = torch.minimum(torch.maximum(actions, self.low), self.high)  # type: ignore[arg-type]
        return actions.reshape(actions.shape[0], *self.shape)

    def from_environment(self, actions: np.ndarray[Any, Any]) -> Tensor:
        """Unsquashed actions; where tanh reaches a bound only at infinity, one close to it."""
        given = torch.as_tensor(actions, dtype=torch.float32, device=self.layer.weight.device)
        given = given.reshape(len(given), -1)
        if not self.squash:
            return given
        scaled = (given - self.low) / (self.high - self.low) * 2.0 - 1.0  # type: ignore[operator]
        return torch.atanh(scaled.clamp(-_INSIDE, _INSIDE))

    def describe(self, actions: Tensor) -> Tensor:
        """Actions as the environment scales them to [-1, 1], or unsquashed ones as they are."""
        return actions.tanh() if self.squash else actions


def described_size(space: spaces.Space[Any]) -> int:
    """Width of `ActionHead.describe` for an action space."""
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return int(space.nvec.sum())
    return int(np.prod(space.shape or ()))


def make_head(features: int, space: spaces.Space[Any], squash: bool = True) -> ActionHead:
    """The head for an action space.

    Raises:
        ValueError: for a space other than Discrete, MultiDiscrete and Box.
    """
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        return CategoricalHead(features, space)
    if isinstance(space, spaces.Box):
        return GaussianHead(features, space, squash)
    raise ValueError(
        f"no action head for a {type(space).__name__} space; agents act in Discrete, "
        "MultiDiscrete and Box spaces"
    )
