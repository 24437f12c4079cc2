"""Gated delta rule: fast weights that correct their errors, and forget as the input chooses."""

from __future__ import annotations

import math

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from drivemem_agents.memory._delta_rule import Associations, correct, correct_all, unit
from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory


class GatedDeltaSettings(MemorySettings):
    """Settings of `gated_delta`."""

    hidden_size: int = Field(default=64, ge=1)
    """H, width of the output layer."""
    heads: int = Field(default=4, ge=1)
    """n, number of fast-weight matrices."""
    head_size: int = Field(default=16, ge=1)
    """d, their side."""
    shortest: float = Field(default=4.0, gt=1.0)
    """For how many steps the first matrix remembers at the start."""
    longest: float = Field(default=256.0, gt=1.0)
    """For how many steps the last one does; those between are spaced evenly by ratio."""

    @model_validator(mode="after")
    def _ordered(self) -> GatedDeltaSettings:
        if self.shortest > self.longest:
            raise ValueError(
                f"shortest={self.shortest:g} is above longest={self.longest:g}: they bound for how "
                "many steps matrices remember at the start"
            )
        return self


@register_memory("gated_delta")
class GatedDelta(Memory):
    """Per head: S' = a S + b (v - a S k) k^T, read as o = S' q; y = tanh(W_o [o, x] + c).

    As `linear_attention`, which corrects errors and never forgets what no similar key overwrites,
    with the part a in (0, 1) of S that is kept: a = exp(-softplus(w x + e)), its own for each
    head. The biases e start such that heads remember for `shortest` to `longest` steps.

    Training solves chunks of 32 steps at once, a triangular system; see `_delta_rule`.

    Parameters: D (3 n d + 2 n) + 2 n + H (n d + D + 1). State: S, 4 n d^2 bytes.
    Source: Yang, Kautz and Hatamizadeh, "Gated delta networks: improving Mamba2 with the delta
    rule", 2024; without its short convolution, output gate and normalisation, so that forgetting
    is all that tells it from `linear_attention`.
    """

    Settings = GatedDeltaSettings

    def __init__(self, input_size: int, settings: GatedDeltaSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.settings = settings
        self.heads, self.head_size = settings.heads, settings.head_size
        inner = settings.heads * settings.head_size
        self.project = nn.Linear(input_size, 3 * inner, bias=False)  # q, k, v
        self.rate = nn.Linear(input_size, settings.heads)
        self.forget = nn.Linear(input_size, settings.heads)
        self.layer = nn.Linear(inner + input_size, settings.hidden_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew; how long heads remember is not drawn."""
        for layer in (self.project, self.rate, self.forget, self.layer):
            layer.reset_parameters()
        low, high = math.log(self.settings.shortest), math.log(self.settings.longest)
        with torch.no_grad():
            steps = torch.linspace(low, high, self.heads, dtype=self.forget.bias.dtype).exp()
            self.forget.bias.copy_((1.0 / steps).expm1().log())  # softplus of it is 1 / steps

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
        """What steps (..., D) ask for and store, and which part of S they keep."""
        shape = (*x.shape[:-1], 3, self.heads, self.head_size)
        q, k, v = self.project(x).reshape(shape).unbind(-3)
        rate, keep = torch.sigmoid(self.rate(x)), -nn.functional.softplus(self.forget(x))
        return Associations(unit(q), unit(k), v, rate.unsqueeze(-1), keep.unsqueeze(-1))

    def _leave(self, read: Tensor, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(torch.cat([read.flatten(-2), x], dim=-1)))
