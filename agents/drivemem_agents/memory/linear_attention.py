"""Fast weights: a matrix per head that associates keys with values and corrects its own errors."""

from __future__ import annotations

from torch import Tensor

from drivemem_agents.memory._fast_weights import FastWeights, FastWeightSettings
from drivemem_agents.memory.base import register_memory


class LinearAttentionSettings(FastWeightSettings):
    """Settings of `linear_attention`."""


@register_memory("linear_attention")
class LinearAttention(FastWeights):
    """Per head: S' = S + b (v - S k) k^T, read as o = S' q; y = tanh(W_o [o, x] + c).

    q and k are silu(W x) of unit length, v = W x, and b = sigmoid(w x) in (0, 1) is how much of
    the error v - S k is corrected (the delta rule): an association with key k is replaced, not
    added to, and others are left alone as far as their keys are orthogonal to k.

    Training solves chunks of 32 steps at once, a triangular system; see `_delta_rule`.

    Parameters: D (3 n d + n) + n + H (n d + D + 1). State: S, 4 n d^2 bytes.
    Sources: Schlag et al., "Linear transformers are secretly fast weight programmers", 2021;
    unit keys and the chunked form: Yang et al., "Parallelizing linear transformers with the
    delta rule over sequence length", 2024.
    """

    Settings = LinearAttentionSettings

    def _log_keep(self, x: Tensor) -> Tensor | None:
        return None
