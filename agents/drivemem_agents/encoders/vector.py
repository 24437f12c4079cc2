"""Vector encoder: everything flattened, through tanh layers."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from pydantic import Field
from torch import Tensor

from drivemem_agents.encoders.base import Encoder, EncoderSettings, mlp, register_encoder
from drivemem_agents.observations import Observation, subspaces
from drivemem_agents.settings import Size


class VectorSettings(EncoderSettings):
    """Settings of `vector`."""

    widths: tuple[Size, ...] = Field(default=(64,))
    """Widths of the tanh layers; empty: the flattened observation itself."""


@register_encoder("vector")
class VectorEncoder(Encoder):
    """All parts of the observation flattened and joined, through tanh layers."""

    Settings = VectorSettings

    def __init__(self, space: spaces.Space[Any], settings: VectorSettings) -> None:
        parts = subspaces(space)
        inputs = sum(int(torch.Size(part.shape).numel()) for part in parts.values())
        super().__init__(settings.widths[-1] if settings.widths else inputs)
        self.keys = sorted(parts)
        self.layers = mlp(inputs, settings.widths)

    def forward(self, observation: Observation) -> Tensor:
        """Features (N, D)."""
        parts = [observation[key].flatten(1).float() for key in self.keys]
        features: Tensor = self.layers(parts[0] if len(parts) == 1 else torch.cat(parts, dim=1))
        return features
