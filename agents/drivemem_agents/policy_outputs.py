"""What the policy returns: one acting step, or a block of stored steps evaluated."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from drivemem_agents.heads import ActionHead
from drivemem_agents.memory import State
from drivemem_agents.previous_inputs import PREVIOUS

CRITIC = "critic."
"""Prefix of the separate critic's part of the memory state."""


class StepOutput(NamedTuple):
    """What the policy does in one step, for a batch of worlds."""

    actions: Tensor
    """(B, A) as stored in rollouts; `MemoryPolicy.to_environment` turns them into actions."""
    values: Tensor
    """(B,) value estimates."""
    log_prob: Tensor
    """(B,) log-probability of the actions."""
    state: State
    """Memory state after the step."""
    features: Tensor
    """(B, H) the memory's output."""
    parameters: Tensor
    """(B, P) of the action distribution, as the action head gives them."""
    head: ActionHead
    """What the parameters mean."""

    @property
    def entropy(self) -> Tensor:
        """(B,) entropy of the action distribution."""
        return self.head.entropy(self.parameters)

    @property
    def probs(self) -> Tensor | None:
        """(B, n) probabilities of discrete actions."""
        return self.head.probabilities(self.parameters)


class SequenceOutput(NamedTuple):
    """What PPO needs to know of a block of stored steps."""

    values: Tensor
    """(T, B)."""
    log_prob: Tensor
    """(T, B)."""
    entropy: Tensor
    """(T, B)."""
    features: Tensor
    """(T, B, H) the memory's output."""
    parameters: Tensor
    """(T, B, P) of the action distribution, as the action head gives them."""


def split_state(state: State) -> tuple[State, State]:
    """The memory's own part of the state and the separate critic's."""
    own, critics = {}, {}
    for key, value in state.items():
        if key.startswith(CRITIC):
            critics[key.removeprefix(CRITIC)] = value
        elif key != PREVIOUS:
            own[key] = value
    return own, critics
