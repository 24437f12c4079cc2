"""Rollouts: what the worlds gave in n_steps, stored time first, and cut into training chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from drivemem_agents.memory import State
from drivemem_agents.observations import Observation


def generalised_advantages(
    rewards: NDArray[np.float32],
    values: NDArray[np.float32],
    dones: NDArray[np.bool_],
    last_values: NDArray[np.float32],
    gamma: float,
    gae_lambda: float,
) -> NDArray[np.float32]:
    """Generalised advantage estimation (Schulman et al. 2016).

    Args:
        rewards: (T, B), with gamma V(final observation) already added where an episode was
            truncated.
        values: (T, B) estimates at each step.
        dones: (T, B), True where the episode ended with that step's reward.
        last_values: (B,) estimates for the observation after the last step.
        gamma: discount factor.
        gae_lambda: trade-off between bias (0) and variance (1).

    Returns:
        (T, B) advantages.
    """
    advantages = np.empty_like(rewards)
    advantage = np.zeros_like(last_values)
    following = last_values
    for t in range(len(rewards) - 1, -1, -1):
        alive = 1.0 - dones[t].astype(np.float32)
        delta = rewards[t] + gamma * following * alive - values[t]
        advantage = delta + gamma * gae_lambda * alive * advantage
        advantages[t] = advantage
        following = values[t]
    return advantages


def chunk_steps(n_steps: int, batch_size: int, bptt_steps: int | None, stateless: bool) -> int:
    """L, the length of training chunks; minibatches are whole chunks.

    Args:
        n_steps: T.
        batch_size: transitions per minibatch.
        bptt_steps: L if given.
        stateless: steps can be shuffled one by one.

    Raises:
        ValueError: T, L and the batch size do not fit.
    """
    chunk = bptt_steps or (1 if stateless else n_steps)
    if n_steps % chunk:
        divisors = [d for d in range(1, n_steps + 1) if n_steps % d == 0]
        near = min(divisors, key=lambda d: abs(d - chunk))
        raise ValueError(
            f"bptt_steps={chunk} does not divide n_steps={n_steps}; try bptt_steps={near}"
        )
    if batch_size % chunk or batch_size == 0:
        up = max(-(-batch_size // chunk) * chunk, chunk)
        raise ValueError(
            f"batch_size={batch_size} is no multiple of the chunk length {chunk} "
            f"(bptt_steps, else n_steps): try batch_size={up} or a shorter bptt_steps"
        )
    return chunk


@dataclass
class Minibatch:
    """Chunks of equal length, time first: shapes (L, n, ...), state (n, ...)."""

    observation: Observation
    actions: Tensor
    state: State
    starts: Tensor
    log_prob: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    masks: Tensor | None
    privileged: Tensor | None
    teacher: dict[str, Tensor] = field(default_factory=dict)
    """What a teacher said of these steps, where there is one: columns named `teacher.NAME`."""


class Rollout:
    """Preallocated storage of T steps of B worlds, and the memory state at each chunk's start.

    Args:
        steps: T, n_steps.
        worlds: B.
        chunk: L, steps trained through at once; divides T.
        device: where training happens.
    """

    def __init__(self, steps: int, worlds: int, chunk: int, device: torch.device) -> None:
        self.steps, self.worlds, self.chunk, self.device = steps, worlds, chunk, device
        shape = (steps, worlds)
        self.starts = torch.zeros(shape, dtype=torch.bool)
        self.rewards = np.zeros(shape, dtype=np.float32)
        self.bootstraps = np.zeros(shape, dtype=np.float32)
        self.dones = np.zeros(shape, dtype=bool)
        self.values = torch.zeros(shape)
        self.log_prob = torch.zeros(shape)
        self.advantages = torch.zeros(shape)
        self.returns = torch.zeros(shape)
        self.columns: dict[str, Tensor] = {}
        self.states: list[State] = []

    def clear(self) -> None:
        """Forget the steps; the storage is used again."""
        self.bootstraps[:] = 0.0
        self.states = []

    def store(self, t: int, name: str, value: Tensor) -> None:
        """Store one step's (B, ...) value of a named column."""
        column = self.columns.get(name)
        if column is None:
            column = torch.empty((self.steps, *value.shape), dtype=value.dtype, device=self.device)
            self.columns[name] = column
        column[t] = value

    def observation(self) -> Observation:
        """The stored observations (T, B, ...)."""
        return _named(self.columns, "observation.")

    def finish(
        self,
        rewards: NDArray[np.float32],
        last_values: NDArray[np.float32],
        gamma: float,
        gae_lambda: float,
    ) -> None:
        """Compute advantages and returns.

        Args:
            rewards: (T, B), scaled or not.
            last_values: (B,) values of the observations after the last step.
            gamma: discount factor.
            gae_lambda: see `generalised_advantages`.
        """
        values = self.values.numpy()
        advantages = generalised_advantages(
            rewards + gamma * self.bootstraps, values, self.dones, last_values, gamma, gae_lambda
        )
        self.advantages = torch.from_numpy(advantages)
        self.returns = torch.from_numpy(advantages + values)

    def chunked(self, column: Tensor) -> Tensor:
        """(T, B, ...) as chunks (L, T/L * B, ...), worlds varying fastest."""
        parts = self.steps // self.chunk
        tail = column.shape[2:]
        cut = column.reshape(parts, self.chunk, self.worlds, *tail).transpose(0, 1)
        return cut.reshape(self.chunk, parts * self.worlds, *tail)

    def minibatches(self, batch_size: int, states: list[State]) -> Iterator[Minibatch]:
        """Whole chunks in random order, `batch_size` transitions at a time.

        Args:
            batch_size: a multiple of the chunk length; the last minibatch may be smaller.
            states: memory state at each chunk's start, as stored or recomputed.
        """
        columns = {
            name: self.chunked(column.to(self.device))
            for name, column in {
                **self.columns,
                "starts": self.starts,
                "log_prob": self.log_prob,
                "values": self.values,
                "advantages": self.advantages,
                "returns": self.returns,
            }.items()
        }
        state = {key: torch.cat([part[key] for part in states]) for key in states[0]}
        chunks = self.steps // self.chunk * self.worlds
        order = torch.randperm(chunks, device=self.device)
        for picked in order.split(batch_size // self.chunk):
            # index_select is several times faster than indexing by a tensor
            part = {name: column.index_select(1, picked) for name, column in columns.items()}
            yield Minibatch(
                _named(part, "observation."),
                part["actions"],
                {key: value.index_select(0, picked) for key, value in state.items()},
                part["starts"],
                part["log_prob"],
                part["values"],
                part["advantages"],
                part["returns"],
                part.get("masks"),
                part.get("privileged"),
                _named(part, "teacher."),
            )


def _named(columns: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The columns whose name has a prefix, without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in columns.items()
        if name.startswith(prefix)
    }
