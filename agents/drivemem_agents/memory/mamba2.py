"""Mamba-2: a state space whose input chooses how much enters, how much stays and what is read."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory._durations import LastingSettings
from drivemem_agents.memory._outer_products import Products, Sums, add, add_all
from drivemem_agents.memory.base import Memory, State, register_memory


class Mamba2Settings(LastingSettings):
    """Settings of `mamba2`."""

    hidden_size: int = Field(default=64, ge=1)
    """H, width of the output layer."""
    heads: int = Field(default=4, ge=1)
    """n, number of heads, each with a decay of its own."""
    head_size: int = Field(default=16, ge=1)
    """p, values of a head."""
    state_size: int = Field(default=16, ge=1)
    """d, numbers that are held of each value."""


@register_memory("mamba2")
class Mamba2(Memory):
    """Per head: S' = exp(-e s) S + s v B^T, h = S' C + u v; y = tanh(W [h silu(g), x] + c).

    s = softplus(w x + r) is the size of the step: a long one forgets more and takes in more, so
    that one gate does both. B and C, which heads share, and the gate g are linear in x, v = W_v x;
    e > 0 and u are learned, one for each head. At the start s is 0.1 to begin with and heads
    remember for `shortest` to `longest` steps.

    Parameters: D (2 n p + 2 d + n) + 3 n + H (n p + D + 1). State: S, 4 n p d bytes.
    Source: Dao and Gu, "Transformers are SSMs: generalized models and efficient algorithms through
    structured state space duality", 2024; without its convolution and normalisation.
    """

    Settings = Mamba2Settings

    def __init__(self, input_size: int, settings: Mamba2Settings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.settings = settings
        self.heads, self.head_size = settings.heads, settings.head_size
        self.state_size = settings.state_size
        inner = settings.heads * settings.head_size
        self.project = nn.Linear(input_size, 2 * inner + 2 * settings.state_size, bias=False)
        self.pace = nn.Linear(input_size, settings.heads)
        self.log_rate = nn.Parameter(torch.empty(settings.heads))  # log e
        self.skip = nn.Parameter(torch.empty(settings.heads))
        self.layer = nn.Linear(inner + input_size, settings.hidden_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew; paces and rates are not drawn."""
        for layer in (self.project, self.pace, self.layer):
            layer.reset_parameters()
        with torch.no_grad():
            self.pace.bias.fill_(math.log(math.expm1(_PACE)))
            self.log_rate.copy_(
                -self.settings.log_steps(self.heads, self.log_rate) - math.log(_PACE)
            )
            self.skip.fill_(1.0)

    def initial_state(self, batch: int) -> State:
        """Zeros, S (B, n, p, d)."""
        shape = (batch, self.heads, self.head_size, self.state_size)
        return {"sums": self.project.weight.new_zeros(shape)}

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        told, value, gate = self._project(x)
        read, sums = add(_sums(state), told)
        return self._leave(read, value, gate, x), {"sums": sums.matrix}

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        if x.shape[0] == 0 or x.shape[1] == 0:
            return x.new_zeros(*x.shape[:2], self.output_size), state
        told, value, gate = self._project(x)
        read, _, sums = add_all(_sums(state), told, starts)
        return self._leave(read, value, gate, x), {"sums": sums.matrix}

    def _project(self, x: Tensor) -> tuple[Products, Tensor, Tensor]:
        """What steps (..., D) ask for and add; values (..., n, p) and gates (..., n p)."""
        inner, size = self.heads * self.head_size, self.state_size
        v, gate, key, query = self.project(x).split([inner, inner, size, size], dim=-1)
        v = v.unflatten(-1, (self.heads, self.head_size))
        pace = nn.functional.softplus(self.pace(x))
        key, query = (
            part.unsqueeze(-2).expand(*part.shape[:-1], self.heads, size) for part in (key, query)
        )
        log_keep = -self.log_rate.exp() * pace
        return Products(query, key, pace.unsqueeze(-1) * v, log_keep), v, gate

    def _leave(self, read: Tensor, value: Tensor, gate: Tensor, x: Tensor) -> Tensor:
        h = (read + self.skip.unsqueeze(-1) * value).flatten(-2) * nn.functional.silu(gate)
        return torch.tanh(self.layer(torch.cat([h, x], dim=-1)))


_PACE = 0.1
"""Size of a step at the start."""


def _sums(state: State) -> Sums:
    matrix = state["sums"]
    return Sums(matrix, torch.zeros_like(matrix[..., 0, 0]))
