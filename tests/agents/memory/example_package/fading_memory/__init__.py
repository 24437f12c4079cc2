"""A memory of somebody else's, installed as a package with an entry point."""

import torch
from pydantic import Field

from drivemem_agents.memory import Memory, MemorySettings


class FadingSettings(MemorySettings):
    """Settings of `fading`."""

    hidden_size: int = Field(default=16, ge=1)
    keep: float = Field(default=0.9, gt=0.0, lt=1.0)


class Fading(Memory):
    """h' = keep h + W x; y = tanh(h')."""

    Settings = FadingSettings

    def __init__(self, input_size, settings):
        super().__init__(input_size, settings.hidden_size)
        self.layer = torch.nn.Linear(input_size, settings.hidden_size)
        self.keep = settings.keep

    def initial_state(self, batch):
        return {"h": self.layer.weight.new_zeros(batch, self.output_size)}

    def step(self, x, state):
        h = self.keep * state["h"] + self.layer(x)
        return torch.tanh(h), {"h": h}

    def sequence(self, x, state, starts):
        outputs = []
        for frame, begins in zip(x, starts, strict=True):
            y, state = self.step(frame, self.reset(state, begins))
            outputs.append(y)
        if not outputs:
            return x.new_zeros(*x.shape[:2], self.output_size), state
        return torch.stack(outputs), state
