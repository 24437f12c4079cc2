"""Training end to end on CartPole without velocities, against RecurrentPPO and SB3's PPO.

Same worlds, network, settings and number of steps, CPU time of the process with one thread:
`python -m benchmarks.training`. The score is the mean return of evaluation episodes at the end.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize

from benchmarks.peers import seconds
from benchmarks.tables import report
from benchmarks.toys import CartPoleNoVel
from drivemem_agents import MemoryPPO

SHARED: dict[str, Any] = {
    "n_steps": 128, "batch_size": 256, "n_epochs": 10, "learning_rate": 7e-4, "gamma": 0.99,
    "gae_lambda": 0.98, "ent_coef": 0.0, "max_grad_norm": 1.0, "device": "cpu",
}  # fmt: skip
WORLDS = 8


def _ours(memory: str, seed: int) -> MemoryPPO:
    return MemoryPPO(
        "MemoryPolicy", make_vec_env(CartPoleNoVel, WORLDS, seed=seed), memory=memory,
        memory_kwargs={} if memory == "none" else {"hidden_size": 64},
        critic="shared" if memory == "none" else "separate", normalize_observations=True,
        normalize_rewards=True, seed=seed, **SHARED,
    )  # fmt: skip


def _peer(memory: str, seed: int) -> Any:
    env = VecNormalize(make_vec_env(CartPoleNoVel, WORLDS, seed=seed))
    if memory == "none":
        return PPO("MlpPolicy", env, seed=seed, **SHARED)
    policy = {"lstm_hidden_size": 64, "net_arch": {"pi": [], "vf": [64]}, "ortho_init": False}
    return RecurrentPPO("MlpLstmPolicy", env, policy_kwargs=policy, seed=seed, **SHARED)


def _score(model: Any, seed: int) -> float:
    env: Any = make_vec_env(CartPoleNoVel, 5, seed=1000 + seed)
    trained_in = model.get_vec_normalize_env()
    if trained_in is not None:
        env = VecNormalize(env, training=False, norm_reward=False)
        env.obs_rms = trained_in.obs_rms
    return float(np.mean(evaluate_policy(model, env, 10)[0]))


def run(
    memories: tuple[str, ...] = ("lstm", "gru", "none"), steps: int = 50_000, seed: int = 0
) -> list[dict[str, Any]]:
    """Train each memory and its peer.

    Args:
        memories: of MemoryPPO; the peer of `none` is PPO, of the others RecurrentPPO (LSTM).
        steps: of training.
        seed: of all.

    Returns:
        One row per memory: steps per second and score of both, and how many times faster.
    """
    torch.set_num_threads(1)
    rows = []
    peers: dict[str, tuple[float, float]] = {}
    for memory in memories:
        kind = PPO if memory == "none" else RecurrentPPO
        if kind.__name__ not in peers:
            peers[kind.__name__] = _trained(_peer(memory, seed), steps, seed)
        peer_rate, peer_score = peers[kind.__name__]
        rate, score = _trained(_ours(memory, seed), steps, seed)
        rows.append(
            {
                "memory": memory,
                "peer": kind.__name__,
                "peer steps/s": peer_rate,
                "steps/s": rate,
                "ratio": rate / peer_rate,
                "peer score": peer_score,
                "score": score,
            }
        )
    return rows


def _trained(model: Any, steps: int, seed: int) -> tuple[float, float]:
    """Steps per second of training, and the score afterwards."""
    rate = steps / seconds(lambda: model.learn(steps))
    return rate, _score(model, seed)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", nargs="+", default=["lstm", "gru", "none"])
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write the rows here, .json or .md")
    given = parser.parse_args()
    rows = run(tuple(given.memories), given.steps, given.seed)
    report(f"CartPole without velocities, {given.steps} steps", rows, given.out)


if __name__ == "__main__":
    main()
