"""Fast weights: a matrix per head that associates keys with values and corrects its own errors."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory._history import episode_numbers
from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory

# Steps solved together: longer chunks cost quadratic work, shorter ones more Python calls.
_CHUNK = 32


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

    Training solves chunks of 32 steps at once. With S_0 before the chunk, the corrections u_t =
    b_t (v_t - S k_t) obey (I + tril(b K K^T, -1)) U = b (V - K S_0^T), a triangular system; steps
    of different episodes do not see each other in it.

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
        q, k, v, rate = self._project(x)  # (B, n, d) each, rate (B, n, 1)
        fast = state["fast"]
        error = v - (fast @ k.unsqueeze(-1)).squeeze(-1)
        fast = fast + (rate * error).unsqueeze(-1) * k.unsqueeze(-2)
        read = (fast @ q.unsqueeze(-1)).squeeze(-1)
        return self._leave(read, x), {"fast": fast}

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        fast = state["fast"]
        if x.shape[0] == 0 or x.shape[1] == 0:
            return x.new_zeros(*x.shape[:2], self.output_size), state
        parts = [part.permute(1, 2, 0, 3) for part in self._project(x)]  # (B, n, T, d)
        episode = episode_numbers(starts, 1).T  # (B, 1 + T)
        reads = []
        for begin in range(0, x.shape[0], _CHUNK):
            rows = slice(begin, begin + _CHUNK)
            q, k, v, rate = (part[:, :, rows] for part in parts)
            numbers = episode[:, begin : begin + _CHUNK + 1]
            read, fast = self._chunk(q, k, v, rate, fast, numbers)
            reads.append(read)
        read = torch.cat(reads, dim=2).permute(2, 0, 1, 3)  # (T, B, n, d)
        return self._leave(read, x), {"fast": fast}

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries, keys, values (..., n, d) and correction rates (..., n, 1)."""
        shape = (*x.shape[:-1], 3, self.heads, self.head_size)
        q, k, v = self.project(x).reshape(shape).unbind(-3)
        q, k = (
            nn.functional.normalize(nn.functional.silu(part), dim=-1, eps=1e-6) for part in (q, k)
        )
        return q, k, v, torch.sigmoid(self.rate(x)).unsqueeze(-1)

    @staticmethod
    def _chunk(
        q: Tensor, k: Tensor, v: Tensor, rate: Tensor, fast: Tensor, episode: Tensor
    ) -> tuple[Tensor, Tensor]:
        """C steps together.

        Args:
            q: (B, n, C, d), like k and v.
            k: keys.
            v: values.
            rate: (B, n, C, 1).
            fast: S before the chunk, (B, n, d, d).
            episode: (B, 1 + C) episode numbers, that of the step before the chunk first.

        Returns:
            What is read, (B, n, C, d), and S after the chunk.
        """
        now = episode[:, None, 1:]  # (B, 1, C)
        same = now.unsqueeze(-1) == now.unsqueeze(-2)  # (B, 1, C, C)
        carried = (now == episode[:, None, :1]).unsqueeze(-1)  # (B, 1, C, 1)
        before = torch.where(carried, k @ fast.mT, 0.0)
        system = torch.where(same, rate * (k @ k.mT), 0.0).tril(-1)
        # Unitriangular: the ones on the diagonal are implied.
        corrections = torch.linalg.solve_triangular(
            system, rate * (v - before), upper=False, unitriangular=True
        )
        seen = torch.where(same, q @ k.mT, 0.0).tril()
        read = torch.where(carried, q @ fast.mT, 0.0) + seen @ corrections
        kept = torch.where(carried[:, :, -1:], fast, 0.0)
        last = torch.where(same[:, :, -1].unsqueeze(-1), corrections, 0.0)
        return read, kept + last.mT @ k

    def _leave(self, read: Tensor, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(torch.cat([read.flatten(-2), x], dim=-1)))
