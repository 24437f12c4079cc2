"""Reading the attention weights of a policy while it acts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import drivemem_agents.memory  # noqa: F401  first, for it imports the next
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
