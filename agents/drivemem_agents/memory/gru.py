"""GRU: working memory with one state that gates what it keeps."""

from __future__ import annotations

import torch
from torch import nn

from drivemem_agents.memory._recurrent import GatedSettings, RecurrentMemory, chronometric_bias
from drivemem_agents.memory.base import register_memory


class GRUSettings(GatedSettings):
    """Settings of `gru`."""


@register_memory("gru")
class GRU(RecurrentMemory):
    """z, r = sigmoid(W x + U h + b); n = tanh(W x + r (U h + b)); h' = (1 - z) n + z h; y = h'.

    Parameters: 3 H (D + H + 2). State: h, 4 H bytes.
    Source: Cho et al. 2014; `gate_bias`: Tallec and Ollivier, "Can recurrent neural networks
    warp time?", 2018.
    """

    Settings = GRUSettings

    def __init__(self, input_size: int, settings: GRUSettings) -> None:
        super().__init__(nn.GRU(input_size, settings.hidden_size))
        if settings.gate_bias is not None:
            update = slice(settings.hidden_size, 2 * settings.hidden_size)
            with torch.no_grad():
                self._weight("bias_hh_l0")[update] = 0.0
                self._weight("bias_ih_l0")[update] = chronometric_bias(
                    settings.hidden_size, settings.gate_bias
                )
