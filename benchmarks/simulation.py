"""Speed of the compiled kernels beside highway-env's own simulation, in the same run.

`python -m benchmarks.simulation` prints the table; `run` gives its rows.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import gymnasium
import highway_env  # noqa: F401  registers its ids
import numba
import numpy as np
from highway_env.vehicle.behavior import IDMVehicle
from numpy.typing import NDArray

from drivemem_envs.compiled.records import NONE, Worlds
from drivemem_envs.compiled.scene import Scene, export
from drivemem_envs.compiled.step import simulate
from drivemem_envs.compiled.worlds import scratch_for, stack
from drivemem_envs.registry import HIGHWAY_ENV_IDS

Row = dict[str, Any]

SCENES = 16
"""Different scenes that a batch of worlds starts from."""
_ENDLESS = 40
_SHIPPED = {"DISTANCE_WANTED": 10.0, "COMFORT_ACC_MAX": 3.0, "COMFORT_ACC_MIN": -5.0}


def make(name: str, config: dict[str, Any] | None = None) -> Any:
    """A highway-env environment whose traffic is not changed by an intersection made before."""
    for attribute, value in _SHIPPED.items():
        setattr(IDMVehicle, attribute, value)
    warnings.simplefilter("ignore")
    env = gymnasium.make(name, disable_env_checker=True).unwrapped
    env.config.update(config or {})  # type: ignore[attr-defined]
    return env


def episode_decisions(env: Any) -> int:
    """After how many decisions an episode ends at the latest."""
    seconds = env.config.get("duration", _ENDLESS)
    return int(seconds * env.config["policy_frequency"])


# ---- highway-env, one process per core ----------------------------------------------------


def _serve(pipe: Connection, name: str, config: dict[str, Any] | None) -> None:
    """Step an environment for as long as asked; answers the number of steps taken."""
    env = make(name, config)
    env.action_space.seed(os.getpid())
    env.reset(seed=os.getpid())
    limit, taken = episode_decisions(env), 0
    while (seconds := pipe.recv()) is not None:
        steps, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            steps, taken = steps + 1, taken + 1
            if terminated or truncated or taken >= limit:
                env.reset()
                taken = 0
        pipe.send(steps)


@contextmanager
def highway_env_processes(
    name: str, config: dict[str, Any] | None, count: int
) -> Iterator[list[Connection]]:
    """Processes that step highway-env on demand."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for _ in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, name, config), daemon=True)
        process.start()
        pipes.append(ours)
        processes.append(process)
    try:
        for pipe in pipes:  # made and warm before anything is timed
            pipe.send(0.2)
        for pipe in pipes:
            pipe.recv()
        yield pipes
    finally:
        for pipe, process in zip(pipes, processes, strict=True):
            pipe.send(None)
            process.join()


def _rate_of_processes(pipes: Sequence[Connection], seconds: float) -> float:
    for pipe in pipes:
        pipe.send(seconds)
    return float(sum(pipe.recv() for pipe in pipes)) / seconds


# ---- compiled kernels ---------------------------------------------------------------------


class Batch:
    """Many worlds that start again from their scene when the ego crashes or time is up."""

    def __init__(self, name: str, count: int, config: dict[str, Any] | None = None) -> None:
        env = make(name, config)
        self.scenes: list[Scene] = []
        for seed in range(min(SCENES, count)):
            env.reset(seed=seed)
            self.scenes.append(export(env))
        self.start = stack([self.scenes[i % len(self.scenes)] for i in range(count)])
        self.worlds = Worlds(*(np.array(table) for table in self.start))
        self.limit = episode_decisions(env)
        self.count = count
        self.frames = int(self.start.world["frames"][0])
        self.decisions = np.arange(count) % self.limit
        draw = np.random.default_rng(0)
        self.actions = [self._random(env.action_space, draw) for _ in range(64)]
        self.actors = int(self.start.world["vehicles"].max() + self.start.world["objects"].max())

    def _random(self, space: Any, draw: np.random.Generator) -> NDArray[np.float32]:
        if isinstance(space, gymnasium.spaces.Discrete):
            return draw.integers(space.n, size=self.count).astype(np.float32)
        return draw.uniform(-1, 1, (self.count, *space.shape)).astype(np.float32)

    def bytes_per_world(self) -> int:
        """Memory that grows with the number of worlds."""
        return sum(getattr(self.start, name).nbytes for name in Worlds._fields[:5]) // self.count

    def rate(self, threads: int, seconds: float) -> float:
        """Decisions a second."""
        numba.set_num_threads(threads)
        scratch = scratch_for(self.worlds, threads)
        simulate(self.worlds, scratch, self.actions[0], self.frames)
        steps, begin = 0, time.perf_counter()
        while (spent := time.perf_counter() - begin) < seconds:
            simulate(self.worlds, scratch, self.actions[steps % 64], self.frames)
            self._restart()
            steps += 1
        return steps * self.count / spent

    def _restart(self) -> None:
        self.decisions += 1
        egos = self.worlds.world["ego"]
        crashed = self.worlds.actors["crashed"][np.arange(self.count), np.maximum(egos, 0)]
        done = (crashed & (egos != NONE)) | (self.decisions >= self.limit)
        if done.any():
            for table, start in zip(self.worlds[:5], self.start[:5], strict=True):
                table[done] = start[done]
            self.decisions[done] = 0


