"""Elman network: working memory as a state that is rewritten entirely at every step."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import nn

from drivemem_agents.memory._recurrent import RecurrentMemory
from drivemem_agents.memory.base import MemorySettings, register_memory


class ElmanSettings(MemorySettings):
    """Settings of `elman`."""

    hidden_size: int = Field(default=64, ge=1)
    """H, width of the state."""
    recurrent_init: Literal["orthogonal", "uniform"] = "orthogonal"
    """How U starts: `orthogonal` keeps the state's length, so that memories fade only where tanh
    saturates; `uniform` is PyTorch's, whose spectral radius of about 0.6 forgets in a few steps."""


@register_memory("elman")
class Elman(RecurrentMemory):
    """h' = tanh(W x + U h + b); y = h'.

    Nothing protects the state from being overwritten, and gradients shrink or grow with every
    step back: the plain recurrent network, against which gates show their worth.

    Parameters: H (D + H + 2), PyTorch's two biases. State: h, 4 H bytes.
    Source: Elman, "Finding structure in time", 1990; orthogonal start: Saxe et al. 2014.
    """

    Settings = ElmanSettings

    def __init__(self, input_size: int, settings: ElmanSettings) -> None:
        super().__init__(nn.RNN(input_size, settings.hidden_size))
        self.settings = settings
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        self.layer.reset_parameters()
        if self.settings.recurrent_init == "orthogonal":
            nn.init.orthogonal_(self._weight("weight_hh_l0"))
