"""Causal attention over a window of relative positions, with the window's keys and values cached.

Shared by `attention` and `adaptive_attention`: the layer, its gates, the mask and the cache. One
step is a block of length 1, so acting and training run the same code.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from drivemem_agents.memory._history import episode_numbers

if TYPE_CHECKING:  # the memories import this module
    from drivemem_agents.memory.base import State

# Queries attended together; every block also reads the W - 1 steps before it.
_BLOCK = 32


class Gate(nn.Module):
    """GRU-like gate instead of a residual connection: (x, y) -> (1 - z) x + z n.

    r = sigmoid(W_r y + U_r x); z = sigmoid(W_z y + U_z x - bias); n = tanh(W_g y + U_g (r x)).
    A positive bias keeps z small, so that a layer starts near the identity. Parameters: 6 E^2 + E.
    Source: Parisotto et al., "Stabilizing transformers for reinforcement learning", 2019.
    """

    def __init__(self, size: int, bias: float) -> None:
        super().__init__()
        self.new = nn.Linear(size, 3 * size, bias=False)  # W_r, W_z, W_g
        self.old = nn.Linear(size, 2 * size, bias=False)  # U_r, U_z
        self.candidate = nn.Linear(size, size, bias=False)  # U_g
        self.start = bias
        self.bias = nn.Parameter(torch.full((size,), bias))

    def reset_parameters(self) -> None:
        """Set the bias back; the layers reset themselves."""
        nn.init.constant_(self.bias, self.start)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Let as much of y (..., E) into x (..., E) as the gate says."""
        new_r, new_z, new_g = self.new(y).chunk(3, dim=-1)
        old_r, old_z = self.old(x).chunk(2, dim=-1)
        r = torch.sigmoid(new_r + old_r)
        z = torch.sigmoid(new_z + old_z - self.bias)
        mixed: Tensor = (1.0 - z) * x + z * torch.tanh(new_g + self.candidate(r * x))
        return mixed


class WindowAttention(nn.Module):
    """Attention of every step to itself and the W - 1 before it, by content and distance.

    Score of a key d steps back: ((q + u) k + (q + v) P r_d) / sqrt(head size), with r_d the
    sinusoids of d, P learned, u and v learned per head (Dai et al., "Transformer-XL", 2019).
    Parameters, with I = heads times head size: 5 E I + 2 I.
    """

    distances: Tensor

    def __init__(self, size: int, heads: int, head_size: int, window: int) -> None:
        super().__init__()
        self.heads, self.head_size, self.window = heads, head_size, window
        inner = heads * head_size
        self.query = nn.Linear(size, inner, bias=False)
        self.key_value = nn.Linear(size, 2 * inner, bias=False)
        self.position = nn.Linear(size, inner, bias=False)
        self.leave = nn.Linear(inner, size, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(heads, 1, head_size))
        self.position_bias = nn.Parameter(torch.zeros(heads, 1, head_size))
        # The farthest first, as keys are ordered in time.
        self.register_buffer("distances", sinusoids(window, size).flip(0), persistent=False)

    def reset_parameters(self) -> None:
        """Set the biases back; the layers reset themselves."""
        nn.init.zeros_(self.content_bias)
        nn.init.zeros_(self.position_bias)

    def forward(self, x: Tensor, past: Tensor, masks: list[Tensor], span: Tensor | None) -> Tensor:
        """Attend.

        Args:
            x: (T, B, E).
            past: (P + T, B, 2 I) keys and values, the carried ones first.
            masks: from `block_masks`, one a block.
            span: (heads, W) added to the scores by distance, the farthest first; or None.

        Returns:
            (T, B, E).
        """
        steps = x.shape[0]
        q, near = self._queries(x, span)
        k, v = (self._heads(part) for part in past.chunk(2, dim=-1))
        reads = []
        for begin, mask in zip(range(0, steps, _BLOCK), masks, strict=True):
            rows = slice(begin, begin + _BLOCK)
            keys = slice(begin, begin + mask.shape[-1])
            weights = self._weigh(q[:, :, rows], near[:, :, rows], k[:, :, keys], mask)
            reads.append(weights @ v[:, :, keys])
        read = torch.cat(reads, dim=2).permute(2, 0, 1, 3)
        attended: Tensor = self.leave(read.flatten(2))
        return attended

    def last_weights(
        self, x: Tensor, past: Tensor, masks: list[Tensor], span: Tensor | None
    ) -> Tensor:
        """Weights of the block's last step, (B, heads, W), the present step first.

        Arguments as in `forward`.
        """
        q, near = self._queries(x[-1:], span)
        k = self._heads(past[-self.window :].chunk(2, dim=-1)[0])
        mask = masks[-1][..., -1:, -self.window :]
        return self._weigh(q, near, k, mask)[:, :, 0].flip(-1)

    def _queries(self, x: Tensor, span: Tensor | None) -> tuple[Tensor, Tensor]:
        """Queries of content (B, n, T, d) and scores by distance (B, n, T, W) of (T, B, E)."""
        q = self._heads(self.query(x))
        r = self.position(self.distances).reshape(self.window, self.heads, self.head_size)
        near = (q + self.position_bias) @ r.permute(1, 2, 0)
        if span is not None:
            near = near + span.unsqueeze(1) * self.head_size**0.5
        return q + self.content_bias, near

    def _weigh(self, q: Tensor, near: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        """Weights of C queries on C + W - 1 keys, (B, n, C, C + W - 1)."""
        scores = (q @ k.mT + skew(near)) * self.head_size**-0.5
        return torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=-1)

    def _heads(self, x: Tensor) -> Tensor:
        """(L, B, I) to (B, n, L, d)."""
        return x.reshape(*x.shape[:2], self.heads, self.head_size).permute(1, 2, 0, 3)


