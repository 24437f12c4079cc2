"""Part 5: hours in minutes: memory, open files and processes do not grow with use."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from tests.campaigns.apart import apart, run_here
from tests.campaigns.figures import RIGHT, Tally

GROWTH_MB = 24.0
"""What the middle of the last quarter may be above that of the second: allocators keep some."""

Counts = tuple[float, int, int]
"""Resident memory, MB; open descriptors; threads and children."""


def run(name: str, scale: float = 1.0) -> Tally:
    """One of `JOBS` for a share of its full length."""
    tally = Tally("endurance", name)
    ending = apart(partial(_measured, JOBS[name], scale), 3600.0, None)
    if ending.how != "done":
        tally.add_fault(f"{ending.how}: {ending.kind}", name, ending.text)
        return tally
    done, counts = ending.value
    memory, descriptors, processes = (
        np.array(column, dtype=float) for column in zip(*counts, strict=True)
    )
    for what, column in (("MB", memory), ("descriptors", descriptors), ("processes", processes)):
        grown = _growth(column)
        tally.measured[f"{what} grown by"] = round(grown, 1)
        if grown > (GROWTH_MB if what == "MB" else 0):
            tally.add_fault(f"{what} grow", f"{name}, {done} times", f"by {grown:g}")
        else:
            tally.add(RIGHT)
    tally.measured["times"] = done
    tally.measured["MB"] = round(float(memory[-1]))
    return tally


def _growth(column: np.ndarray) -> float:
    """From the middle of the second quarter to the middle of the last."""
    quarter = max(len(column) // 4, 1)
    return float(np.median(column[-quarter:]) - np.median(column[quarter : 2 * quarter]))


def _measured(job: Callable[[float], Iterator[int]], scale: float) -> tuple[int, list[Counts]]:
    marks = [(done, _counts()) for done in job(scale)]
    return marks[-1][0], [counts for _, counts in marks]


def _counts() -> Counts:
    status = Path("/proc/self/status").read_text()
    resident = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    threads = len(os.listdir("/proc/self/task"))
    children = sum(
        len(Path(f"/proc/self/task/{task}/children").read_text().split())
        for task in os.listdir("/proc/self/task")
    )
    return resident, len(os.listdir("/proc/self/fd")), threads + children


# ---- jobs: each yields how often it has done its work --------------------------------------


def worlds(scale: float) -> Iterator[int]:
    """4,096 worlds for five minutes."""
    import drivemem_envs

    env = drivemem_envs.make_vec("exit-recall", 4096, num_workers=1)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(16)]
    until, steps = time.monotonic() + 300.0 * scale, 0
    while time.monotonic() < until:
        for action in actions:
            env.step(action)
        steps += len(actions) * 4096
        yield steps
    env.close()


def cycles(scale: float) -> Iterator[int]:
    """200 times made and closed, on either backend, with processes and without, and drawn."""
    import drivemem_envs

    for cycle in range(max(int(200 * scale), 8)):
        backend = ("compiled", "reference")[cycle % 2]
        workers = 2 if cycle % 40 == 39 else 1
        env = drivemem_envs.make_vec("exit-recall", 4, backend=backend, num_workers=workers)  # type: ignore[arg-type]
        env.reset(seed=cycle)
        env.step(env.action_space.sample())
        env.close()
        drawn = drivemem_envs.make("exit-recall", render_mode="rgb_array")
        drawn.reset(seed=cycle)
        drawn.render()
        drawn.close()
        yield cycle + 1


def recorded(scale: float) -> Iterator[int]:
    """2,000 recorded episodes, 100 at a time."""
    import drivemem

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "driver"
        for batch in range(max(int(20 * scale), 4)):
            drivemem.evaluate(
                driver="constant:IDLE", scenario="exit-recall", episodes=100, record="all",
                out=out, num_workers=1, again=True, quiet=True,
            )  # fmt: skip
            shutil.rmtree(out)
            yield 100 * (batch + 1)


def compared(scale: float) -> Iterator[int]:
    """500 runs compared, four times."""
    import json

    import drivemem

    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        drivemem.evaluate(
            driver="constant:IDLE", scenario="exit-recall", episodes=50, num_workers=1,
            out=runs / "d0", quiet=True,
        )  # fmt: skip
        for number in range(1, max(int(500 * scale), 4)):
            shutil.copytree(runs / "d0", runs / f"d{number}")
            config = json.loads((runs / "d0/config.json").read_text())
            (runs / f"d{number}/config.json").write_text(json.dumps(config))
        for turn in range(4):
            ending = run_here("compare", str(runs))
            if ending.how != "done":
                raise RuntimeError(ending.text)
            yield turn + 1


def commands(scale: float) -> Iterator[int]:
    """Trainings of a few steps, one after another in one process."""
    import drivemem
    from drivemem.config import build_config
    from tests.campaigns.project import SETTINGS

    with tempfile.TemporaryDirectory() as folder:
        for number in range(max(int(100 * scale), 8)):
            out = Path(folder) / "run"
            drivemem.train(build_config({**SETTINGS, "steps": 64}), out, quiet=True)
            shutil.rmtree(out)
            yield number + 1


JOBS: dict[str, Callable[[float], Iterator[int]]] = {
    "4,096 worlds for 5 minutes": worlds,
    "200 times made and closed": cycles,
    "2,000 episodes recorded": recorded,
    "500 runs compared": compared,
    "100 trainings": commands,
}
