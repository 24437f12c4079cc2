"""Matrices under the delta rule and their layers: `linear_attention`, `gated_delta`."""

from __future__ import annotations

from abc import abstractmethod

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory._delta_rule import Associations, correct, correct_all, unit
from drivemem_agents.memory.base import Memory, MemorySettings, State


class FastWeightSettings(MemorySettings):
    """Settings of memories that associate keys with values."""

    hidden_size: int = Field(default=64, ge=1)
    """H, width of the output layer."""
    heads: int = Field(default=4, ge=1)
    """n, number of matrices."""
    head_size: int = Field(default=16, ge=1)
    """d, their side."""


class FastWeights(Memory):
    """Matrices S of each head, written with (key, value) pairs and read with queries.

    Args:
        input_size: D.
        settings: of the matrices and the output layer.
    """

    def __init__(self, input_size: int, settings: FastWeightSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.heads, self.head_size = settings.heads, settings.head_size
        inner = settings.heads * settings.head_size
        self.project = nn.Linear(input_size, 3 * inner, bias=False)  # q, k, v
        self.rate = nn.Linear(input_size, settings.heads)
        self.layer = nn.Linear(inner + input_size, settings.hidden_size)

    def initial_state(self, batch: int) -> State:
        """Zeros, S (B, n, d, d): values by keys."""
        size = self.head_size
        return {"fast": self.project.weight.new_zeros(batch, self.heads, size, size)}

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        read, fast = correct(state["fast"], self._project(x))
        return self._leave(read, x), {"fast": fast}

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        if x.shape[0] == 0 or x.shape[1] == 0:
            return x.new_zeros(*x.shape[:2], self.output_size), state
        read, fast = correct_all(state["fast"], self._project(x), starts)
        return self._leave(read, x), {"fast": fast}

    def _project(self, x: Tensor) -> Associations:
        """What steps (..., D) ask for and store."""
        shape = (*x.shape[:-1], 3, self.heads, self.head_size)
        q, k, v = self.project(x).reshape(shape).unbind(-3)
        rate = torch.sigmoid(self.rate(x)).unsqueeze(-1)
        return Associations(unit(q), unit(k), v, rate, self._log_keep(x))

    @abstractmethod
    def _log_keep(self, x: Tensor) -> Tensor | None:
        """Logarithm of the part of S that is kept, (..., n, 1); None: all."""

    def _leave(self, read: Tensor, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(torch.cat([read.flatten(-2), x], dim=-1)))
