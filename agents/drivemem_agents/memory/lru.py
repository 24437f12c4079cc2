"""Linear recurrent unit: many damped oscillators, each remembering at its own rate and pitch."""

from __future__ import annotations

import math

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from drivemem_agents.memory._scan import linear_recurrence
from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory


class LRUSettings(MemorySettings):
    """Settings of `lru`."""

    hidden_size: int = Field(default=64, ge=1)
    """H, number of oscillators and width of the output."""
    slowest: float = Field(default=0.999, gt=0.0, lt=1.0)
    """Largest |lambda| at the start; a memory lasts about 1 / (1 - |lambda|) steps."""
    fastest: float = Field(default=0.9, ge=0.0, lt=1.0)
    """Smallest |lambda| at the start."""
    max_phase: float = Field(default=math.pi / 10, gt=0.0, le=2 * math.pi)
    """Largest angle of lambda at the start, radians per step."""

    @model_validator(mode="after")
    def _ordered(self) -> LRUSettings:
        if self.fastest >= self.slowest:
            raise ValueError(
                f"fastest={self.fastest:g} must be below slowest={self.slowest:g}: "
                "they bound |lambda| at the start"
            )
        return self


@register_memory("lru")
class LRU(Memory):
    """h' = lambda h + gamma B x (complex); y = tanh(Re(C h') + S x + b).

    lambda = exp(-exp(nu) + i exp(theta)), so |lambda| < 1 whatever is learned; gamma starts at
    sqrt(1 - |lambda|^2), which keeps h of the input's size. lambda does not depend on the input:
    nothing is gated, everything fades at learned rates. Training runs one scan over the whole
    block, in which an episode start is a decay of zero.

    Parameters: H (3 + 2 D + 2 H + D + 1). State: real and imaginary part of h, 8 H bytes.
    Source: Orvieto et al., "Resurrecting recurrent neural networks for long sequences", 2023;
    resets: Lu et al. 2023.
    """

    Settings = LRUSettings

    def __init__(self, input_size: int, settings: LRUSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        size = settings.hidden_size
        self.settings = settings
        self.nu, self.theta, self.log_gamma = (nn.Parameter(torch.empty(size)) for _ in range(3))
        self.enter = nn.Linear(input_size, 2 * size, bias=False)  # B, real part first
        self.leave = nn.Linear(2 * size, size, bias=False)  # C, [real, -imaginary]
        self.skip = nn.Linear(input_size, size)  # S, b
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew; |lambda|^2 uniform between the squares of its bounds."""
        for layer in (self.enter, self.leave, self.skip):
            layer.reset_parameters()
        low, high = self.settings.fastest**2, self.settings.slowest**2
        with torch.no_grad():
            square = torch.rand_like(self.nu) * (high - low) + low
            self.nu.copy_((-0.5 * square.clamp(min=1e-8).log()).log())
            phase = self.settings.max_phase * torch.rand_like(self.theta)
            self.theta.copy_(phase.clamp(min=1e-6).log())
            self.log_gamma.copy_(0.5 * (1.0 - square).log())

    def initial_state(self, batch: int) -> State:
        """Zeros, real and imaginary part of h, (B, H) each."""
        zeros = self.nu.new_zeros(batch, self.output_size)
        return {"real": zeros, "imaginary": zeros.clone()}

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        real, imaginary = self._lambda()
        added, added_imaginary = self._enter(x)
        h = real * state["real"] - imaginary * state["imaginary"] + added
        h_imaginary = real * state["imaginary"] + imaginary * state["real"] + added_imaginary
        return self._leave(x, h, h_imaginary), {"real": h, "imaginary": h_imaginary}

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        added = torch.complex(*self._enter(x))
        decay = torch.complex(*self._lambda()).expand_as(added)
        first = torch.complex(state["real"], state["imaginary"])
        h = linear_recurrence(decay, added, first, starts)
        last = h[-1] if len(h) else first
        return self._leave(x, h.real, h.imag), {"real": last.real, "imaginary": last.imag}

    def _lambda(self) -> tuple[Tensor, Tensor]:
        """Real and imaginary part of lambda, (H,) each."""
        size, angle = torch.exp(-torch.exp(self.nu)), torch.exp(self.theta)
        return size * torch.cos(angle), size * torch.sin(angle)

    def _enter(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Gamma B x, (..., H) real and imaginary."""
        real, imaginary = self.enter(x).chunk(2, dim=-1)
        gamma = self.log_gamma.exp()
        return gamma * real, gamma * imaginary

    def _leave(self, x: Tensor, real: Tensor, imaginary: Tensor) -> Tensor:
        return torch.tanh(self.leave(torch.cat([real, imaginary], dim=-1)) + self.skip(x))
