"""Fast weights: a matrix per head that associates keys with values and corrects its own errors."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory._delta_rule import Associations, correct, correct_all, unit
from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory


class LinearAttentionSettings(MemorySettings):
    """Settings of `linear_attention`."""

    hidden_size: int = Field(default=64, ge=1)
    """H, width of the output layer."""
    heads: int = Field(default=4, ge=1)
    """n, number of fast-weight matrices."""
    head_size: int = Field(default=16, ge=1)
    """d, their side."""


@register_memory("linear_attention")
class LinearAttention(Memory):
    """Per head: S' = S + b (v - S k) k^T, read as o = S' q; y = tanh(W_o [o, x] + c).

    q and k are silu(W x) of unit length, v = W x, and b = sigmoid(w x) in (0, 1) is how much of
    the error v - S k is corrected (the delta rule): an association with key k is replaced, not
    added to, and others are left alone as far as their keys are orthogonal to k.

    Training solves chunks of 32 steps at once, a triangular system; see `_delta_rule`.

    Parameters: D (3 n d + n) + n + H (n d + D + 1). State: S, 4 n d^2 bytes.
    Sources: Schlag et al., "Linear transformers are secretly fast weight programmers", 2021;
    unit keys and the chunked form: Yang et al., "Parallelizing linear transformers with the
    delta rule over sequence length", 2024.
    """

    Settings = LinearAttentionSettings

    def __init__(self, input_size: int, settings: LinearAttentionSettings) -> None:
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
        return Associations(unit(q), unit(k), v, torch.sigmoid(self.rate(x)).unsqueeze(-1))

    def _leave(self, read: Tensor, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(torch.cat([read.flatten(-2), x], dim=-1)))
