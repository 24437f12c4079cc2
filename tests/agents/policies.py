"""A policy as a user would write it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from drivemem_agents import MemoryPolicy


class Gated(MemoryPolicy):
    """Values pass through one more weight, and arguments of its own are counted."""

    def __init__(self, *args: Any, first: float = 1.0, note: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.first, self.note = first, note
        self.gate = nn.Linear(1, 1)
        nn.init.constant_(self.gate.weight, first)

    def extra_arguments(self) -> dict[str, Any]:
        return {"first": self.first}

    def _values(self, features: Tensor, privileged: Tensor | None) -> Tensor:
        return self.gate(super()._values(features, privileged))
