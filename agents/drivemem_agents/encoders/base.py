"""The encoder contract and registry: from one frame's observation to what the memory reads."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, ClassVar, cast

from gymnasium import spaces
from torch import Tensor, nn

from drivemem_agents.observations import Observation, subspaces
from drivemem_agents.settings import Settings


class EncoderSettings(Settings):
    """Base of every encoder's typed settings."""


class Encoder(nn.Module):
    """Maps observations of one frame (N, ...) to features (N, D); knows nothing of time.

    The constructor signature is `(space, settings)`.

    Attributes:
        output_size: D.
        unscaled: keys of observation parts that must come as the environment gave them, not
            normalised by running statistics.
    """

    Settings: ClassVar[type[EncoderSettings]] = EncoderSettings

    def __init__(self, output_size: int) -> None:
        super().__init__()
        self.output_size = output_size
        self.unscaled: frozenset[str] = frozenset()

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


def encoder_class(name: str) -> type[Encoder]:
    """The class registered under `name`.

    Raises:
        ValueError: unknown name; the message lists near misses and all names.
    """
    if name not in _ENCODERS:
        near = difflib.get_close_matches(name, _ENCODERS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"unknown encoder '{name}'{hint} (one of: {', '.join(encoder_names())})")
    return _ENCODERS[name]


def make_encoder(
    name: str, space: spaces.Space[Any], kwargs: dict[str, Any] | None = None
) -> Encoder:
    """Build the encoder `name` for an observation space.

    Raises:
        ValueError: unknown name; the message lists near misses and all names.
    """
    cls = encoder_class(name)
    build = cast(Callable[[spaces.Space[Any], EncoderSettings], Encoder], cls)
    return build(space, cls.Settings(**(kwargs or {})))


def sole_part(space: spaces.Space[Any], encoder: str, wanted: str) -> tuple[str, spaces.Box]:
    """Key and space of the only part of an observation.

    Args:
        space: the observation space.
        encoder: who asks, for the message.
        wanted: what it reads, for the message.

    Raises:
        ValueError: there are several parts.
    """
    parts = subspaces(space)
    if len(parts) > 1:
        raise ValueError(
            f"encoder '{encoder}' reads {wanted} alone, but the observation has the parts "
            f"{', '.join(sorted(parts))}: use encoder='fusion'"
        )
    return next(iter(parts.items()))


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
