"""Time of one PPO update and of acting, against sb3-contrib's RecurrentPPO and SB3's PPO.

Same worlds, network, batch and machine, taking turns: `python -m benchmarks.updates`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from benchmarks.peers import (
    RandomWorlds,
    interleaved,
    ours,
    prepare,
    print_table,
    recurrent_ppo,
    sb3_ppo,
)

SETTINGS = {"n_steps": 128, "batch_size": 512, "n_epochs": 4}


def run(
    sizes: tuple[int, ...] = (64, 128, 256), worlds: int = 16, repeats: int = 5, threads: int = 1
) -> list[dict[str, Any]]:
    """Measure.

    Args:
        sizes: widths of the LSTM.
        worlds: parallel worlds.
        repeats: rollouts and updates of each learner; medians are reported.
        threads: of PyTorch.

    Returns:
        One row for each comparison: seconds of an update and of a rollout, ours and the peer's,
        and how many times faster ours is.
    """
    torch.set_num_threads(threads)
    rows = []
    for size in sizes:
        rows += _compare(
            f"lstm {size}",
            {
                "peer": recurrent_ppo(RandomWorlds(worlds), size, **SETTINGS),
                "ours": ours("lstm", RandomWorlds(worlds), size, **SETTINGS),
            },
            repeats,
            threads,
        )
    rows += _compare(
        "none",
        {
            "peer": sb3_ppo(RandomWorlds(worlds), **SETTINGS),
            "ours": ours("none", RandomWorlds(worlds), **SETTINGS),
        },
        repeats * 2,
        threads,
    )
    return rows


def _compare(name: str, models: dict[str, Any], repeats: int, threads: int) -> list[dict[str, Any]]:
    works = {key: (prepare(model), model.train) for key, model in models.items()}
    for model in models.values():
        model.set_logger(_quiet())
    found = interleaved(works, repeats)
    (peer_collect, peer_update), (our_collect, our_update) = found["peer"], found["ours"]
    return [
        {
            "memory": name,
            "threads": threads,
            "peer": type(models["peer"]).__name__,
            "peer update s": peer_update,
            "update s": our_update,
            "update ratio": peer_update / our_update,
            "peer rollout s": peer_collect,
            "rollout s": our_collect,
            "rollout ratio": peer_collect / our_collect,
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
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = [
        row
        for threads in given.threads
        for row in run(tuple(given.sizes), given.worlds, given.repeats, threads)
    ]
    print_table("PPO update and rollout, median seconds", rows)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
