"""Linear recurrences h_t = a_t h_{t-1} + b_t over whole sequences, forgetting at episode starts.

An episode start is a_t = 0, so nothing has to be cut or padded (Lu et al., "Structured state
space models for in-context reinforcement learning", 2023).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def linear_recurrence(decay: Tensor, added: Tensor, first: Tensor, starts: Tensor) -> Tensor:
    """All states of h_t = a_t h_{t-1} + b_t, with h_{t-1} = 0 where an episode begins.

    Args:
        decay: a, (T, B, N), real or complex.
        added: b, (T, B, N).
        first: h before step 0, (B, N).
        starts: (T, B) bool.

    Returns:
        h, (T, B, N).
    """
    if added.shape[0] == 0:
        return added
    # `first` is masked too: zero times a state that is not finite would not be zero.
    first = torch.where(starts[0].unsqueeze(-1), 0.0, first)
    kept = torch.where(starts.unsqueeze(-1), 0.0, decay)
    states: Tensor = _Recurrence.apply(kept, added, first)  # type: ignore[no-untyped-call]
    return states


def run_in_order(decay: Tensor, added: Tensor, first: Tensor) -> Tensor:
    """T fused steps: the least work, which is what counts on a CPU; shapes as above."""
    states = torch.empty_like(added)
    previous = first
    for a, b, out in zip(decay.unbind(0), added.unbind(0), states.unbind(0), strict=True):
        previous = torch.addcmul(b, a, previous, out=out)
    return states


def run_in_parallel(decay: Tensor, added: Tensor, first: Tensor) -> Tensor:
    """log2(T) passes over all steps (Hillis and Steele 1986): few launches, for a GPU."""
    states = torch.cat([(added[0] + decay[0] * first).unsqueeze(0), added[1:]])
    reach = 1
    while reach < states.shape[0]:
        # Each element is the map over the last `reach` steps; compose it with the one before.
        joined = states[reach:] + decay[reach:] * states[:-reach]
        states = torch.cat([states[:reach], joined])
        decay = torch.cat([decay[:reach], decay[reach:] * decay[:-reach]])
        reach *= 2
    return states


def _run(decay: Tensor, added: Tensor, first: Tensor) -> Tensor:
    return (run_in_order if decay.device.type == "cpu" else run_in_parallel)(decay, added, first)


class _Recurrence(torch.autograd.Function):
    """Backwards it is a linear recurrence too: g_t = dL/dh_t + conj(a_{t+1}) g_{t+1}."""

    @staticmethod
    def forward(ctx: Any, decay: Tensor, added: Tensor, first: Tensor) -> Tensor:
        states = _run(decay, added, first)
        ctx.save_for_backward(decay, states, first)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        decay, states, first = ctx.saved_tensors
        following = torch.cat([decay[1:].conj(), torch.zeros_like(decay[:1])])
        reached = _run(
            following.flip(0).resolve_conj(), gradient.flip(0), torch.zeros_like(first)
        ).flip(0)
        before = torch.cat([first.unsqueeze(0), states[:-1]])
        return reached * before.conj(), reached, reached[0] * decay[0].conj()
