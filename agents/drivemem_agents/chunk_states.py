"""Where the memory state at the start of each training chunk comes from (`state_init`)."""

from __future__ import annotations

from typing import Literal

import torch

from drivemem_agents.memory import State
from drivemem_agents.observations import select
from drivemem_agents.policy import MemoryPolicy
from drivemem_agents.rollout import Rollout

StateInit = Literal["stored", "zero", "burn_in", "recompute"]


def chunk_states(
    policy: MemoryPolicy, rollout: Rollout, state_init: StateInit, burn_in_steps: int
) -> list[State]:
    """Memory state (B, ...) before each chunk of the rollout.

    Args:
        policy: with its present weights.
        rollout: full.
        state_init: `stored` while acting (by the weights of then), `zero`, `burn_in` (the
            last `burn_in_steps` before the chunk, from zero state) or `recompute` (from the
            rollout's start).
        burn_in_steps: see `state_init`.
    """
    stored = rollout.states
    if state_init == "stored" or not stored[0]:
        return stored
    if state_init == "zero":
        return [policy.initial_state(rollout.worlds)] * len(stored)
    states = stored[:1]
    observation = rollout.observation()
    with torch.no_grad():
        for part in range(1, len(stored)):
            end = part * rollout.chunk
            begin, state = end - rollout.chunk, states[-1]
            if state_init == "burn_in":
                begin = max(0, end - burn_in_steps)
                state = policy.initial_state(rollout.worlds) if begin else stored[0]
            rows = slice(begin, end)
            starts = rollout.starts[rows].to(rollout.device)
            states.append(policy.state_after(select(observation, rows), state, starts))
    return states
