"""Fusion encoder: one encoder for each part of a Dict observation, joined into one vector."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.encoders.base import (
    Encoder,
    EncoderSettings,
    make_encoder,
    mlp,
    register_encoder,
)
from drivemem_agents.observations import SOLE, Observation, subspaces

_TOGETHER = "_vector"
"""Name of the encoder that reads all parts given to `vector` together."""


class FusionSettings(EncoderSettings):
    """Settings of `fusion`."""

    encoders: dict[str, str] = Field(default_factory=dict)
    """Encoder of each part by its key; parts not named get one by their kind: bytes (C, H, W)
    `image`, other (C, H, W) `grid`, rows under the key `vehicles` `vehicles`, else `vector`."""
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of the parts' encoders by key."""
    width: int = Field(default=64, ge=1)
    """Width of the joined features."""


@register_encoder("fusion")
class FusionEncoder(Encoder):
    """Each part of the observation through its own encoder, then a tanh layer over all of them."""

    Settings = FusionSettings

    def __init__(self, space: spaces.Space[Any], settings: FusionSettings) -> None:
        super().__init__(settings.width)
        parts = subspaces(space)
        for key in {**settings.encoders, **settings.settings}:
            if key not in parts:
                raise ValueError(
                    f"fusion is told of '{key}', but the observation has the parts "
                    f"{', '.join(sorted(parts))}"
                )
        chosen = {key: settings.encoders.get(key) or kind_of(key, parts[key]) for key in parts}
        self.encoders = nn.ModuleDict()
        self.reads: dict[str, list[str]] = {}
        plain = [key for key in sorted(parts) if chosen[key] == "vector"]
        if plain:
            given = [settings.settings[key] for key in plain if key in settings.settings]
            if len(given) > 1:
                raise ValueError(
                    f"the parts {', '.join(plain)} share one vector encoder: give settings for "
                    "one of them"
                )
            together = spaces.Dict({key: parts[key] for key in plain})
            self._add(_TOGETHER, plain, "vector", together, given[0] if given else {})
        for key in sorted(parts):
            if chosen[key] != "vector":
                one = spaces.Dict({key: parts[key]})
                self._add(key, [key], chosen[key], one, settings.settings.get(key, {}))
        sizes = sum(encoder.output_size for encoder in self._all())
        self.unscaled = frozenset().union(*(encoder.unscaled for encoder in self._all()))
        self.join = mlp(sizes, (settings.width,))

    def forward(self, observation: Observation) -> Tensor:
        """Features (N, D)."""
        features = [
            encoder({key: observation[key] for key in self.reads[name]})
            for name, encoder in self.encoders.items()
        ]
        joined: Tensor = self.join(torch.cat(features, dim=1))
        return joined

    def _add(
        self, name: str, keys: list[str], encoder: str, space: spaces.Dict, kwargs: dict[str, Any]
    ) -> None:
        self.encoders[name] = make_encoder(encoder, space, kwargs)
        self.reads[name] = keys

    def _all(self) -> list[Encoder]:
        return [encoder for encoder in self.encoders.values() if isinstance(encoder, Encoder)]


def kind_of(key: str, part: spaces.Box) -> str:
    """The encoder that suits a part of an observation."""
    if len(part.shape) == 3:
        return "image" if part.dtype == np.uint8 else "grid"
    return "vehicles" if len(part.shape) == 2 and key in ("vehicles", SOLE) else "vector"
