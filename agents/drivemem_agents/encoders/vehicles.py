"""Vehicle-set encoder: the ego attends to the vehicles it sees, in whatever order they come."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from pydantic import Field, model_validator
from torch import Tensor, nn

from drivemem_agents.encoders.base import (
    Encoder,
    EncoderSettings,
    mlp,
    register_encoder,
    sole_part,
)
from drivemem_agents.observations import Observation


class VehiclesSettings(EncoderSettings):
    """Settings of `vehicles`."""

    width: int = Field(default=64, ge=1)
    """Width of the features."""
    heads: int = Field(default=2, ge=1)
    """Attention heads; they divide the width."""
    layers: int = Field(default=2, ge=1, le=8)
    """Layers that each row goes through by itself."""
    scales: tuple[float, ...] = (4.0, 16.0)
    """Of the magnified copies of every feature: cars near the ego differ in a few hundredths of
    what features reach."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> VehiclesSettings:
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} do not divide width={self.width}")
        return self


@register_encoder("vehicles")
class VehiclesEncoder(Encoder):
    """Ego attention over rows (V, F): row 0 is the ego, column 0 says whether a row is present.

    z = [x, tanh(s x) for s in `scales`]; e_0 = tanh(A z_0); e_j = `layers` tanh layers of [z_j,
    z_0], so that each row is read beside the ego's. The ego's query attends to all present rows,
    itself included; m is the maximum of e_j over present rows, feature by feature: whether
    anywhere is what the feature looks for, which a weighted mean blurs. y = tanh(W [e_0, attended,
    m]). Rows that are not present (hidden actors) have no influence whatever they hold, and the
    order of the others does not matter.
    Sources: Leurent and Mercat, "Social attention for autonomous decision-making in dense
    traffic", 2019; the maximum: Qi et al., "PointNet", 2017.
    """

    Settings = VehiclesSettings

    def __init__(self, space: spaces.Space[Any], settings: VehiclesSettings) -> None:
        super().__init__(settings.width)
        self.key, part = sole_part(space, "vehicles", "vehicle rows")
        if len(part.shape) != 2:
            raise ValueError(
                f"encoder 'vehicles' reads rows (V, F), but '{self.key}' has shape {part.shape}: "
                "use encoder='vector', or an observation that is not flat"
            )
        self.unscaled = frozenset({self.key})  # scaled, presence would no longer be 0 or 1
        width, scaled = settings.width, part.shape[1] * (1 + len(settings.scales))
        self.heads, self.scales = settings.heads, settings.scales
        self.ego = mlp(scaled, (width,))
        self.others = mlp(2 * scaled, (width,) * settings.layers)
        self.query = nn.Linear(width, width, bias=False)
        self.keys_values = nn.Linear(width, 2 * width, bias=False)
        self.join = mlp(3 * width, (width,))

    def forward(self, observation: Observation) -> Tensor:
        """Features (N, D)."""
        features: Tensor = self._attend(observation[self.key].float())[0]
        return features

    def attention(self, observation: Observation) -> Tensor:
        """How much the ego attends to each row (N, heads, V); zero where nothing is present."""
        return self._attend(observation[self.key].float())[1]

    def _attend(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        count, vehicles = rows.shape[:2]
        scaled = torch.cat([rows, *(torch.tanh(scale * rows) for scale in self.scales)], dim=2)
        ego = self.ego(scaled[:, 0])  # (N, D)
        beside = scaled[:, :1].expand(-1, vehicles - 1, -1)
        others = self.others(torch.cat([scaled[:, 1:], beside], dim=2))
        embedded = torch.cat([ego.unsqueeze(1), others], dim=1)
        shape = (count, vehicles, self.heads, -1)
        keys, values = self.keys_values(embedded).chunk(2, dim=-1)
        keys, values = keys.reshape(shape), values.reshape(shape)
        query = self.query(ego).reshape(count, self.heads, -1)
        scores = torch.einsum("nhd,nvhd->nhv", query, keys) * query.shape[-1] ** -0.5
        present = rows[..., 0] > 0.5
        present = torch.cat([torch.ones_like(present[:, :1]), present[:, 1:]], dim=1)
        weights = scores.masked_fill(~present.unsqueeze(1), -torch.inf).softmax(dim=-1)
        attended = torch.einsum("nhv,nvhd->nhd", weights, values).flatten(1)
        # The least that a feature can be stands for rows that are absent, and for none at all.
        absent = -torch.ones_like(others[:, :1])
        most = torch.where(present[:, 1:, None], others, absent)
        most = torch.cat([most, absent], dim=1).amax(dim=1)
        return self.join(torch.cat([ego, attended, most], dim=1)), weights
