"""The encoder contract and registry: from one frame's observation to what the memory reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from gymnasium import spaces
from torch import Tensor, nn

from drivemem_agents.observations import Observation, subspaces
from drivemem_agents.registry import Registry
from drivemem_agents.settings import Settings, building


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


ENCODERS: Registry[type[Encoder]] = Registry("encoder", "drivemem.encoders")
"""All encoders by name; other packages add theirs through the entry point group."""

register_encoder, encoder_names, encoder_class = ENCODERS.register, ENCODERS.names, ENCODERS.get


def make_encoder(
    name: str, space: spaces.Space[Any], kwargs: dict[str, Any] | None = None
) -> Encoder:
    """An encoder of a registered kind.

    Raises:
        ValueError: unknown encoder or setting, or a value out of range, in one line.
    """
    cls = encoder_class(name)
    build = cast(Callable[[spaces.Space[Any], EncoderSettings], Encoder], cls)
    settings = cls.Settings.checked(kwargs or {}, f"encoder '{name}'")
    with building(f"encoder '{name}'", settings):
        return build(space, settings)


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
