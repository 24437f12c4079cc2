"""minGRU: a gated state whose gates see the input alone, so that training needs no time loop."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from drivemem_agents.memory._recurrent import GatedSettings, chronometric_bias
from drivemem_agents.memory._scan import linear_recurrence
from drivemem_agents.memory.base import Memory, State, register_memory


class MinGRUSettings(GatedSettings):
    """Settings of `mingru`."""


@register_memory("mingru")
class MinGRU(Memory):
    """z = sigmoid(W_z x + b_z); c = W_c x + b_c; h' = (1 - z) h + z c; y = h'.

    z and c do not read h, so the state is a linear recurrence with decay 1 - z, run as one scan
    in which an episode start is a decay of zero. What it gives up: the state cannot decide what
    to keep, only the present input can.

    Parameters: 2 H (D + 1). State: h, 4 H bytes.
    Source: Feng et al., "Were RNNs all we needed?", 2024 (the linear-space form); resets: Lu et
    al. 2023; `gate_bias`: Tallec and Ollivier 2018.
    """

    Settings = MinGRUSettings

    def __init__(self, input_size: int, settings: MinGRUSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.layer = nn.Linear(input_size, 2 * settings.hidden_size)  # gate, candidate
        self.settings = settings
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        self.layer.reset_parameters()
        if self.settings.gate_bias is not None:
            keep = chronometric_bias(self.output_size, self.settings.gate_bias)
            with torch.no_grad():
                self.layer.bias[: self.output_size] = -keep

    def initial_state(self, batch: int) -> State:
        """Zeros, h (B, H)."""
        return {"h": self.layer.weight.new_zeros(batch, self.output_size)}

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        keep, added = self._gates(x)
        h = keep * state["h"] + added
        return h, {"h": h}

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        keep, added = self._gates(x)
        y = linear_recurrence(keep, added, state["h"], starts)
        return y, {"h": y[-1] if len(y) else state["h"]}

    def _gates(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """1 - z and z c, both (..., H)."""
        z, candidate = self.layer(x).chunk(2, dim=-1)
        return torch.sigmoid(-z), torch.sigmoid(z) * candidate
