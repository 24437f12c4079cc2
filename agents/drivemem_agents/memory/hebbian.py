"""Plastic recurrent network: connections that change while it acts, by Hebb's rule."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory.base import Memory, MemorySettings, State, register_memory


class HebbianSettings(MemorySettings):
    """Settings of `hebbian`."""

    hidden_size: int = Field(default=32, ge=1)
    """H, number of units; cost and state grow with its square."""
    potentiation: float = Field(default=0.1, gt=0.0, lt=1.0)
    """Learned rate p at the start: how fast a connection grows when both ends agree."""
    depression: float = Field(default=0.1, gt=0.0, lt=1.0)
    """Learned rate q at the start: how fast it falls when they disagree."""
    decay: float = Field(default=0.02, gt=0.0, lt=1.0)
    """Learned share r at the start that a connection loses per step."""


@register_memory("hebbian")
class Hebbian(Memory):
    """h' = tanh(W x + b + (U + A * M) h); y = h'. M, plastic, changes with what both ends did.

    With the agreement c = h' h^T (after, before), elementwise:
    M' = (1 - r) M + p max(c, 0) (1 - M) - q max(-c, 0) (1 + M).
    Agreement potentiates, disagreement depresses, at separate learned rates p and q, each the
    slower the closer M is to its bound, so M stays in [-1, 1]; r is the learned decay. U is what
    training fixes for good, A how plastic each connection is.

    h enters its own update through tanh, so training loops over T (vectorised over worlds) and
    keeps M of every step: H = 32 costs 4 KB per step and world, and several times that to learn.

    Parameters: H (D + 2 H + 1) + 3. State: h and M, 4 H (H + 1) bytes.
    Sources: Miconi et al., "Differentiable plasticity: training plastic neural networks with
    backpropagation", 2018; bounds that are approached slowly: van Rossum et al. 2000.
    """

    Settings = HebbianSettings

    def __init__(self, input_size: int, settings: HebbianSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.settings = settings
        self.enter = nn.Linear(input_size, settings.hidden_size)
        square = (settings.hidden_size, settings.hidden_size)
        self.fixed = nn.Parameter(torch.empty(square))  # U
        self.plasticity = nn.Parameter(torch.empty(square))  # A
        self.rates = nn.Parameter(torch.empty(3))  # logits of p, q, r
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        self.enter.reset_parameters()
        nn.init.orthogonal_(self.fixed)
        nn.init.normal_(self.plasticity, std=0.1 / self.output_size**0.5)
        settings = self.settings
        rates = torch.tensor([settings.potentiation, settings.depression, settings.decay])
        with torch.no_grad():
            self.rates.copy_(rates.logit())

    def initial_state(self, batch: int) -> State:
        """Zeros, h (B, H) and M (B, H, H)."""
        size = self.output_size
        return {
            "h": self.fixed.new_zeros(batch, size),
            "plastic": self.fixed.new_zeros(batch, size, size),
        }

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        rates = torch.sigmoid(self.rates)
        h, plastic = self._advance(self.enter(x), state["h"], state["plastic"], rates)
        return h, {"h": h, "plastic": plastic}

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps: (T, B, D) to (T, B, H)."""
        if x.shape[0] == 0:
            return x.new_zeros(*x.shape[:2], self.output_size), state
        driven, rates = self.enter(x), torch.sigmoid(self.rates)
        outputs = []
        for t, begins in enumerate(starts.any(dim=1).tolist()):
            if begins:
                state = self.reset(state, starts[t])
            h, plastic = self._advance(driven[t], state["h"], state["plastic"], rates)
            state = {"h": h, "plastic": plastic}
            outputs.append(h)
        return torch.stack(outputs), state

    def diagnostics(self) -> dict[str, float]:
        """The rates learned."""
        rates = torch.sigmoid(self.rates.detach()).tolist()
        return dict(zip(("potentiation", "depression", "decay"), rates, strict=True))

    def _advance(
        self, driven: Tensor, h: Tensor, plastic: Tensor, rates: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The next h (B, H) and M (B, H, H), given W x + b (B, H)."""
        potentiation, depression, decay = rates.unbind()
        weights = self.fixed + self.plasticity * plastic
        after = torch.tanh(driven + (weights @ h.unsqueeze(-1)).squeeze(-1))
        agreement = after.unsqueeze(-1) * h.unsqueeze(-2)
        # As in the class's equation, with M collected: growth = p max(c, 0), fall = q max(-c, 0).
        growth = potentiation * torch.relu(agreement)
        fall = depression * torch.relu(-agreement)
        return after, (1.0 - decay - growth - fall) * plastic + growth - fall
