"""Time of learning from T steps and of acting T steps, for every memory, and how both grow with T.

One update is forward and backward through a (T, B) block whose episodes last 20 to 40 steps:
`python -m benchmarks.memories`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.tables import report
from drivemem_agents.matching import match_parameters, parameter_count
from drivemem_agents.memory import Memory, make_memory, memory_names

FEATURES = 64


def run(
    names: Sequence[str] | None = None,
    lengths: Sequence[int] = (16, 32, 64, 128, 256, 512, 1024),
    worlds: int = 16,
    weights: int = 16_000,
    repeats: int = 3,
    threads: int = 1,
) -> list[dict[str, Any]]:
    """Measure.

    Args:
        names: memories; None: all registered.
        lengths: T.
        worlds: B.
        weights: of every memory, within 10 %.
        repeats: of each measurement; the fastest counts.
        threads: of PyTorch.

    Returns:
        One row for each memory: milliseconds of processor time (all threads) of an update and of
        acting by T, and the growth exponents, the slopes of log time over log T from T = 64 on (1:
        in proportion to T).
    """
    torch.set_num_threads(threads)
    rows = []
    for name in names or memory_names():
        settings = match_parameters(name, FEATURES, weights)
        memory = make_memory(name, FEATURES, settings)
        row: dict[str, Any] = {
            "memory": name,
            "weights": parameter_count(name, FEATURES, settings),
            "state_bytes": memory.state_bytes(),
        }
        for kind, measure in (("update", _update), ("act", _act)):
            times = [_fastest(measure(memory, steps, worlds), repeats) for steps in lengths]
            row |= {f"{kind}_ms_{steps}": 1e3 * t for steps, t in zip(lengths, times, strict=True)}
            row[f"{kind}_growth"] = _growth(lengths, times)
        rows.append(row)
    return rows


def _block(steps: int, worlds: int) -> tuple[Tensor, Tensor]:
    """Random features, and starts of episodes of 20 to 40 steps."""
    random = np.random.default_rng(0)
    starts = np.zeros((steps, worlds), dtype=bool)
    for column in starts.T:
        at = -int(random.integers(0, 40))
        while at < steps:
            if at >= 0:
                column[at] = True
            at += int(random.integers(20, 41))
    features = random.standard_normal((steps, worlds, FEATURES), dtype=np.float32)
    return torch.from_numpy(features), torch.from_numpy(starts)


def _update(memory: Memory, steps: int, worlds: int) -> Callable[[], None]:
    x, starts = _block(steps, worlds)
    x.requires_grad_(True)  # the encoder before the memory is trained too
    state = memory.initial_state(worlds)

    def once() -> None:
        memory.zero_grad()
        x.grad = None
        memory.outputs(x, state, starts).square().mean().backward()

    return once


def _act(memory: Memory, steps: int, worlds: int) -> Callable[[], None]:
    x, starts = _block(steps, worlds)

    def once() -> None:
        with torch.inference_mode():
            state = memory.initial_state(worlds)
            for frame, begins in zip(x, starts, strict=True):
                _, state = memory.step(frame, memory.reset(state, begins))

    return once


def _fastest(once: Callable[[], None], repeats: int) -> float:
    """Seconds of processor time, which other programs on the machine hardly change."""
    once()
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        once()
        times.append(time.process_time() - begun)
    return min(times)


def _growth(lengths: Sequence[int], times: Sequence[float]) -> float:
    points = [(n, t) for n, t in zip(lengths, times, strict=True) if n >= 64 or max(lengths) < 128]
    if len(points) < 2:
        return float("nan")
    logs = np.log(np.array(points))
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memories", nargs="+", help="default: all")
    parser.add_argument("--lengths", nargs="+", type=int, default=[16, 64, 256, 1024])
    parser.add_argument("--worlds", type=int, default=16)
    parser.add_argument("--weights", type=int, default=16_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="also write the rows here, .json or .md")
    options = parser.parse_args()
    rows = run(
        options.memories, options.lengths, options.worlds, options.weights, options.repeats,
        options.threads,
    )  # fmt: skip
    report(f"B = {options.worlds}, milliseconds of processor time", rows, options.out)


if __name__ == "__main__":
    main()
