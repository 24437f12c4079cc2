"""Looking back over the last steps of an episode, and never past its start.

Shared by the memories that keep a window of past tensors. A block of T steps is preceded by P
carried ones; an episode number per step says which of them belong together.
"""

from __future__ import annotations

import torch
from torch import Tensor


def episode_numbers(starts: Tensor, past: int) -> Tensor:
    """Number the episodes of a block and of the steps carried into it.

    Args:
        starts: (T, B) bool, True where an episode begins.
        past: P, carried steps; they belong to episode 0.

    Returns:
        (P + T, B) int64, never decreasing.
    """
    return torch.cat([starts.new_zeros(past, starts.shape[1]), starts]).cumsum(0)


def look_back(block: Tensor, episode: Tensor, back: int, steps: int) -> Tensor:
    """What each of the last T steps saw `back` steps ago; zero where the episode was younger.

    Args:
        block: (P + T, B, C), `back` <= P.
        episode: (P + T, B) from `episode_numbers`.
        back: steps to look back.
        steps: T.

    Returns:
        (T, B, C).
    """
    past = block.shape[0] - steps
    rows = slice(past - back, past - back + steps)
    same = (episode[rows] == episode[past:]).unsqueeze(-1)
    return torch.where(same, block[rows], 0.0)


def newest(block: Tensor, episode: Tensor, steps: int) -> Tensor:
    """The last P steps of a block, which the next block carries; other episodes' are zero.

    Args:
        block: (P + T, B, C).
        episode: (P + T, B).
        steps: T >= 1.

    Returns:
        (P, B, C).
    """
    same = (episode[steps:] == episode[-1]).unsqueeze(-1)
    return torch.where(same, block[steps:], 0.0)
