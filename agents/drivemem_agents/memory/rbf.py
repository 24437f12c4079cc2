"""Radial-basis memory: prototypes that recognise situations and leave a fading trace of each."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory._recurrent import chronometric_bias
from drivemem_agents.memory._scan import linear_recurrence
from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory


class RBFSettings(MemorySettings):
    """Settings of `rbf`."""

    hidden_size: int = Field(default=64, ge=1)
    """H, width of the output layer."""
    prototypes: int = Field(default=64, ge=1)
    """K, number of situations recognised."""
    metric_size: int = Field(default=8, ge=1)
    """P, dimension of the space in which situations are compared."""
    longest: float = Field(default=100.0, gt=1.0)
    """N: traces start with time constants spread up to about N steps."""


@register_memory("rbf")
class RBF(Memory):
    """Prototypes c_i, their activation f_i = exp(-s_i |A x - c_i|^2 / P), and its trace m_i.

    m_i' = f_i + (1 - f_i) d_i m_i; y = tanh(W [x, m'] + b). All of A, c, s > 0 and the decays d
    in (0, 1) are learned. A prototype that recognises the present sets its trace to 1, and while
    it does not the trace fades by d_i: m says which situations were met, and how long ago. Given
    f the trace is a linear recurrence with decay (1 - f) d, run as one scan.

    Parameters: P D + K (P + 2) + H (D + K + 1). State: m, 4 K bytes.
    Sources: radial-basis networks: Broomhead and Lowe 1988, Moody and Darken 1989; learned
    centres and metric: Poggio and Girosi, "Networks for approximation and learning", 1990;
    fading traces as memory: Mozer, "Neural net architectures for temporal sequence processing",
    1993; traces that are replaced and not summed: Singh and Sutton 1996.
    """

    Settings = RBFSettings

    def __init__(self, input_size: int, settings: RBFSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.settings = settings
        self.metric = nn.Linear(input_size, settings.metric_size, bias=False)  # A
        self.centres = nn.Parameter(torch.empty(settings.prototypes, settings.metric_size))
        self.log_sharpness = nn.Parameter(torch.empty(settings.prototypes))  # log s
        self.keep = nn.Parameter(torch.empty(settings.prototypes))  # d = sigmoid(keep)
        self.layer = nn.Linear(input_size + settings.prototypes, settings.hidden_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew; prototypes spread as features of deviation 1 would be."""
        # Features of unit size keep it under A; PyTorch's own start would shrink them to 0.6.
        nn.init.normal_(self.metric.weight, std=self.input_size**-0.5)
        nn.init.normal_(self.centres)
        nn.init.ones_(self.log_sharpness)
        with torch.no_grad():
            self.keep.copy_(chronometric_bias(self.settings.prototypes, self.settings.longest))
        self.layer.reset_parameters()

    def initial_state(self, batch: int) -> State:
        """Zeros, m (B, K): nothing was met."""
        return {"trace": self.keep.new_zeros(batch, self.settings.prototypes)}

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        recognised = self._recognise(x)
        trace = recognised + (1.0 - recognised) * torch.sigmoid(self.keep) * state["trace"]
        return self._read(x, trace), {"trace": trace}

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        recognised = self._recognise(x)
        fading = (1.0 - recognised) * torch.sigmoid(self.keep)
        trace = linear_recurrence(fading, recognised, state["trace"], starts)
        return self._read(x, trace), {"trace": trace[-1] if len(trace) else state["trace"]}

    def diagnostics(self) -> dict[str, float]:
        """Mean time constant of the traces, steps."""
        decay = torch.sigmoid(self.keep.detach())
        return {"trace_steps": float((1.0 / (1.0 - decay)).mean())}

    def _recognise(self, x: Tensor) -> Tensor:
        """Activations f, (..., K)."""
        place = self.metric(x).unsqueeze(-2)  # (..., 1, P)
        distance = (place - self.centres).square().mean(-1)
        return torch.exp(-self.log_sharpness.exp() * distance)

    def _read(self, x: Tensor, trace: Tensor) -> Tensor:
        return torch.tanh(self.layer(torch.cat([x, trace], dim=-1)))
