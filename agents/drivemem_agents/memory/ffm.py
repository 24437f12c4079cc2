"""Fast and forgetful memory: sums of the past that fade and turn at rates of their own."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory._durations import LastingSettings
from drivemem_agents.memory._scan import linear_recurrence
from drivemem_agents.memory.base import Memory, State, register_memory

_SHORTEST_PERIOD = 4.0
"""Steps of the quickest turn at the start: quicker ones mix up neighbouring frames."""


class FFMSettings(LastingSettings):
    """Settings of `ffm`."""

    hidden_size: int = Field(default=64, ge=1)
    """H, width of the output."""
    memory_size: int = Field(default=32, ge=1)
    """m, number of traces, each of which fades at its own rate."""
    context_size: int = Field(default=4, ge=1)
    """c, number of turns at which each trace is held: they tell how long ago something was."""
    shortest: float = Field(default=2.0, gt=0.0)
    """For how many steps the first trace lasts at the start."""
    longest: float = Field(default=1024.0, gt=0.0)
    """For how many steps the last one does, and the steps of the slowest turn."""


@register_memory("ffm")
class FFM(Memory):
    """S' = exp(-e + i w) S + (A x + a) sigmoid(B x + b), complex, m traces by c turns.

    z = W [Re S', Im S'] + d, divided by its length over sqrt(H); g = sigmoid(G x + f);
    y = g z + (1 - g) (K x + k). e > 0, one for each trace, and w, one for each turn, are learned
    and do not depend on the input, so that nothing is overwritten: the past fades, and what came
    when is told by how far it has turned. Training runs one scan, in which an episode start is a
    decay of zero.

    Parameters: 2 m (D + 1) + m + c + H (2 m c + 1) + 2 H (D + 1). State: real and imaginary part of
    S, 8 m c bytes.
    Source: Morad et al., "Reinforcement learning with fast and forgetful memory", 2023.
    """

    Settings = FFMSettings

    def __init__(self, input_size: int, settings: FFMSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.settings = settings
        traces, turns = settings.memory_size, settings.context_size
        self.log_fade = nn.Parameter(torch.empty(traces))  # log e
        self.turn = nn.Parameter(torch.empty(turns))  # w, radians per step
        self.enter = nn.Linear(input_size, 2 * traces)  # A, B
        self.read = nn.Linear(2 * traces * turns, settings.hidden_size)
        self.leave = nn.Linear(input_size, 2 * settings.hidden_size)  # G, K
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew; how long traces last and turns take is not drawn."""
        for layer in (self.enter, self.read, self.leave):
            layer.reset_parameters()
        with torch.no_grad():
            self.log_fade.copy_(-self.settings.log_steps(len(self.log_fade), self.log_fade))
            high = math.log(self.settings.longest)
            quick = min(math.log(_SHORTEST_PERIOD), high)
            periods = torch.linspace(quick, high, len(self.turn)).exp()
            self.turn.copy_(2.0 * math.pi / periods)

    def initial_state(self, batch: int) -> State:
        """Zeros, real and imaginary part of S, (B, m c) each."""
        zeros = self.turn.new_zeros(batch, len(self.log_fade) * len(self.turn))
        return {"real": zeros, "imaginary": zeros.clone()}

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        real, imaginary = self._decay()
        now, before = self._enter(x), state
        s = real * before["real"] - imaginary * before["imaginary"] + now
        s_imaginary = real * before["imaginary"] + imaginary * before["real"]
        return self._leave(x, s, s_imaginary), {"real": s, "imaginary": s_imaginary}

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        now = self._enter(x)
        added = torch.complex(now, torch.zeros_like(now))
        decay = torch.complex(*self._decay()).expand_as(added)
        first = torch.complex(state["real"], state["imaginary"])
        s = linear_recurrence(decay, added, first, starts)
        last = s[-1] if len(s) else first
        return self._leave(x, s.real, s.imag), {"real": last.real, "imaginary": last.imag}

    def _decay(self) -> tuple[Tensor, Tensor]:
        """Real and imaginary part of exp(-e + i w), (m c,) each."""
        size = torch.exp(-torch.exp(self.log_fade)).unsqueeze(-1)
        return (size * torch.cos(self.turn)).flatten(), (size * torch.sin(self.turn)).flatten()

    def _enter(self, x: Tensor) -> Tensor:
        """What is added to each trace at all turns, (..., m c)."""
        value, gate = self.enter(x).chunk(2, dim=-1)
        added: Tensor = value * torch.sigmoid(gate)
        return added.repeat_interleave(len(self.turn), dim=-1)

    def _leave(self, x: Tensor, real: Tensor, imaginary: Tensor) -> Tensor:
        z = self.read(torch.cat([real, imaginary], dim=-1))
        z = z * torch.rsqrt(z.square().mean(-1, keepdim=True) + 1e-6)
        gate, skip = self.leave(x).chunk(2, dim=-1)
        y: Tensor = torch.lerp(skip, z, torch.sigmoid(gate))
        return y
