"""LSTM: working memory with a cell that gates what it keeps, adds and shows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from drivemem_agents.memory._recurrent import (
    GatedSettings,
    RecurrentMemory,
    chronometric_bias,
    last_state,
)
from drivemem_agents.memory.base import State, register_memory


class LSTMSettings(GatedSettings):
    """Settings of `lstm`."""


@register_memory("lstm")
class LSTM(RecurrentMemory):
    """i, f, o = sigmoid(W x + U h + b); g = tanh(...); c' = f c + i g; h' = o tanh(c'); y = h'.

    Parameters: 4 H (D + H + 2). State: h and c, 8 H bytes.
    Source: Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000; `gate_bias`: Tallec
    and Ollivier, "Can recurrent neural networks warp time?", 2018.
    """

    Settings = LSTMSettings
    state_names = ("h", "c")

    def __init__(self, input_size: int, settings: LSTMSettings) -> None:
        super().__init__(nn.LSTM(input_size, settings.hidden_size))
        if settings.gate_bias is not None:
            keep = chronometric_bias(settings.hidden_size, settings.gate_bias)
            with torch.no_grad():
                self._weight("bias_hh_l0").zero_()
                forget = slice(settings.hidden_size, 2 * settings.hidden_size)
                self._weight("bias_ih_l0")[forget] = keep
                self._weight("bias_ih_l0")[: settings.hidden_size] = -keep

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H); the last c is in no output."""
        last = last_state(self.layer, x, state, starts, self.state_names)
        return self.outputs(x, state, starts), last
