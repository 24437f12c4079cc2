"""What the policy returns: one acting step, or a block of stored steps evaluated."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from drivemem_agents.memory import State


class Act(NamedTuple):
    """What the policy does in one step, for a batch of worlds."""

    actions: Tensor
    """(B, A) as stored in rollouts; `MemoryPolicy.to_environment` turns them into actions."""
    values: Tensor
    """(B,) value estimates."""
    log_prob: Tensor
    """(B,) log-probability of the actions."""
    entropy: Tensor
    """(B,) entropy of the action distribution."""
    probs: Tensor | None
    """(B, n) probabilities of discrete actions."""
    state: State
    """Memory state after the step."""
    features: Tensor
    """(B, H) the memory's output."""
    parameters: Tensor
    """(B, P) of the action distribution, as the action head gives them."""


class Evaluation(NamedTuple):
    """What PPO needs to know of a block of stored steps."""

    values: Tensor
    """(T, B)."""
    log_prob: Tensor
    """(T, B)."""
    entropy: Tensor
    """(T, B)."""
    features: Tensor
    """(T, B, H) the memory's output."""
