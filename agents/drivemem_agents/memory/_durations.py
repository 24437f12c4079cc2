"""How long the parts of a memory last at the start: spaced evenly by ratio between two bounds."""

from __future__ import annotations

import math

import torch
from pydantic import Field, model_validator
from torch import Tensor

from drivemem_agents.memory.base import MemorySettings


class LastingSettings(MemorySettings):
    """Settings of memories whose parts fade, each at its own rate."""

    shortest: float = Field(default=4.0, gt=0.0)
    """For how many steps the first part (head, trace, belief) remembers at the start."""
    longest: float = Field(default=256.0, gt=0.0)
    """For how many steps the last one does; those between are spaced evenly by ratio."""

    @model_validator(mode="after")
    def _ordered(self) -> LastingSettings:
        if self.shortest > self.longest:
            raise ValueError(
                f"shortest={self.shortest:g} is above longest={self.longest:g}: they bound for how "
                "many steps parts of the memory last at the start"
            )
        return self

    def log_steps(self, count: int, like: Tensor) -> Tensor:
        """Logarithm of how many steps each of `count` parts lasts, of the dtype of a tensor."""
        low, high = math.log(self.shortest), math.log(self.longest)
        return torch.linspace(low, high, count, dtype=like.dtype)
