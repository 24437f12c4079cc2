"""Reading the attention weights of a policy while it acts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from drivemem_agents.memory._window_attention import WindowAttention


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
            with torch.no_grad():
                self._weights[number] = layer.last_weights(*arguments)

        return read
