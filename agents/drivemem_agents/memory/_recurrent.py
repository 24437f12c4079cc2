"""What `elman`, `gru` and `lstm` share: their layers over blocks with episode starts, gate bias."""

from __future__ import annotations

from itertools import groupby
from typing import ClassVar, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from drivemem_agents.memory._packing import last_pieces, run_packed
from drivemem_agents.memory._recurrent_kernels import layer_rows
from drivemem_agents.memory.base import Memory, MemorySettings, State

RecurrentLayer = nn.LSTM | nn.GRU | nn.RNN

# One more call of the CPU LSTM costs about 300 us forward and backward and rearranges the weights;
# a slot costs about 1.2e-4 us for each weight. Measured best: 80 to 160 slots a call at H = 64,
# 20 to 80 at H = 256.
_GROUP_SLOTS_TIMES_WEIGHTS = 3.5e6
_LEAST_GROUP_SLOTS = 40.0


class GatedSettings(MemorySettings):
    """Settings of memories whose gates choose what is kept."""

    hidden_size: int = Field(default=64, ge=1)
    """H, width of the state."""
    gate_bias: float | None = Field(default=None, gt=1.0)
    """N: keep gates start with bias log U(1, N), so that memories last up to about N steps from
    the start ("chrono" initialisation); None: PyTorch's initialisation."""


class RecurrentMemory(Memory):
    """One of PyTorch's recurrent layers as a memory, y its hidden state.

    Args:
        layer: one layer, time first.
    """

    state_names: ClassVar[tuple[str, ...]] = ("h",)
    """The state's tensors (B, H), in the layer's order."""

    def __init__(self, layer: RecurrentLayer) -> None:
        super().__init__(layer.input_size, layer.hidden_size)
        self.layer = layer

    def initial_state(self, batch: int) -> State:
        """Zeros (B, H)."""
        weight = self._weight("weight_hh_l0")
        return {name: weight.new_zeros(batch, self.output_size) for name in self.state_names}

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, D) to (B, H)."""
        y, after = self.layer(x.unsqueeze(0), _layer_state(state, self.state_names))
        return y[0], _named(after, self.state_names)

    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """All steps at once: (T, B, D) to (T, B, H)."""
        y = self.outputs(x, state, starts)
        return y, {"h": y[-1] if len(y) else state["h"]}

    def outputs(self, x: Tensor, state: State, starts: Tensor) -> Tensor:
        """The outputs of `sequence` alone."""
        return run_layer(self.layer, x, state, starts, self.state_names)

    def _weight(self, name: str) -> Tensor:
        """A parameter of the layer, whose names PyTorch makes at run time."""
        return cast(Tensor, getattr(self.layer, name))


def chronometric_bias(size: int, longest: float) -> Tensor:
    """Biases log U(1, N) for keep gates: time constants spread up to about N steps.

    Source: Tallec and Ollivier, "Can recurrent neural networks warp time?", ICLR 2018.

    Args:
        size: number of units.
        longest: N > 1, steps.
    """
    return torch.empty(size).uniform_(1.0, longest).log_()


def _layer_state(state: State, names: tuple[str, ...]) -> Tensor | tuple[Tensor, ...]:
    """The state as torch's layers take it: (1, B, H) tensors, alone or as a tuple."""
    tensors = tuple(state[name].unsqueeze(0) for name in names)
    return tensors if len(tensors) > 1 else tensors[0]


def _named(carried: Tensor | tuple[Tensor, ...], names: tuple[str, ...]) -> State:
    """The state that a layer returned, by name."""
    tensors = carried if isinstance(carried, tuple) else (carried,)
    return {name: tensor[0] for name, tensor in zip(names, tensors, strict=True)}


def run_layer(
    layer: RecurrentLayer,
    x: Tensor,
    state: State,
    starts: Tensor,
    names: tuple[str, ...],
) -> Tensor:
    """Outputs of a recurrent layer over a block in which episodes begin.

    Args:
        layer: one layer, time first.
        x: (T, B, D) inputs.
        state: state before step 0.
        starts: (T, B) bool.
        names: the state's tensors in the layer's order.

    Returns:
        (T, B, H) outputs.
    """
    if x.shape[0] == 0 or x.shape[1] == 0:
        return x.new_zeros(x.shape[0], x.shape[1], layer.hidden_size)
    # One more row, of zeros: what pieces that begin an episode start from.
    padded = [nn.functional.pad(state[name], (0, 0, 0, 1)) for name in names]
    by_groups = isinstance(layer, nn.LSTM) and not x.is_cuda
    weights = sum(weight.numel() for weight in layer.parameters())

    def run(rows: Tensor, counts: list[int], origin: Tensor) -> Tensor:
        first = [tensor.index_select(0, origin) for tensor in padded]
        if not x.is_cuda:
            if isinstance(layer, nn.LSTM):
                return _run_groups(layer, rows, counts, first)
            return layer_rows(layer, rows, counts, first[0])
        packed = PackedSequence(rows, torch.tensor(counts))
        carried = tuple(tensor.unsqueeze(0) for tensor in first)
        y: Tensor = layer(packed, carried if len(carried) > 1 else carried[0])[0].data
        return y

    group_slots = max(_LEAST_GROUP_SLOTS, _GROUP_SLOTS_TIMES_WEIGHTS / weights)
    return run_packed(x, starts, run, group_slots if by_groups else 0.0)


def _run_groups(layer: nn.LSTM, rows: Tensor, counts: list[int], first: list[Tensor]) -> Tensor:
    """Outputs of packed slots, one call of the layer for all steps of equal count.

    PyTorch's CPU LSTM is one fast kernel for dense blocks, but a slow loop for packed sequences.
    """
    outputs = []
    carried = tuple(tensor.unsqueeze(0) for tensor in first)
    begin = 0
    for count, steps in ((count, len(list(same))) for count, same in groupby(counts)):
        block = rows[begin : begin + steps * count].reshape(steps, count, -1)
        carried = tuple(tensor[:, :count] for tensor in carried)
        y, carried = layer(block, carried)
        outputs.append(y.reshape(steps * count, -1))
        begin += steps * count
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def last_state(
    layer: RecurrentLayer,
    x: Tensor,
    state: State,
    starts: Tensor,
    names: tuple[str, ...],
) -> State:
    """The state after a block: the layer run over what follows each world's last episode start.

    Arguments as in `run_layer`.
    """
    if x.shape[0] == 0 or x.shape[1] == 0:
        return state
    pieces, length, fresh = last_pieces(x, starts)
    mask = torch.from_numpy(fresh).to(x.device)[:, None]
    kept = {name: torch.where(mask, 0.0, state[name]) for name in names}
    packed = pack_padded_sequence(pieces, torch.from_numpy(length), enforce_sorted=False)
    _, last = layer(packed, _layer_state(kept, names))
    return _named(last, names)
