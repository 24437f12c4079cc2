"""No memory: the output is a function of the present input alone."""

from __future__ import annotations

from torch import Tensor, nn

from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory
from drivemem_agents.settings import Size


class NoneSettings(MemorySettings):
    """Settings of `none`."""

    hidden_size: Size | None = None
    """Width of an optional tanh layer in the place of a memory, so that parameter counts can be
    matched; None: the encoder's features go straight to the heads."""


@register_memory("none")
class NoMemory(Memory):
    """y_t = x_t, or tanh(W x_t + b) with `hidden_size`.

    Parameters: 0, or H (D + 1). State: 0 bytes.
    """

    Settings = NoneSettings

    def __init__(self, input_size: int, settings: NoneSettings) -> None:
        super().__init__(input_size, settings.hidden_size or input_size)
        self.layer: nn.Module = nn.Identity()
        if settings.hidden_size is not None:
            self.layer = nn.Sequential(nn.Linear(input_size, settings.hidden_size), nn.Tanh())

    def initial_state(self, batch: int) -> State:
        """An empty state."""
        return {}

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        return self.layer(x), state

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H); episode starts change nothing."""
        return self.layer(x), state