def run(
    names: Sequence[str] = HIGHWAY_ENV_IDS,
    *,
    worlds: int = 256,
    seconds: float = 1.0,
    rounds: int = 3,
    config: dict[str, Any] | None = None,
) -> list[Row]:
    """Measure ids; contenders take turns, and each one's best round counts.

    Args:
        names: highway-env ids.
        worlds: worlds in a batch.
        seconds: length of one measurement.
        rounds: how often each contender's turn comes.
        config: changes to the ids' configuration.

    Returns:
        A row for each id: decisions a second of highway-env (`env.step` with its own observation
        and resets, one process per core) and of the kernels (dynamics with restarts, no
        observation) on one thread and on all, ratios to highway-env, and bytes per world.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = cores or 1
    rows = []
    for name in names:
        batch = Batch(name, worlds, config)
        row: Row = {"id": name, "worlds": worlds, "actors": batch.actors, "cores": cores}
        best = {"highway_env": 0.0, "one_thread": 0.0, "all_threads": 0.0}
        with highway_env_processes(name, config, cores) as pipes:
            for _ in range(rounds):
                turns = {
                    "highway_env": _rate_of_processes(pipes, seconds),
                    "one_thread": batch.rate(1, seconds),
                    "all_threads": batch.rate(cores, seconds),
                }
                best = {key: max(best[key], value) for key, value in turns.items()}
        row |= best
        row["ratio_all"] = best["all_threads"] / best["highway_env"]
        row["microseconds"] = 1e6 / best["one_thread"]
        row["bytes_per_world"] = batch.bytes_per_world()
        rows.append(row)
    return rows


def growth_with_worlds(
    name: str = "highway-fast-v0",
    counts: Sequence[int] = (1, 4, 16, 64, 256, 1024, 4096),
    seconds: float = 0.5,
) -> list[Row]:
    """Decisions a second of the kernels by number of worlds."""
    rows = []
    for count in counts:
        batch = Batch(name, count)
        rates = {
            threads: batch.rate(threads, seconds) for threads in (1, numba.config.NUMBA_NUM_THREADS)
        }
        rows.append({"id": name, "worlds": count, **{f"threads_{t}": r for t, r in rates.items()}})
    return rows


def growth_with_actors(
    name: str = "highway-v0",
    counts: Sequence[int] = (5, 10, 20, 50, 100),
    seconds: float = 0.5,
) -> list[Row]:
    """Microseconds of one thread per decision by number of vehicles."""
    rows = []
    for count in counts:
        rate = Batch(name, 64, {"vehicles_count": count}).rate(1, seconds)
        rows.append({"id": name, "vehicles": count + 1, "microseconds": 1e6 / rate})
    return rows


def table(rows: Sequence[Row]) -> str:
    """Rows as aligned text."""
    columns = list(rows[0])
    cells = [[_text(row[column]) for column in columns] for row in rows]
    widths = [max(map(len, (name, *column))) for name, *column in zip(columns, *cells, strict=True)]
    lines = [columns, *cells]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )


def _text(value: Any) -> str:
    return (
        f"{value:.4g}"
        if isinstance(value, float) and value < 1000
        else (f"{value:.0f}" if isinstance(value, float) else str(value))
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ids", nargs="*", default=list(HIGHWAY_ENV_IDS))
    parser.add_argument("--worlds", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the rows to this file")
    parser.add_argument("--growth", action="store_true", help="also growth with worlds and actors")
    told = parser.parse_args()
    rows = {"ids": run(told.ids, worlds=told.worlds, seconds=told.seconds, rounds=told.rounds)}
    if told.growth:
        rows |= {"worlds": growth_with_worlds(), "actors": growth_with_actors()}
    for part in rows.values():
        print(table(part) + "\n")
    if told.json:
        with open(told.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
