"""Encoders: from one frame's observation to the features that the memory reads."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, ClassVar, cast

import torch
from gymnasium import spaces
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from drivemem_agents.observations import Observation, subspaces


class EncoderSettings(BaseModel):
    """Base of every encoder's typed settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Encoder(nn.Module):
    """Maps observations of one frame (N, ...) to features (N, D); knows nothing of time.

    The constructor signature is `(space, settings)`.
    """

    Settings: ClassVar[type[EncoderSettings]] = EncoderSettings

    def __init__(self, output_size: int) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, observation: Observation) -> Tensor:
        """Features (N, D) of a batch of frames."""
        raise NotImplementedError


_ENCODERS: dict[str, type[Encoder]] = {}


def register_encoder(name: str) -> Callable[[type[Encoder]], type[Encoder]]:
    """Class decorator: make an encoder selectable by `name`.

    Raises:
        ValueError: the name is taken.
    """

    def register(cls: type[Encoder]) -> type[Encoder]:
        if name in _ENCODERS:
            raise ValueError(f"encoder '{name}' is already registered; choose another name")
        _ENCODERS[name] = cls
        return cls

    return register


def encoder_names() -> list[str]:
    """Names of all registered encoders."""
    return sorted(_ENCODERS)


def make_encoder(
    name: str, space: spaces.Space[Any], kwargs: dict[str, Any] | None = None
) -> Encoder:
    """Build the encoder `name` for an observation space.

    Raises:
        ValueError: unknown name; the message lists near misses and all names.
    """
    if name not in _ENCODERS:
        near = difflib.get_close_matches(name, _ENCODERS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"unknown encoder '{name}'{hint} (one of: {', '.join(encoder_names())})")
    cls = _ENCODERS[name]
    build = cast(Callable[[spaces.Space[Any], EncoderSettings], Encoder], cls)
    return build(space, cls.Settings(**(kwargs or {})))


def mlp(input_size: int, widths: tuple[int, ...]) -> nn.Sequential:
    """Tanh layers with orthogonal weights of gain sqrt 2 (as SB3 initialises its own)."""
    layers: list[nn.Module] = []
    for width in widths:
        linear = nn.Linear(input_size, width)
        nn.init.orthogonal_(linear.weight, gain=2.0**0.5)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.Tanh()]
        input_size = width
    return nn.Sequential(*layers)


class VectorSettings(EncoderSettings):
    """Settings of `vector`."""

    widths: tuple[int, ...] = Field(default=(64,))
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
