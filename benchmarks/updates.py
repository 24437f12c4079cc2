"""Time of one PPO update and of acting, against sb3-contrib's RecurrentPPO and SB3's PPO.

Same worlds, network, batch and machine, taking turns: `python -m benchmarks.updates`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.peers import (
    RandomWorlds,
    interleaved,
    ours,
    prepare,
    recurrent_ppo,
    sb3_ppo,
)
from benchmarks.tables import report

SETTINGS = {"n_steps": 128, "batch_size": 512, "n_epochs": 4}


def run(
    sizes: tuple[int, ...] = (64, 128, 256),
    worlds: int = 16,
    repeats: int = 5,
    threads: tuple[int, ...] = (1, 2),
) -> list[dict[str, Any]]:
    """Measure.

    Args:
        sizes: widths of the LSTM.
        worlds: parallel worlds.
        repeats: rollouts and updates of each learner; medians are reported.
        threads: of PyTorch, one after another.

    Returns:
        One row for each comparison: seconds of an update and of a rollout, ours and the peer's,
        and how many times faster ours is (the median over turns).
    """
    return [row for count in threads for row in _with_threads(sizes, worlds, repeats, count)]


def _with_threads(
    sizes: tuple[int, ...], worlds: int, repeats: int, threads: int
) -> list[dict[str, Any]]:
    torch.set_num_threads(threads)
    rows = []
    for size in sizes:
        rivals = {
            "peer": recurrent_ppo(RandomWorlds(worlds), size, **SETTINGS),
            "ours": ours("lstm", RandomWorlds(worlds), size, **SETTINGS),
        }
        rows += _compare(f"lstm {size}", rivals, repeats, threads)
    rivals = {
        "peer": sb3_ppo(RandomWorlds(worlds), **SETTINGS),
        "ours": ours("none", RandomWorlds(worlds), **SETTINGS),
    }
    return rows + _compare("none", rivals, repeats * 2, threads)


def _compare(name: str, models: dict[str, Any], repeats: int, threads: int) -> list[dict[str, Any]]:
    works = {key: (prepare(model), model.train) for key, model in models.items()}
    for model in models.values():
        model.set_logger(_quiet())
    found = interleaved(works, repeats)
    ratios = np.median(found["peer"] / found["ours"], axis=0)  # of turns that follow each other
    (peer_collect, peer_update), (our_collect, our_update) = (
        np.median(found[key], axis=0).tolist() for key in ("peer", "ours")
    )
    return [
        {
            "memory": name,
            "threads": threads,
            "peer": type(models["peer"]).__name__,
            "peer update s": peer_update,
            "update s": our_update,
            "update ratio": float(ratios[1]),
            "peer rollout s": peer_collect,
            "rollout s": our_collect,
            "rollout ratio": float(ratios[0]),
        }
    ]


def _quiet() -> Any:
    from stable_baselines3.common.logger import Logger

    return Logger(None, [])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--worlds", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path, help="also write the rows here, .json or .md")
    given = parser.parse_args()
    rows = run(tuple(given.sizes), given.worlds, given.repeats, tuple(given.threads))
    report("PPO update and rollout, median seconds", rows, given.out)


if __name__ == "__main__":
    main()
