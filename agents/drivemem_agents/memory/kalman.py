"""Kalman layer: Gaussian beliefs that are corrected by what is seen and grow unsure meanwhile."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory._durations import LastingSettings
from drivemem_agents.memory._scan import linear_recurrence
from drivemem_agents.memory.base import Memory, State, register_memory

_UNSURE = 1.0
"""P before anything is seen."""


class KalmanSettings(LastingSettings):
    """Settings of `kalman`."""

    hidden_size: int = Field(default=64, ge=1)
    """H, width of the output layer."""
    beliefs: int = Field(default=64, ge=1)
    """N, number of Gaussian beliefs."""


@register_memory("kalman")
class KalmanLayer(Memory):
    """A Kalman filter for each of N numbers; y = tanh(W_o [m', log P', x] + c).

    Predict m = a m, P = a^2 P + s; correct by the measurement w = W x + b of variance r =
    softplus(V x + d): K = P / (P + r), m' = m + K (w - m), P' = (1 - K) P. a in (0, 1) and s > 0
    are learned, r is chosen by the input: a frame that tells nothing has a large one, then P
    grows, and the policy is told how unsure each belief is. At the start s is 1 - a^2, so that P,
    which begins at 1, stays there while nothing is seen.

    P runs step by step, for it is no linear recurrence; m is one scan, in which an episode start is
    a decay of zero. (The tracker `kalman` filters cars; this filters learned numbers.)

    Parameters: 2 N + 2 N (D + 1) + H (2 N + D + 1). State: m and P, 8 N bytes.
    Source: Luis et al., "Uncertainty representations in state-space layers for deep reinforcement
    learning under partial observability", 2024; here with real decays and no control input.
    """

    Settings = KalmanSettings

    def __init__(self, input_size: int, settings: KalmanSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.settings = settings
        count = settings.beliefs
        self.log_rate = nn.Parameter(torch.empty(count))  # a = exp(-exp(log_rate))
        self.log_drift = nn.Parameter(torch.empty(count))  # log s
        self.measure = nn.Linear(input_size, 2 * count)  # w, and what r is made of
        self.layer = nn.Linear(2 * count + input_size, settings.hidden_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew; how long beliefs last is not drawn."""
        self.measure.reset_parameters()
        self.layer.reset_parameters()
        with torch.no_grad():
            self.log_rate.copy_(-self.settings.log_steps(len(self.log_rate), self.log_rate))
            drift = -torch.expm1(-2.0 * torch.exp(self.log_rate))
            self.log_drift.copy_(drift.log())

    def initial_state(self, batch: int) -> State:
        """Means (B, N) of 0 and variances (B, N) of 1."""
        mean = self.log_rate.new_zeros(batch, len(self.log_rate))
        return {"mean": mean, "variance": torch.full_like(mean, _UNSURE)}

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        keep, drift = self._dynamics()
        seen, noise = self._measure(x)
        predicted = keep.square() * state["variance"] + drift
        gain = predicted / (predicted + noise)
        mean = (1.0 - gain) * keep * state["mean"] + gain * seen
        variance = (1.0 - gain) * predicted
        return self._leave(mean, variance, x), {"mean": mean, "variance": variance}

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps: (T, B, D) to (T, B, H)."""
        if x.shape[0] == 0:
            return x.new_zeros(*x.shape[:2], self.output_size), state
        keep, drift = self._dynamics()
        seen, noise = self._measure(x)
        variance, square = state["variance"], keep.square()
        gains, variances = [], []
        for r, begins in zip(noise.unbind(0), starts.unsqueeze(-1).unbind(0), strict=True):
            predicted = square * torch.where(begins, _UNSURE, variance) + drift
            gain = predicted / (predicted + r)
            variance = (1.0 - gain) * predicted
            gains.append(gain)
            variances.append(variance)
        gain = torch.stack(gains)
        mean = linear_recurrence((1.0 - gain) * keep, gain * seen, state["mean"], starts)
        y = self._leave(mean, torch.stack(variances), x)
        return y, {"mean": mean[-1], "variance": variance}

    def _dynamics(self) -> tuple[Tensor, Tensor]:
        """Part kept a and drift s, (N,) each."""
        return torch.exp(-torch.exp(self.log_rate)), torch.exp(self.log_drift)

    def _measure(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Measurements w and their variances r, (..., N) each."""
        seen, noise = self.measure(x).chunk(2, dim=-1)
        return seen, nn.functional.softplus(noise) + 1e-6

    def _leave(self, mean: Tensor, variance: Tensor, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(torch.cat([mean, variance.log(), x], dim=-1)))
