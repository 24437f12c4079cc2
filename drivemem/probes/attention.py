"""Where attention goes: its mass by age, and on the frame that last showed what is hidden now."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from drivemem.probes.traces import Moment
from drivemem_agents.window_attention import WindowAttention, skew


class AttentionTap:
    """Reads the attention weights of a policy's memory while it acts; close it when done.

    Args:
        module: any module; its `WindowAttention` layers are read, in order.
    """

    def __init__(self, module: nn.Module) -> None:
        layers = [layer for layer in module.modules() if isinstance(layer, WindowAttention)]
        self._weights: list[Tensor | None] = [None] * len(layers)
        self._hooks = [
            layer.register_forward_hook(self._reader(number)) for number, layer in enumerate(layers)
        ]

    def __bool__(self) -> bool:
        """Whether there is any attention to read."""
        return bool(self._hooks)

    def weights(self) -> NDArray[np.float64] | None:
        """Of the newest step, (N, layers, heads, W), the present frame first; None before it."""
        found = [one for one in self._weights if one is not None]
        if not found or len(found) < len(self._weights):
            return None
        return np.asarray(torch.stack(found, dim=1).double().cpu().numpy())

    def close(self) -> None:
        """Stop reading."""
        for hook in self._hooks:
            hook.remove()

    def _reader(self, number: int) -> Any:
        def read(layer: WindowAttention, arguments: tuple[Any, ...], _: Any) -> None:
            self._weights[number] = last_weights(layer, *arguments)

        return read


def last_weights(
    layer: WindowAttention, x: Tensor, past: Tensor, masks: list[Tensor], span: Tensor | None
) -> Tensor:
    """Weights of a block's last query, (B, heads, W), the present step first.

    Arguments as in `WindowAttention.forward`, whose formula this is.
    """
    with torch.no_grad():
        q = layer._heads(layer.query(x[-1:]))  # (B, n, 1, d)
        k = layer._heads(past[-layer.window :].chunk(2, dim=-1)[0])
        r = layer.position(layer.distances).reshape(layer.window, layer.heads, layer.head_size)
        near = (q + layer.position_bias) @ r.permute(1, 2, 0)
        if span is not None:
            near = near + span.unsqueeze(1) * layer.head_size**0.5
        scores = ((q + layer.content_bias) @ k.mT + skew(near)) * layer.head_size**-0.5
        scores = scores.masked_fill(~masks[-1][..., -1:, -layer.window :], -torch.inf)
        return torch.softmax(scores, dim=-1)[:, :, 0].flip(-1)


@dataclass(frozen=True)
class Mass:
    """Attention on frames of one age, of one head."""

    what: str
    """`age`: all frames of that age; else what that frame was the last to show."""
    layer: int
    head: int
    age_steps: int | None
    """None: whatever the age."""
    mass: float
    uniform: float
    """What equal attention to every frame of the window would give."""
    decisions: int


class AttentionWatch:
    """Adds up attention over a suite.

    Args:
        tap: of the policy that drives.
        episodes: of the suite; later ones are idle worlds'.
        decision_s: decision period, s.
    """

    def __init__(self, tap: AttentionTap, episodes: int, decision_s: float) -> None:
        self._tap, self._episodes, self._decision_s = tap, episodes, decision_s
        self._sums: dict[tuple[str, int], list[Any]] = defaultdict(lambda: [0.0, 0.0, 0])

    def see(
        self, observation: Any, actions: NDArray[Any], moment: Moment, masks: NDArray[Any] | None
    ) -> None:
        """Take note of one decision."""
        weights = self._tap.weights()
        if weights is None:
            return
        window = weights.shape[-1]
        frames = np.minimum(moment.step + 1, window)
        for world in np.flatnonzero(moment.episode < self._episodes):
            seen, uniform = int(frames[world]), 1.0 / frames[world]
            for age in range(seen):
                self._add("age", age, weights[world, :, :, age], uniform)
            for what, age_s in (
                ("hidden actor last seen", moment.hidden.age_s[world]),
                ("cue last shown", moment.cue_age_s[world]),
            ):
                age = -1 if not np.isfinite(age_s) else round(float(age_s) / self._decision_s)
                if 0 < age <= moment.step[world]:
                    inside = age < window
                    mass = weights[world, :, :, age] if inside else 0.0 * weights[world, :, :, 0]
                    self._add(what, -1, mass, uniform if inside else 0.0)

    def table(self) -> list[Mass]:
        """Means over decisions, by head."""
        return [
            Mass(
                what, layer, head, None if age < 0 else age, float(total[layer, head] / count),
                uniform / count, count,
            )
            for (what, age), (total, uniform, count) in sorted(self._sums.items())
            for layer in range(len(total))
            for head in range(len(total[layer]))
        ]  # fmt: skip

    def _add(self, what: str, age: int, mass: NDArray[np.float64], uniform: float) -> None:
        kept = self._sums[what, age]
        kept[0], kept[1], kept[2] = kept[0] + mass, kept[1] + uniform, kept[2] + 1
