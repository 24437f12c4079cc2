"""Speed of compiled worlds beside highway-env's own simulation, in the same run.

`python -m benchmarks.simulation` prints the table of all ids, which takes an hour of an idle
machine; `run` gives rows of a few.
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
from pathlib import Path
from typing import Any

import gymnasium
import highway_env  # noqa: F401  registers its ids
import numpy as np
from highway_env.vehicle.behavior import IDMVehicle

from benchmarks.tables import Row, text
from drivemem_envs.highway_env_ids import HIGHWAY_ENV_IDS
from drivemem_envs.making import compiles, make_vec
from drivemem_envs.registry import scenario

_CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
_SIGHT = {"line_of_sight": ["actors", "occluders"]}
_ENDLESS = 40
_FEW = ("highway-fast-v0", "merge-v1", "intersection-v2", "roundabout-v1", "two-way-v0")
"""One id of each kind of traffic: what `make bench` measures, in ten minutes."""
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


class Live:
    """A highway-env environment, stepped with random actions."""

    def __init__(self, name: str, config: dict[str, Any] | None, seed: int) -> None:
        self.env = make(name, config)
        self.env.action_space.seed(seed)
        self.env.reset(seed=seed)
        self.taken = 0

    def rate(self, seconds: float, clock: str = "wall") -> float:
        """Decisions a second, with resets."""
        env, now, steps = self.env, _CLOCKS[clock], 0
        begin = now()
        while (spent := now() - begin) < seconds:
            try:
                _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            except ZeroDivisionError:  # two-way-v0 turned around: its reward divides by 0 lanes
                terminated = truncated = True
            steps, self.taken = steps + 1, self.taken + 1
            if terminated or truncated or self.taken >= episode_decisions(env):
                env.reset()
                self.taken = 0
        return steps / spent


def _serve(pipe: Connection, name: str, config: dict[str, Any] | None) -> None:
    """Step an environment for as long as asked; answers the steps taken in a second."""
    live = Live(name, config, os.getpid())
    while (seconds := pipe.recv()) is not None:
        pipe.send(live.rate(seconds))


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
        theirs.close()  # so that a process that dies ends the wait for its answer
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
    return float(sum(pipe.recv() for pipe in pipes))


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

    def rate(self, seconds: float, clock: str = "wall") -> float:
        """Decisions a second: simulation, sensors, observation, reward, metrics and resets."""
        now, steps = _CLOCKS[clock], 0
        begin = now()
        while (spent := now() - begin) < seconds:
            self.env.step(self.actions[steps % 64])
            steps += 1
        return steps * self.count / spent

    def bytes_of_world(self) -> int:
        """What one world takes, its share of what all share included."""
        return _bytes(self.env._worlds.batch) // self.count


def _bytes(part: Any) -> int:
    """Bytes of all arrays in a tuple of arrays and such tuples."""
    if isinstance(part, tuple):
        return sum(map(_bytes, part))
    return int(getattr(part, "nbytes", 0))


def measure(
    names: Sequence[str] = HIGHWAY_ENV_IDS,
    *,
    worlds: int = 512,
    seconds: float = 10.0,
    rounds: int = 3,
    clock: str = "wall",
) -> Iterator[Row]:
    """Measure ids; contenders take turns, and each one's median turn counts.

    Both sides do the same work for random actions: simulate, observe, reward, end, reset. (The
    compiled side also computes outcome and metrics.)

    Args:
        names: highway-env ids.
        worlds: worlds in a batch.
        seconds: length of a turn. In turns of a second, in which highway-env takes ten steps of
            some ids, ratios moved by a factor of two.
        rounds: how often each contender's turn comes.
        clock: "wall", for a quiet machine, compares one process per core with all threads;
            "processor", for any, one process with one thread, each by its own processor time.

    Yields:
        A row for each id that compiles: decisions a second of highway-env (`env.step`), of
        compiled worlds, their ratio and its least and greatest in a round, the gain of all
        threads over one, the share of a step that line of sight takes, bytes of a world and where
        its resets come from.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for name in (name for name in names if compiles(scenario(name)) is None):
        if clock == "wall":
            yield _measure(name, worlds, seconds, rounds, cores or 1)
        else:
            yield _measure_here(name, worlds, seconds, rounds)


def run(names: Sequence[str] = _FEW, **settings: Any) -> list[Row]:
    """`measure` as a list."""
    return list(measure(names, **settings))


