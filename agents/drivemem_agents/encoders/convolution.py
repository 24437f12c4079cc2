"""Convolutional encoders: occupancy grids around the ego, and stacked grayscale images."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.encoders.base import Encoder, EncoderSettings, register_encoder, sole_part
from drivemem_agents.observations import Observation
from drivemem_agents.settings import Size

Layer = tuple[Size, Size, Size]
"""Channels, kernel size and stride of a convolution."""


class GridSettings(EncoderSettings):
    """Settings of `grid`."""

    layers: tuple[Layer, ...] = Field(default=((16, 3, 1), (32, 3, 2)), min_length=1)
    """Channels, kernel size and stride of each convolution."""
    width: int = Field(default=64, ge=1)
    """Width of the features."""


class ImageSettings(EncoderSettings):
    """Settings of `image`."""

    layers: tuple[Layer, ...] = Field(default=((16, 8, 4), (32, 4, 2), (32, 3, 1)), min_length=1)
    """Channels, kernel size and stride of each convolution."""
    width: int = Field(default=128, ge=1)
    """Width of the features."""


class _Convolutional(Encoder):
    """ReLU convolutions over (C, H, W), flattened, then a ReLU layer."""

    def __init__(
        self, name: str, space: spaces.Space[Any], layers: tuple[Layer, ...], width: int
    ) -> None:
        super().__init__(width)
        self.key, part = sole_part(space, name, f"a {name}")
        if len(part.shape) != 3:
            raise ValueError(
                f"encoder '{name}' reads (channels, height, width), but '{self.key}' has shape "
                f"{part.shape}: use encoder='vector'"
            )
        self.scale = 1.0 / 255.0 if part.dtype == np.uint8 else 1.0
        modules: list[nn.Module] = []
        channels = part.shape[0]
        for made, kernel, stride in layers:
            modules += [nn.Conv2d(channels, made, kernel, stride), nn.ReLU()]
            channels = made
        self.convolutions = nn.Sequential(*modules, nn.Flatten())
        try:
            with torch.no_grad():
                flat = self.convolutions(torch.zeros(1, *part.shape)).shape[1]
        except RuntimeError as error:
            raise ValueError(
                f"'{self.key}' of shape {part.shape} is too small for the layers {layers} of "
                f"encoder '{name}': give smaller kernels or strides in encoder_kwargs"
            ) from error
        self.join = nn.Sequential(nn.Linear(flat, width), nn.ReLU())
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.orthogonal_(module.weight, gain=2.0**0.5)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, observation: Observation) -> Tensor:
        """Features (N, D)."""
        features: Tensor = self.join(self.convolutions(observation[self.key].float() * self.scale))
        return features


@register_encoder("grid")
class GridEncoder(_Convolutional):
    """Small convolutions over an occupancy grid (C, H, W)."""

    Settings = GridSettings

    def __init__(self, space: spaces.Space[Any], settings: GridSettings) -> None:
        super().__init__("grid", space, settings.layers, settings.width)


@register_encoder("image")
class ImageEncoder(_Convolutional):
    """Convolutions over stacked images (C, H, W) of bytes.

    Source of the shape: Mnih et al., "Human-level control through deep reinforcement learning",
    2015, with half its channels.
    """

    Settings = ImageSettings

    def __init__(self, space: spaces.Space[Any], settings: ImageSettings) -> None:
        super().__init__("image", space, settings.layers, settings.width)
