"""Memories: one file each, registered by name. Importing this package registers all of ours."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from drivemem_agents.memory.base import (
    MEMORIES,
    Memory,
    MemorySettings,
    State,
    make_memory,
    memory_class,
    memory_names,
    register_memory,
)

for _module in pkgutil.iter_modules(__path__):
    if _module.name != "base":
        import_module(f"{__name__}.{_module.name}")

__all__ = [
    "MEMORIES",
    "Memory",
    "MemorySettings",
    "State",
    "make_memory",
    "memory_class",
    "memory_names",
    "register_memory",
]