def _measure(name: str, worlds: int, seconds: float, rounds: int, cores: int) -> Row:
    contenders = {
        "one_thread": Worlds(name, worlds, 1),
        "compiled": Worlds(name, worlds, cores),
        "with_sight": Worlds(name, worlds, cores, sensors=_SIGHT),
    }
    turns: dict[str, list[float]] = {key: [] for key in ("highway_env", *contenders)}
    with highway_env_processes(name, None, cores) as pipes:
        for _ in range(rounds):
            turns["highway_env"].append(_rate_of_processes(pipes, seconds))
            for key, contender in contenders.items():
                turns[key].append(contender.rate(seconds))
    return {"id": name, "cores": cores, **_summary(turns, contenders["compiled"])}


def _measure_here(name: str, worlds: int, seconds: float, rounds: int) -> Row:
    contenders: dict[str, Any] = {
        "highway_env": Live(name, None, 0),
        "compiled": Worlds(name, worlds, 1),
        "with_sight": Worlds(name, worlds, 1, sensors=_SIGHT),
    }
    turns: dict[str, list[float]] = {key: [] for key in contenders}
    for _ in range(rounds):
        for key, contender in contenders.items():
            turns[key].append(contender.rate(seconds, "processor"))
    return {"id": name, "cores": 1, **_summary(turns, contenders["compiled"])}


def _summary(turns: dict[str, list[float]], batch: Any) -> Row:
    rates = {key: float(np.median(each)) for key, each in turns.items()}
    share = 1.0 - rates.pop("with_sight") / rates["compiled"]
    rounds = np.divide(turns["compiled"], turns["highway_env"])
    threads = {}
    if "one_thread" in rates:
        threads = {"threads_gain": rates["compiled"] / rates["one_thread"]}
    return {
        **rates, "ratio": rates["compiled"] / rates["highway_env"],
        "ratio_of_rounds": f"{rounds.min():,.0f} to {rounds.max():,.0f}", **threads,
        "sight_share": max(share, 0.0), "bytes": batch.bytes_of_world(),
        "resets": "compiled" if batch.env._worlds.source.compiled else "bank",
    }  # fmt: skip


def growth_with_worlds(
    name: str = "highway-fast-v0",
    counts: Sequence[int] = (1, 4, 16, 64, 256, 1024, 4096),
    seconds: float = 1.0,
    clock: str = "wall",
) -> list[Row]:
    """Decisions a second and bytes of a world by number of worlds, on one thread and on two."""
    rows = []
    for count in counts:
        one, two = Worlds(name, count, 1), Worlds(name, count, 2)
        rates = {"one_thread": one.rate(seconds, clock), "two_threads": two.rate(seconds, clock)}
        rows.append({"id": name, "worlds": count, **rates, "bytes": one.bytes_of_world()})
    return rows


def growth_with_actors(
    name: str = "highway-v0",
    counts: Sequence[int] = (5, 10, 20, 50, 100),
    seconds: float = 1.0,
    clock: str = "wall",
) -> list[Row]:
    """Microseconds of one thread per decision by number of vehicles."""
    rows = []
    for count in counts:
        rate = Worlds(name, 64, 1, config={"vehicles_count": count}).rate(seconds, clock)
        rows.append({"id": name, "vehicles": count + 1, "microseconds": 1e6 / rate})
    return rows


def main(words: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ids", nargs="*", default=list(HIGHWAY_ENV_IDS))
    parser.add_argument("--worlds", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender")
    parser.add_argument("--clock", choices=list(_CLOCKS), default="wall")
    parser.add_argument("--json", help="write the rows to this file, beside what it has")
    parser.add_argument("--growth", action="store_true", help="only growth with worlds and actors")
    told = parser.parse_args(words)
    parts: dict[str, list[Row]] = {}
    if told.growth:
        parts["worlds"] = growth_with_worlds(clock=told.clock)
        parts["actors"] = growth_with_actors(clock=told.clock)
    else:
        settings: dict[str, Any] = {
            "worlds": told.worlds, "seconds": told.seconds, "rounds": told.rounds,
        }  # fmt: skip
        parts["ids"] = []
        for row in measure(told.ids, **settings, clock=told.clock):
            print(text([row]), flush=True)
            parts["ids"].append(row)
            if told.json:  # what was measured stays, whatever happens to the rest
                _merge(Path(told.json), {"ids": [row]})
    for part in parts.values():
        print(text(part) + "\n", flush=True)
    if told.json:
        _merge(Path(told.json), parts)


def _merge(path: Path, parts: dict[str, list[Row]]) -> None:
    """Add rows to a file; a row of the same id and size is replaced."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for part, rows in parts.items():
        held = {_key(row): row for row in [*known.get(part, []), *rows]}
        known[part] = list(held.values())
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def _key(row: Row) -> tuple[Any, ...]:
    return row["id"], row.get("worlds"), row.get("vehicles")


if __name__ == "__main__":
    main()
