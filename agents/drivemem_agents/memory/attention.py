"""Gated transformer (GTrXL): attention to what was seen in a window of past steps."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from drivemem_agents.memory._window_attention import GatedTransformer
from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory


class AttentionSettings(MemorySettings):
    """Settings of `attention`."""

    hidden_size: int = Field(default=64, ge=1)
    """E, width of the model."""
    layers: int = Field(default=1, ge=1)
    """L; every layer sees the window before it, so L layers reach L (W - 1) steps back."""
    heads: int = Field(default=4, ge=1)
    """n, attention heads."""
    head_size: int = Field(default=16, ge=1)
    """d, width of a head."""
    window: int = Field(default=32, ge=1)
    """W, steps that a layer sees, the present one included."""
    gate_bias: float = 2.0
    """Of the gates at the start: the larger, the nearer to a network without memory."""


@register_memory("attention")
class Attention(Memory):
    """x is projected to E; L layers: h = g(x, relu(attend(norm x))), y = g(h, relu(mlp(norm h))).

    attend: each head weighs the steps of the window by softmax(((q + u) k + (q + v) P r) /
    sqrt(d)), r the sinusoids of the distance, and adds up their values. g is a GRU-like gate
    whose bias keeps it almost shut at first: the agent starts out nearly memoryless, which is
    what makes transformers trainable by reinforcement learning.

    Keys and values of the last W - 1 steps are the memory state (a cache), carried from block to
    block without gradient; acting costs one query a step. Acting and training run the same code,
    also in episodes longer than the window. Nothing older than L (W - 1) steps is remembered.

    Parameters, I = n d: E (D + 1) + L (5 E I + 2 I + 14 E^2 + 8 E).
    State: 4 (W - 1)(2 L I + 1) bytes.
    Sources: Parisotto et al., "Stabilizing transformers for reinforcement learning", 2019; Dai et
    al., "Transformer-XL", 2019.
    """

    Settings = AttentionSettings

    def __init__(self, input_size: int, settings: AttentionSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.transformer = GatedTransformer(
            input_size, settings.hidden_size, settings.layers, settings.heads,
            settings.head_size, settings.window, settings.gate_bias,
        )  # fmt: skip

    def initial_state(self, batch: int) -> State:
        """Nothing stored: `past` (B, L, W - 1, 2 I) and `valid` (B, W - 1), zeros."""
        return self.transformer.initial_state(batch)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, E)."""
        going_on = x.new_zeros(1, x.shape[0], dtype=torch.bool)
        y, state = self.transformer(x.unsqueeze(0), state, going_on, self._scores())
        return y[0], state

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, E)."""
        if x.shape[0] == 0:
            return x.new_zeros(*x.shape[:2], self.output_size), state
        state = self.reset(state, starts[0])
        y, state = self.transformer(x, state, starts, self._scores())
        return y, state

    def _scores(self) -> list[Tensor] | None:
        """What each layer's heads add to their scores, by distance; here nothing."""
        return None
