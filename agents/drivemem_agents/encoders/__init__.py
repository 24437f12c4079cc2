"""Encoders: one file for each kind, registered by name. Importing this registers all of ours."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from drivemem_agents.encoders.base import (
    ENCODERS,
    Encoder,
    EncoderSettings,
    encoder_class,
    encoder_names,
    make_encoder,
    mlp,
    register_encoder,
)

for _module in pkgutil.iter_modules(__path__):
    if _module.name != "base":
        import_module(f"{__name__}.{_module.name}")

__all__ = [
    "ENCODERS",
    "Encoder",
    "EncoderSettings",
    "encoder_class",
    "encoder_names",
    "make_encoder",
    "mlp",
    "register_encoder",
]
