"""GRU: working memory with one state that gates what it keeps."""

from __future__ import annotations

from typing import cast

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory._recurrent import chronometric_bias, run_layer
from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory


class GRUSettings(MemorySettings):
    """Settings of `gru`."""

    hidden_size: int = Field(default=64, ge=1)
    """H, width of the state."""
    gate_bias: float | None = Field(default=None, gt=1.0)
    """N: update gates start with bias log U(1, N), so that memories last up to about N steps
    from the start ("chrono" initialisation); None: PyTorch's initialisation."""


@register_memory("gru")
class GRU(Memory):
    """z, r = sigmoid(W x + U h + b); n = tanh(W x + r (U h + b)); h' = (1 - z) n + z h; y = h'.

    Parameters: 3 H (D + H + 2). State: h, 4 H bytes.
    Source: Cho et al. 2014; `gate_bias`: Tallec and Ollivier, "Can recurrent neural networks
    warp time?", 2018.
    """

    Settings = GRUSettings

    def __init__(self, input_size: int, settings: GRUSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.layer = nn.GRU(input_size, settings.hidden_size)
        if settings.gate_bias is not None:
            update = slice(settings.hidden_size, 2 * settings.hidden_size)
            with torch.no_grad():
                self._weight("bias_hh_l0")[update] = 0.0
                self._weight("bias_ih_l0")[update] = chronometric_bias(
                    settings.hidden_size, settings.gate_bias
                )

    def initial_state(self, batch: int) -> State:
        """Zeros, h (B, H)."""
        return {"h": self._weight("weight_hh_l0").new_zeros(batch, self.output_size)}

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        y, h = self.layer(x.unsqueeze(0), state["h"].unsqueeze(0))
        return y[0], {"h": h[0]}

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        y = run_layer(self.layer, x, state, starts, ("h",))
        return y, {"h": y[-1] if len(y) else state["h"]}

    def _weight(self, name: str) -> Tensor:
        """A parameter of the layer, whose names PyTorch makes at run time."""
        return cast(Tensor, getattr(self.layer, name))
