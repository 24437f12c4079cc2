"""Frame stack: short-term memory that holds the features of the last k frames, and nothing else."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory._history import episode_numbers, look_back, newest
from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory


class FrameStackSettings(MemorySettings):
    """Settings of `frame_stack`."""

    frames: int = Field(default=4, ge=1)
    """k, how many frames the agent sees at once, the present one included."""
    hidden_size: int = Field(default=64, ge=1)
    """H, width of the layer that reads the stack."""


@register_memory("frame_stack")
class FrameStack(Memory):
    """y_t = tanh(W [x_t, x_{t-1}, ..., x_{t-k+1}] + b); frames before the episode are zero.

    Parameters: H (k D + 1). State: the last k - 1 inputs, 4 (k - 1) D bytes.
    Source: Mnih et al., "Human-level control through deep reinforcement learning", 2015.
    """

    Settings = FrameStackSettings

    def __init__(self, input_size: int, settings: FrameStackSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.frames = settings.frames
        self.layer = nn.Linear(settings.frames * input_size, settings.hidden_size)

    def initial_state(self, batch: int) -> State:
        """Frames of zeros, (B, k - 1, D), the oldest first."""
        return {"frames": self.layer.weight.new_zeros(batch, self.frames - 1, self.input_size)}

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        window = torch.cat([state["frames"], x.unsqueeze(1)], dim=1)  # (B, k, D)
        return torch.tanh(self.layer(window.flatten(1))), {"frames": window[:, 1:]}

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        steps, past = x.shape[0], self.frames - 1
        padded = torch.cat([state["frames"].transpose(0, 1), x])  # (k - 1 + T, B, D)
        episode = episode_numbers(starts, past)
        windows = [look_back(padded, episode, back, steps) for back in range(past, -1, -1)]
        y = torch.tanh(self.layer(torch.cat(windows, dim=-1)))
        return y, {"frames": newest(padded, episode, steps).transpose(0, 1)}
