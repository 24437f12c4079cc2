"""Elman network: working memory as a state that is rewritten entirely at every step."""

from __future__ import annotations

from typing import Literal, cast

from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory._recurrent import run_layer
from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory


class ElmanSettings(MemorySettings):
    """Settings of `elman`."""

    hidden_size: int = Field(default=64, ge=1)
    """H, width of the state."""
    recurrent_init: Literal["orthogonal", "uniform"] = "orthogonal"
    """How U starts: `orthogonal` keeps the state's length, so that memories fade only where tanh
    saturates; `uniform` is PyTorch's, whose spectral radius of about 0.6 forgets in a few steps."""


@register_memory("elman")
class Elman(Memory):
    """h' = tanh(W x + U h + b); y = h'.

    Nothing protects the state from being overwritten, and gradients shrink or grow with every
    step back: the plain recurrent network, against which gates show their worth.

    Parameters: H (D + H + 2), PyTorch's two biases. State: h, 4 H bytes.
    Source: Elman, "Finding structure in time", 1990; orthogonal start: Saxe et al. 2014.
    """

    Settings = ElmanSettings

    def __init__(self, input_size: int, settings: ElmanSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.layer = nn.RNN(input_size, settings.hidden_size)
        self.settings = settings
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        self.layer.reset_parameters()
        if self.settings.recurrent_init == "orthogonal":
            nn.init.orthogonal_(self._weight("weight_hh_l0"))

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
