"""Milliseconds to begin an episode, by where its scene comes from: run `benchmarks.resets`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.tables import Row, report
from drivemem_envs.compiled.families import why_no_reset
from drivemem_envs.compiled.scenes.compiled_resets import CompiledResets
from drivemem_envs.compiled.scenes.scene_bank import SceneBank
from drivemem_envs.compiled.scenes.scene_source import SceneSource
from drivemem_envs.registry import scenario

TITLE = "Milliseconds of processor time to begin an episode, beside highway-env's reset"
SCENARIOS = (
    "highway-v0", "highway-fast-v0", "exit-v0", "intersection-v0", "camera-highway-easy-v0",
    "route-instructions-easy-v0", "changing-limits-easy-v0",
)  # fmt: skip
_EPISODES = 60


def run(names: tuple[str, ...] = SCENARIOS, episodes: int = _EPISODES) -> list[Row]:
    """A row for each scenario: kernels, the scene bank, a live reset, its `_reset` alone."""
    return [_row(name, episodes) for name in names]


def _row(name: str, episodes: int) -> Row:
    found = scenario(name)
    with tempfile.TemporaryDirectory() as folder:
        bank = SceneBank(found, 1, folder=Path(folder))
        banked = _ms(_filling(bank), episodes)
        live = _ms(lambda seed: bank.env.reset(seed=seed), episodes)
        alone = _ms(lambda _: bank.env._reset(), episodes)
        cars = int(bank.worlds.world[0]["vehicles"])
        bank.close()
    kernels = float("nan")
    if why_no_reset(found) is None:
        kernels = _ms(_filling(CompiledResets(found, 1)), episodes)
    return {
        "scenario": name, "vehicles": cars, "kernels": kernels, "bank": banked,
        "live reset": live, "its _reset": alone,
    }  # fmt: skip


def _filling(source: SceneSource) -> Callable[[int], object]:
    return lambda seed: source.fill(np.array([0]), np.array([seed]))


def _ms(begin: Callable[[int], object], episodes: int) -> float:
    """Mean over episodes of seeds that nobody has kept; the first, which compiles, is left out."""
    begin(10**6)
    begun = time.process_time()
    for seed in range(episodes):
        begin(10**6 + 1 + seed)
    return (time.process_time() - begun) / episodes * 1e3


if __name__ == "__main__":
    report(TITLE, run())
