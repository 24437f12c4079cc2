"""Gated delta rule: fast weights that correct their errors, and forget as the input chooses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from drivemem_agents.memory._durations import LastingSettings
from drivemem_agents.memory._fast_weights import FastWeights, FastWeightSettings
from drivemem_agents.memory.base import register_memory


class GatedDeltaSettings(FastWeightSettings, LastingSettings):
    """Settings of `gated_delta`."""


@register_memory("gated_delta")
class GatedDelta(FastWeights):
    """Per head: S' = a S + b (v - a S k) k^T, read as o = S' q; y = tanh(W_o [o, x] + c).

    As `linear_attention`, which corrects errors and never forgets what no similar key overwrites,
    with the part a in (0, 1) of S that is kept: a = exp(-softplus(w x + e)), its own for each
    head. The biases e start such that heads remember for `shortest` to `longest` steps.

    Training solves chunks of 32 steps at once, a triangular system; see `_delta_rule`.

    Parameters: D (3 n d + 2 n) + 2 n + H (n d + D + 1). State: S, 4 n d^2 bytes.
    Source: Yang, Kautz and Hatamizadeh, "Gated delta networks: improving Mamba2 with the delta
    rule", 2024; without its short convolution, output gate and normalisation, so that forgetting
    is all that tells it from `linear_attention`.
    """

    Settings = GatedDeltaSettings

    def __init__(self, input_size: int, settings: GatedDeltaSettings) -> None:
        super().__init__(input_size, settings)
        self.settings = settings
        self.forget = nn.Linear(input_size, settings.heads)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew; how long heads remember is not drawn."""
        for layer in (self.project, self.rate, self.forget, self.layer):
            layer.reset_parameters()
        with torch.no_grad():
            steps = self.settings.log_steps(self.heads, self.forget.bias).exp()
            self.forget.bias.copy_((1.0 / steps).expm1().log())  # softplus of it is 1 / steps

    def _log_keep(self, x: Tensor) -> Tensor | None:
        return -nn.functional.softplus(self.forget(x)).unsqueeze(-1)
