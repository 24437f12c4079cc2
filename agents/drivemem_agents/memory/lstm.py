"""LSTM: working memory with a cell that gates what it keeps, adds and shows."""

from __future__ import annotations

from typing import cast

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory._recurrent import chronometric_bias, last_state, run_layer
from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory


class LSTMSettings(MemorySettings):
    """Settings of `lstm`."""

    hidden_size: int = Field(default=64, ge=1)
    """H, width of the cell."""
    gate_bias: float | None = Field(default=None, gt=1.0)
    """N: forget gates start with bias log U(1, N), so that memories last up to about N steps
    from the start ("chrono" initialisation); None: PyTorch's initialisation."""


@register_memory("lstm")
class LSTM(Memory):
    """i, f, o = sigmoid(W x + U h + b); g = tanh(...); c' = f c + i g; h' = o tanh(c'); y = h'.

    Parameters: 4 H (D + H + 2). State: h and c, 8 H bytes.
    Source: Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000; `gate_bias`: Tallec
    and Ollivier, "Can recurrent neural networks warp time?", 2018.
    """

    Settings = LSTMSettings

    def __init__(self, input_size: int, settings: LSTMSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.layer = nn.LSTM(input_size, settings.hidden_size)
        if settings.gate_bias is not None:
            keep = chronometric_bias(settings.hidden_size, settings.gate_bias)
            with torch.no_grad():
                self._weight("bias_hh_l0").zero_()
                forget = slice(settings.hidden_size, 2 * settings.hidden_size)
                self._weight("bias_ih_l0")[forget] = keep
                self._weight("bias_ih_l0")[: settings.hidden_size] = -keep

    def initial_state(self, batch: int) -> State:
        """Zeros, h and c (B, H)."""
        zeros = self._weight("weight_hh_l0").new_zeros(batch, self.output_size)
        return {"h": zeros, "c": zeros.clone()}

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        carried = (state["h"].unsqueeze(0), state["c"].unsqueeze(0))
        y, (h, c) = self.layer(x.unsqueeze(0), carried)
        return y[0], {"h": h[0], "c": c[0]}

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        last = last_state(self.layer, x, state, starts, ("h", "c"))
        return self.outputs(x, state, starts), last

    def outputs(self, x: Tensor, state: State, starts: Tensor) -> Tensor:
        """The outputs of `sequence` alone."""
        return run_layer(self.layer, x, state, starts, ("h", "c"))

    def _weight(self, name: str) -> Tensor:
        """A parameter of the layer, whose names PyTorch makes at run time."""
        return cast(Tensor, getattr(self.layer, name))
