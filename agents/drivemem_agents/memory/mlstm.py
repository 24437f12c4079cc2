"""mLSTM: an LSTM whose cell is a matrix of associations, with exponential input gates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from drivemem_agents.memory._fast_weights import FastWeightSettings
from drivemem_agents.memory._outer_products import NOTHING, Products, Sums, add, add_all
from drivemem_agents.memory._recurrent import GatedSettings, chronometric_bias
from drivemem_agents.memory.base import Memory, State, register_memory

_KEEP_LOW, _KEEP_HIGH = 3.0, 6.0
"""Biases of the forget gates at the start, from head to head, as the source has them."""


class MLSTMSettings(FastWeightSettings, GatedSettings):
    """Settings of `mlstm`."""


@register_memory("mlstm")
class MLSTM(Memory):
    """Per head: C' = f C + i v k^T, z' = f z + i k; h = o C' q / max(|z' q|, 1).

    f = sigmoid(w_f x + b_f), i = exp(w_i x + b_i), o = sigmoid(W_o x + b_o), k = W_k x / sqrt(d),
    q = W_q x, v = W_v x; y = tanh(W [h, x] + c). The normaliser z makes what is read a mean of the
    values whose keys resemble the query, however many there are. An exponential gate can outweigh
    all that was stored before; C and z are held divided by exp(m), m the largest weight in them.

    Parameters: D (4 n d + 2 n) + n d + 2 n + H (n d + D + 1). State: C, z and m, 4 n (d^2 + d + 1)
    bytes.
    Source: Beck et al., "xLSTM: extended long short-term memory", 2024; without its convolution,
    normalisation and blocks. `gate_bias`: Tallec and Ollivier 2018.
    """

    Settings = MLSTMSettings

    def __init__(self, input_size: int, settings: MLSTMSettings) -> None:
        super().__init__(input_size, settings.hidden_size)
        self.settings = settings
        self.heads, self.head_size = settings.heads, settings.head_size
        inner = settings.heads * settings.head_size
        self.project = nn.Linear(input_size, 3 * inner, bias=False)  # q, k, v
        self.gates = nn.Linear(input_size, 2 * settings.heads)  # f, i
        self.open = nn.Linear(input_size, inner)  # o
        self.layer = nn.Linear(inner + input_size, settings.hidden_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        for layer in (self.project, self.gates, self.open, self.layer):
            layer.reset_parameters()
        with torch.no_grad():
            if self.settings.gate_bias is None:
                keep = torch.linspace(_KEEP_LOW, _KEEP_HIGH, self.heads)
            else:
                keep = chronometric_bias(self.heads, self.settings.gate_bias)
            self.gates.bias[: self.heads] = keep

    def initial_state(self, batch: int) -> State:
        """Zeros, C and z as the rows of one matrix (B, n, d + 1, d), and m (B, n) of nothing."""
        weight, size = self.project.weight, self.head_size
        return {
            "cell": weight.new_zeros(batch, self.heads, size + 1, size),
            "most": weight.new_full((batch, self.heads), NOTHING),
        }

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        read, sums = add(_sums(state), self._project(x))
        return self._leave(read, sums.most, x), _state(sums)

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        if x.shape[0] == 0 or x.shape[1] == 0:
            return x.new_zeros(*x.shape[:2], self.output_size), state
        read, most, sums = add_all(_sums(state), self._project(x), starts)
        return self._leave(read, most, x), _state(sums)

    def _project(self, x: Tensor) -> Products:
        """What steps (..., D) ask for and add; a value of 1 beside the others makes z."""
        shape = (*x.shape[:-1], 3, self.heads, self.head_size)
        q, k, v = self.project(x).reshape(shape).unbind(-3)
        keep, weight = self.gates(x).chunk(2, dim=-1)
        value = torch.cat([v, torch.ones_like(v[..., :1])], dim=-1)
        key = k * self.head_size**-0.5
        return Products(q, key, value, nn.functional.logsigmoid(keep), weight)

    def _leave(self, read: Tensor, most: Tensor, x: Tensor) -> Tensor:
        total, bound = read[..., -1:].abs(), torch.exp(-most).unsqueeze(-1)
        mean = (read[..., :-1] / torch.maximum(total, bound)).flatten(-2)
        return torch.tanh(self.layer(torch.cat([torch.sigmoid(self.open(x)) * mean, x], dim=-1)))


def _sums(state: State) -> Sums:
    return Sums(state["cell"], state["most"])


def _state(sums: Sums) -> State:
    return {"cell": sums.matrix, "most": sums.most}
