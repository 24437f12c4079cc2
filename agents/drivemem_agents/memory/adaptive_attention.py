"""Attention that learns how far back it must look: memory capacity that adapts to the task."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from drivemem_agents.memory.attention import Attention, AttentionSettings
from drivemem_agents.memory.base import register_memory


class AdaptiveAttentionSettings(AttentionSettings):
    """Settings of `adaptive_attention`: those of `attention`, and what spans cost."""

    window: int = Field(default=64, ge=1)
    """W, the largest span, steps, the present one included."""
    span_cost: float = Field(default=0.01, ge=0.0)
    """Added to PPO's loss for a mean span of the whole window; in proportion for shorter ones."""
    initial_span: float = Field(default=0.9, gt=0.0, lt=1.0)
    """Share of the window that a head spans at the start; a span that starts short gets no
    gradient from what lies beyond it."""
    ramp: int = Field(default=8, ge=1)
    """R, steps over which attention fades out behind the span."""


@register_memory("adaptive_attention")
class AdaptiveAttention(Attention):
    """`attention` (which see) whose head i weighs a step t back by a_t m(t) / sum a m.

    m(t) = clamp((R + z_i - t) / R, 0, 1) is 1 up to the head's learned span z_i, then fades over
    R steps; z_i = (W - 1) sigmoid(s_i). The loss has span_cost times the mean of z_i / (W - 1)
    added, so a head keeps only as long a span as pays for itself. The spans found are logged.

    Parameters, I = n d: E (D + 1) + L (5 E I + 2 I + 14 E^2 + 8 E + n).
    State: 4 (W - 1)(2 L I + 1) bytes; of it only the spans found are read.
    Sources: Sukhbaatar et al., "Adaptive attention span in transformers", 2019; the layers:
    Parisotto et al. 2019, Dai et al. 2019.
    """

    Settings = AdaptiveAttentionSettings

    def __init__(self, input_size: int, settings: AdaptiveAttentionSettings) -> None:
        super().__init__(input_size, settings)
        self.settings = settings
        self.span = nn.Parameter(torch.empty(settings.layers, settings.heads))  # s
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the spans back; the layers reset themselves."""
        share = self.settings.initial_span
        nn.init.constant_(self.span, math.log(share / (1.0 - share)))

    def auxiliary_loss(self) -> Tensor:
        """The cost of the spans."""
        return self.settings.span_cost * torch.sigmoid(self.span).mean()

    def diagnostics(self) -> dict[str, float]:
        """Mean and longest span, steps back; `spans` gives each head's."""
        spans = self.spans()
        return {"span": float(spans.mean()), "span_max": float(spans.max())}

    def spans(self) -> Tensor:
        """Span z of every head, steps back (L, n)."""
        return (self.settings.window - 1) * torch.sigmoid(self.span.detach())

    def _scores(self) -> list[Tensor]:
        """Log m by distance, the farthest first, (n, W) for each layer: m as part of softmax."""
        window, ramp = self.settings.window, self.settings.ramp
        back = torch.arange(window - 1, -1, -1, device=self.span.device)
        spans = (window - 1) * torch.sigmoid(self.span).unsqueeze(-1)  # (L, n, 1)
        share = ((ramp + spans - back) / ramp).clamp(0.0, 1.0)
        reached = share > 0.0
        # The inner `where` keeps the infinite slope of log at 0 out of the gradient.
        scores = torch.where(reached, torch.where(reached, share, 1.0).log(), -torch.inf)
        return list(scores.unbind(0))