class GatedLayer(nn.Module):
    """One layer: attention and a two-layer network, each behind a norm and joined by a gate.

    h = gate(x, relu(attend(norm(x)))); y = gate(h, relu(mlp(norm(h)))): the path from x to y
    meets no other layer, so the whole is the identity while the gates are shut.
    """

    def __init__(self, size: int, heads: int, head_size: int, window: int, gate_bias: float):
        super().__init__()
        self.attention = WindowAttention(size, heads, head_size, window)
        self.attention_norm, self.mlp_norm = nn.LayerNorm(size), nn.LayerNorm(size)
        self.attention_gate, self.mlp_gate = Gate(size, gate_bias), Gate(size, gate_bias)
        self.mlp = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, size))

    def forward(
        self, x: Tensor, carried: Tensor, masks: list[Tensor], span: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Run the layer on (T, B, E) after P carried keys and values (P, B, 2 I).

        Returns:
            (T, B, E) and all keys and values (P + T, B, 2 I).
        """
        normed = self.attention_norm(x)
        past = torch.cat([carried, self.attention.key_value(normed)])
        h = self.attention_gate(x, torch.relu(self.attention(normed, past, masks, span)))
        return self.mlp_gate(h, torch.relu(self.mlp(self.mlp_norm(h)))), past


class GatedTransformer(nn.Module):
    """A stack of gated layers with its cache as memory state.

    State: `past` (B, L, W - 1, 2 I), keys and values of the last steps, the oldest first, and
    `valid` (B, W - 1), 1 where a step of the present episode is stored and 0 where none is.

    Args:
        input_size: D.
        size: E.
        layers: L.
        heads: n of every layer.
        head_size: d.
        window: W, steps that a layer sees, the present one included.
        gate_bias: of the gates at the start.
    """

    def __init__(
        self, input_size: int, size: int, layers: int, heads: int, head_size: int, window: int,
        gate_bias: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.window, self.inner = window, heads * head_size
        self.enter = nn.Linear(input_size, size)
        self.layers = nn.ModuleList(
            GatedLayer(size, heads, head_size, window, gate_bias) for _ in range(layers)
        )

    def initial_state(self, batch: int) -> State:
        """Nothing stored."""
        shape = (batch, len(self.layers), self.window - 1, 2 * self.inner)
        weight = self.enter.weight
        return {
            "past": weight.new_zeros(shape),
            "valid": weight.new_zeros(batch, self.window - 1),
        }

    def forward(
        self, x: Tensor, state: State, starts: Tensor, spans: list[Tensor] | None = None
    ) -> tuple[Tensor, State]:
        """Run T >= 1 steps.

        Args:
            x: (T, B, D).
            state: before step 0.
            starts: (T, B) bool.
            spans: one (heads, W) a layer, see `WindowAttention`; None: the whole window.

        Returns:
            (T, B, E) and the state after step T - 1.
        """
        steps = x.shape[0]
        episode = episode_numbers(starts, self.window - 1)
        stored = torch.cat([state["valid"].T > 0.5, torch.ones_like(starts)])  # (P + T, B)
        episode = torch.where(stored, episode, -1)
        masks = block_masks(episode, self.window)
        kept = (episode[steps:] == episode[-1]).T  # (B, P)
        y, pasts = self.enter(x), []
        for number, layer in enumerate(self.layers):
            carried = state["past"][:, number].transpose(0, 1)
            y, past = layer(y, carried, masks, spans[number] if spans else None)
            pasts.append(torch.where(kept.unsqueeze(-1), past[steps:].transpose(0, 1), 0.0))
        return y, {"past": torch.stack(pasts, dim=1), "valid": kept.to(y.dtype)}


def block_masks(episode: Tensor, window: int) -> list[Tensor]:
    """Which keys the queries of each block see: those of their episode and window, not later.

    Args:
        episode: (P + T, B) episode numbers, P = window - 1 of them carried; -1: nothing there.
        window: W.

    Returns:
        For each block of C queries a (B, 1, C, C + P) bool.
    """
    past = window - 1
    masks = []
    for begin in range(0, episode.shape[0] - past, _BLOCK):
        keys = episode[begin : begin + _BLOCK + past].T  # (B, C + P)
        queries = keys[:, past:]
        place = torch.arange(keys.shape[1], device=episode.device)
        distance = place[past:, None] - place
        near = (distance >= 0) & (distance < window)
        masks.append((near & (queries.unsqueeze(-1) == keys.unsqueeze(-2))).unsqueeze(1))
    return masks


def skew(scores: Tensor) -> Tensor:
    """Scores by distance, the farthest first, as scores by key: row i moves i places right.

    Args:
        scores: (..., C, W).

    Returns:
        (..., C, C + W - 1), zero outside the window.
    """
    rows, window = scores.shape[-2:]
    width = rows + window - 1
    flat = nn.functional.pad(scores, (0, rows)).flatten(-2)[..., : rows * width]
    return flat.reshape(*scores.shape[:-2], rows, width)


def sinusoids(count: int, size: int) -> Tensor:
    """Sines and cosines of the distances 0 to count - 1 (Vaswani et al. 2017).

    Returns:
        (count, size).
    """
    half = (size + 1) // 2
    rates = torch.exp(torch.arange(half) * (-math.log(10_000.0) / half))
    angles = torch.arange(count).unsqueeze(1) * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :size]
