"""Stable Hadamard memory: a matrix each of whose entries is kept or changed by itself."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory._scan import linear_recurrence
from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory


class SHMSettings(MemorySettings):
    """Settings of `shm`."""

    hidden_size: int = Field(default=64, ge=1)
    """H, width of the output layer."""
    memory_size: int = Field(default=24, ge=1)
    """m, side of the matrix."""
    calibrations: int = Field(default=128, ge=1)
    """L, number of vectors of which one is used at each step."""


@register_memory("shm")
class SHM(Memory):
    """M' = C * M + U, entry by entry; h = M' q; y = tanh(W [h, x] + c).

    C = 1 + tanh(t (V x)^T) is 1 on average, so that what is stored neither fades nor grows on
    average; t is one of L learned vectors, another at each step, so that what M is multiplied by
    from step to step is little correlated. U = sigmoid(w x + b) v k^T; k and q are relu(W x) of sum
    1, v = W x.

    The source draws t at random at every step; here the order is drawn once and depends on the step
    of the episode alone, so that acting and learning do the same. Training runs one scan, in which
    an episode start is a decay of zero.

    Parameters: L m + 4 D m + D + 1 + H (m + D + 1). State: M and the step, 4 (m^2 + 1) bytes.
    Source: Le et al., "Stable Hadamard memory: revitalizing memory-augmented agents for
    reinforcement learning", 2024.
    """

    Settings = SHMSettings
    order: Tensor

    def __init__(self, input_size: int, settings: SHMSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.size = settings.memory_size
        self.calibrations = nn.Parameter(torch.empty(settings.calibrations, self.size))
        self.project = nn.Linear(input_size, 4 * self.size, bias=False)  # V, v, k, q
        self.rate = nn.Linear(input_size, 1)
        self.layer = nn.Linear(self.size + input_size, settings.hidden_size)
        generator = torch.Generator(device="cpu").manual_seed(0)
        order = torch.randperm(settings.calibrations, generator=generator, device="cpu")
        self.register_buffer("order", order)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        for layer in (self.project, self.rate, self.layer):
            layer.reset_parameters()
        nn.init.xavier_uniform_(self.calibrations)

    def initial_state(self, batch: int) -> State:
        """Zeros, M (B, m^2) and the number of steps that the episode has had (B, 1)."""
        weight = self.calibrations
        return {
            "matrix": weight.new_zeros(batch, self.size**2), "step": weight.new_zeros(batch, 1),
        }  # fmt: skip

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        keep, added, query = self._project(x, state["step"])
        matrix = keep * state["matrix"] + added
        return self._leave(matrix, query, x), {"matrix": matrix, "step": state["step"] + 1.0}

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        if x.shape[0] == 0:
            return x.new_zeros(*x.shape[:2], self.output_size), state
        step = _steps(state["step"], starts)
        keep, added, query = self._project(x, step)
        matrix = linear_recurrence(keep, added, state["matrix"], starts)
        return self._leave(matrix, query, x), {"matrix": matrix[-1], "step": step[-1] + 1.0}

    def _project(self, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """C and U (..., m^2), and q (..., m)."""
        change, value, key, query = self.project(x).chunk(4, dim=-1)
        place = torch.nan_to_num(step.squeeze(-1)).round().long() % len(self.order)
        chosen = self.calibrations[self.order[place]]
        keep = 1.0 + torch.tanh(chosen.unsqueeze(-1) * change.unsqueeze(-2))
        key, query = _shares(key), _shares(query)
        added = torch.sigmoid(self.rate(x)) * value
        return keep.flatten(-2), (added.unsqueeze(-1) * key.unsqueeze(-2)).flatten(-2), query

    def _leave(self, matrix: Tensor, query: Tensor, x: Tensor) -> Tensor:
        square = matrix.unflatten(-1, (self.size, self.size))
        read = (square @ query.unsqueeze(-1)).squeeze(-1)
        return torch.tanh(self.layer(torch.cat([read, x], dim=-1)))


def _shares(x: Tensor) -> Tensor:
    """relu(x) of sum 1 over the last dimension."""
    positive = torch.relu(x)
    return positive / (positive.sum(-1, keepdim=True) + 1e-5)


def _steps(before: Tensor, starts: Tensor) -> Tensor:
    """How many steps episodes have had before each step (T, B, 1); `before` the first, (B, 1)."""
    count = torch.arange(starts.shape[0], device=starts.device).unsqueeze(-1)
    began = torch.where(starts, count, -1).cummax(0).values.unsqueeze(-1)  # -1: not in this block
    count = count.unsqueeze(-1).to(before)
    return torch.where(began < 0, before + count, count - began.to(before))
