"""Memory agents for any Gymnasium environment: encoder, memory, heads, one PPO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drivemem_agents.dagger import MemoryDAgger
    from drivemem_agents.export import ExportError, export_onnx
    from drivemem_agents.finite import NonFiniteError
    from drivemem_agents.policy import MemoryPolicy
    from drivemem_agents.ppo import MemoryPPO
    from drivemem_agents.sealed_files import CheckpointError

__all__ = [
    "CheckpointError",
    "ExportError",
    "MemoryDAgger",
    "MemoryPPO",
    "MemoryPolicy",
    "NonFiniteError",
    "export_onnx",
]

_HOMES = {
    "CheckpointError": "sealed_files",
    "MemoryDAgger": "dagger",
    "MemoryPPO": "ppo",
    "MemoryPolicy": "policy",
    "NonFiniteError": "finite",
    "ExportError": "export",
    "export_onnx": "export",
}


def __getattr__(name: str) -> Any:
    """Load on first use, so that importing the package does not import PyTorch."""
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted([*__all__, *(name for name in globals() if name[:2] == "__")])
