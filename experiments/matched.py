"""Agents that differ in their memory alone: same encoder, same heads, equally many weights."""

from __future__ import annotations

import time
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from drivemem_agents import MemoryPPO
from drivemem_agents.matching import match_parameters
from experiments.runs import Run

FEATURES = 32
"""D, width of the encoder, the same for all."""


def matched_agent(
    memory: str,
    worlds: VecEnv,
    seed: int,
    weights: int,
    kwargs: dict[str, Any] | None = None,
    **settings: Any,
) -> MemoryPPO:
    """An agent whose memory has about so many weights (within 10 %).

    Args:
        memory: its name.
        worlds: to train in.
        seed: of weights and actions.
        weights: of the memory.
        kwargs: settings of the memory, without its width.
        settings: others of MemoryPPO.
    """
    return MemoryPPO(
        "MemoryPolicy", worlds, memory=memory,
        memory_kwargs=match_parameters(memory, FEATURES, weights, kwargs or {}),
        encoder_kwargs={"widths": (FEATURES,)}, seed=seed, device="cpu", **settings,
    )  # fmt: skip


def learn(model: MemoryPPO, steps: int, callback: BaseCallback) -> Run:
    """Train, and say what it took: steps, seconds of the clock and of the processor."""
    begun, cpu = time.perf_counter(), time.process_time()
    model.learn(steps, callback=callback)
    return {
        "steps": model.num_timesteps,
        "wall_s": time.perf_counter() - begun,
        "cpu_s": time.process_time() - cpu,
    }


def description(model: MemoryPPO) -> Run:
    """The agent's memory, and how large it is."""
    policy = model.policy
    return {
        "memory": policy.settings["memory"],
        "kwargs": policy.settings["memory_kwargs"],
        "seed": model.seed,
        "weights": sum(weight.numel() for weight in policy.memory.parameters()),
        "weights_of_policy": sum(weight.numel() for weight in policy.parameters()),
        "state_bytes": policy.memory.state_bytes(),
    }
