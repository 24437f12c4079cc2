"""Temporal convolution: short-term memory of a fixed span, read by a pyramid of filters."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory._history import episode_numbers, look_back, newest
from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory


class TCNSettings(MemorySettings):
    """Settings of `tcn`."""

    hidden_size: int = Field(default=64, ge=1)
    """H, channels."""
    kernel_size: int = Field(default=3, ge=2)
    """k, taps of every filter."""
    levels: int = Field(default=4, ge=1, le=16)
    """L, layers; the taps of layer l (from 0) lie 2^l steps apart: with 16 it sees 65,536 steps or
    more, and its state grows as that does."""


@register_memory("tcn")
class TCN(Memory):
    """Causal dilated convolutions over time, with residual connections.

    u_0 = W x + b; u_{l+1}(t) = u_l(t) + relu(sum_j K_{l,j} u_l(t - j 2^l) + c_l); y = u_L.
    Steps before the episode count as zero in every layer. It sees 1 + (k - 1)(2^L - 1) steps (31
    by default) and nothing older; unlike `frame_stack` its cost grows with the logarithm of that.

    Parameters: H (D + 1) + L H (k H + 1).
    State: each layer's past inputs, 4 H (k - 1)(2^L - 1) bytes.
    Source: Bai et al., "An empirical evaluation of generic convolutional and recurrent networks
    for sequence modeling", 2018, with one convolution per layer and no weight normalisation.
    """

    Settings = TCNSettings

    def __init__(self, input_size: int, settings: TCNSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        size = settings.hidden_size
        self.taps = settings.kernel_size
        self.enter = nn.Linear(input_size, size)
        # A convolution over taps j = 0 (now), 1, ... is a linear layer over what they see.
        self.filters = nn.ModuleList(
            nn.Linear(self.taps * size, size) for _ in range(settings.levels)
        )

    @property
    def span(self) -> int:
        """Steps that the output depends on, the present one included."""
        return 1 + (self.taps - 1) * ((1 << len(self.filters)) - 1)

    def initial_state(self, batch: int) -> State:
        """Zeros, `level<l>` (B, (k - 1) 2^l, H), the oldest first."""
        size = self.output_size
        return {
            f"level{level}": self.enter.weight.new_zeros(batch, (self.taps - 1) * 2**level, size)
            for level in range(len(self.filters))
        }

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        u, carried = self.enter(x), {}
        for level, layer in enumerate(self.filters):
            block = torch.cat([state[f"level{level}"], u.unsqueeze(1)], dim=1)
            seen = block[:, :: 2**level].flip(1)  # (B, k, H), now first
            u = u + torch.relu(layer(seen.flatten(1)))
            carried[f"level{level}"] = block[:, 1:]
        return u, carried

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        u, steps = self.enter(x), x.shape[0]
        if steps == 0:
            return u, state
        carried = {}
        for level, layer in enumerate(self.filters):
            apart, past = 2**level, (self.taps - 1) * 2**level
            block = torch.cat([state[f"level{level}"].transpose(0, 1), u])
            episode = episode_numbers(starts, past)
            seen = [look_back(block, episode, j * apart, steps) for j in range(self.taps)]
            u = u + torch.relu(layer(torch.cat(seen, dim=-1)))
            carried[f"level{level}"] = newest(block, episode, steps).transpose(0, 1)
        return u, carried
