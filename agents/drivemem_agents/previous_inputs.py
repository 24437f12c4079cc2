"""The previous action and reward as inputs of the memory, carried in the memory state."""

from __future__ import annotations

import torch
from torch import Tensor

from drivemem_agents.heads import ActionHead
from drivemem_agents.memory import State
from drivemem_agents.observations import Observation

PREVIOUS = "_previous"
"""Key of the previous inputs, in the memory state and among a frame's parts."""


class PreviousInputs:
    """What an agent did last and what it earned; zeros at the start of an episode.

    Source: Ni et al., "Recurrent model-free RL can be a strong baseline for many POMDPs", 2022.

    Args:
        action_size: width of a described action, or 0 if actions are not observed.
        reward: whether rewards are observed.
    """

    def __init__(self, action_size: int, reward: bool) -> None:
        self.action_size, self.reward = action_size, reward
        self.size = action_size + int(reward)

    def initial(self, batch: int, device: torch.device) -> State:
        """The part of the memory state before the first step."""
        return {PREVIOUS: torch.zeros(batch, self.size, device=device)} if self.size else {}

    def reset(self, state: State, starts: Tensor) -> State:
        """The same where episodes begin; `state` may hold more."""
        return (
            {PREVIOUS: torch.where(starts.unsqueeze(1), 0.0, state[PREVIOUS])} if self.size else {}
        )

    def enter_rewards(self, state: State, rewards: Tensor) -> State:
        """Enter the rewards (B,) of the step just driven."""
        if not self.reward:
            return state
        known = state[PREVIOUS].clone()
        known[:, -1] = rewards
        return {**state, PREVIOUS: known}

    def add_to(self, observation: Observation, state: State, starts: Tensor) -> Observation:
        """The observation and the previous inputs.

        Raises:
            ValueError: the previous rewards have not been told.
        """
        if not self.size or PREVIOUS in observation:
            return observation
        previous = self.reset(state, starts)[PREVIOUS]
        if self.reward and bool(previous[:, -1].isnan().any()):
            raise ValueError(
                "this agent observes the previous reward: call policy.tell_rewards(state, "
                "rewards) after each step of the environment"
            )
        return {**observation, PREVIOUS: previous}

    def after_step(self, actions: Tensor, head: ActionHead) -> State:
        """The part of the memory state after a step; its reward is not known yet."""
        if not self.size:
            return {}
        parts = [head.describe(actions)] if self.action_size else []
        if self.reward:
            parts.append(torch.full((actions.shape[0], 1), torch.nan, device=actions.device))
        return {PREVIOUS: torch.cat(parts, dim=1)}
