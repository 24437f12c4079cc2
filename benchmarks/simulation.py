"""Speed of compiled worlds beside highway-env's own simulation, in the same run.

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
import numpy as np
from highway_env.vehicle.behavior import IDMVehicle

from benchmarks.tables import Row, text
from drivemem_envs.making import compiles, make_vec
from drivemem_envs.registry import HIGHWAY_ENV_IDS, scenario

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


# ---- compiled worlds ----------------------------------------------------------------------


class Worlds:
    """A compiled vector environment with actions drawn ahead of time."""

    def __init__(self, name: str, count: int, threads: int, **changes: Any) -> None:
        self.env: Any = make_vec(name, count, backend="compiled", num_workers=threads, **changes)
        self.env.reset(seed=0)
        draw, space = np.random.default_rng(0), self.env.single_action_space
        if isinstance(space, gymnasium.spaces.Discrete):
            self.actions = list(draw.integers(space.n, size=(64, count)))
        else:
            drawn = draw.uniform(-1, 1, (64, count, *space.shape))
            self.actions = list(drawn.astype(np.float32))
        self.count = count

    def rate(self, seconds: float) -> float:
        """Decisions a second: simulation, sensors, observation, reward, metrics and resets."""
        steps, begin = 0, time.perf_counter()
        while (spent := time.perf_counter() - begin) < seconds:
            self.env.step(self.actions[steps % 64])
            steps += 1
        return steps * self.count / spent


def run(
    names: Sequence[str] = HIGHWAY_ENV_IDS,
    *,
    worlds: int = 512,
    seconds: float = 2.0,
    rounds: int = 3,
) -> list[Row]:
    """Measure ids; contenders take turns, and each one's median round counts.

    Both sides do the same work for random actions: simulate, observe, reward, end, reset. (The
    compiled side also computes outcome and metrics.)

    Args:
        names: highway-env ids.
        worlds: worlds in a batch.
        seconds: length of one measurement.
        rounds: how often each contender's turn comes.

    Returns:
        A row for each id that compiles: decisions a second of highway-env (`env.step`, one
        process per core), of compiled worlds on one thread and on all, with line of sight on all,
        and the ratio of all threads to all processes.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = cores or 1
    rows = []
    for name in (name for name in names if compiles(scenario(name)) is None):
        contenders = {
            "one_thread": Worlds(name, worlds, 1),
            "all_threads": Worlds(name, worlds, cores),
            "all_with_sight": Worlds(
                name, worlds, cores, sensors={"line_of_sight": ["actors", "occluders"]}
            ),
        }
        turns: dict[str, list[float]] = {key: [] for key in ("highway_env", *contenders)}
        with highway_env_processes(name, None, cores) as pipes:
            for _ in range(rounds):
                turns["highway_env"].append(_rate_of_processes(pipes, seconds))
                for key, contender in contenders.items():
                    turns[key].append(contender.rate(seconds))
        rates = {key: float(np.median(each)) for key, each in turns.items()}
        ratio = rates["all_threads"] / rates["highway_env"]
        rows.append({"id": name, "cores": cores, "worlds": worlds, **rates, "ratio": ratio})
    return rows


def growth_with_worlds(
    name: str = "highway-fast-v0",
    counts: Sequence[int] = (1, 4, 16, 64, 256, 1024, 4096),
    seconds: float = 1.0,
) -> list[Row]:
    """Decisions a second by number of worlds, on one thread and on two."""
    return [
        {
            "id": name,
            "worlds": count,
            **{f"threads_{n}": Worlds(name, count, n).rate(seconds) for n in (1, 2)},
        }
        for count in counts
    ]


def growth_with_actors(
    name: str = "highway-v0", counts: Sequence[int] = (5, 10, 20, 50, 100), seconds: float = 1.0
) -> list[Row]:
    """Microseconds of one thread per decision by number of vehicles."""
    rows = []
    for count in counts:
        rate = Worlds(name, 64, 1, config={"vehicles_count": count}).rate(seconds)
        rows.append({"id": name, "vehicles": count + 1, "microseconds": 1e6 / rate})
    return rows


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ids", nargs="*", default=list(HIGHWAY_ENV_IDS))
    parser.add_argument("--worlds", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the rows to this file")
    parser.add_argument("--growth", action="store_true", help="also growth with worlds and actors")
    told = parser.parse_args()
    rows = {"ids": run(told.ids, worlds=told.worlds, seconds=told.seconds, rounds=told.rounds)}
    if told.growth:
        rows |= {"worlds": growth_with_worlds(), "actors": growth_with_actors()}
    for part in rows.values():
        print(text(part) + "\n")
    if told.json:
        with open(told.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
