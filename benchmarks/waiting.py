"""How long one waits: for the first decision, for a command to begin, for a study of short runs.

`python -m benchmarks.waiting` prints processor time, which other programs disturb less than the
wall; `run` gives the rows.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.tables import Row, report

SCENARIO = "exit-recall"

_ROLLOUT = 2_048
"""Decisions between updates by the scenario's preset: runs of whole rollouts take what they say."""

_STUDY = """
seeds = {runs}
[train]
steps = {steps}
[scenarios.{scenario}]
[agents.{memory}]
memory = "{memory}"
[evaluation]
episodes = {episodes}
"""


def _row(what: str, processor_s: float, wall_s: float) -> Row:
    return {"what": what, "processor_s": processor_s, "wall_s": wall_s, "ratio": ""}


def _program(words: Sequence[str], cache: Path | None = None) -> tuple[float, float, str]:
    """Processor time of a program and its children, its wall time, and what it printed.

    Raises:
        RuntimeError: it failed.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", *words], env=environment, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stderr}")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, time.monotonic() - began, done.stdout


def _first_decision(what: str, words: Sequence[str], cache: Path | None = None) -> Row:
    _, wall, printed = _program(["benchmarks.first_decision", *words], cache)
    return _row(what, float(printed.split()[-1]), wall)


def _whole(what: str, words: Sequence[str]) -> Row:
    spent, wall, _ = _program(["drivemem", *words])
    return _row(what, spent, wall)


def first_decisions(folder: Path, scenario: str = SCENARIO) -> list[Row]:
    """On a machine that has no kernels, and on one that has them.

    Args:
        folder: an empty one.
        scenario: what is driven.
    """
    train = ["train", scenario, "--memory", "gru", "--steps", "1"]
    run = str(folder / "run")
    rows = [
        _first_decision(
            "train, no kernels", [*train, "--out", str(folder / "cold")], folder / "cache"
        )
    ]
    _program(["drivemem", *train, "--out", run])  # now they are compiled for the rest
    rows.append(_first_decision("train", [*train, "--out", str(folder / "warm")]))
    rows.append(_first_decision("evaluate", ["evaluate", run, "--episodes", "20"]))
    _program(["drivemem", "evaluate", run, "--episodes", "20"])
    rows.append(_whole("compare, one run (all of it)", ["compare", run]))
    rows.append(_whole("list scenarios (all of it)", ["list", "scenarios"]))
    rows.append(_whole("list (all of it)", ["list"]))
    rows.append(_whole("--help (all of it)", ["--help"]))
    return rows


def short_runs(
    folder: Path, runs: int = 20, steps: int = 10 * _ROLLOUT, memory: str = "none"
) -> list[Row]:
    """A study of short runs beside one run of as many decisions.

    Args:
        folder: an empty one.
        runs: of the study; one episode evaluates each, and as many the single run.
        steps: decisions of each.
        memory: of the agents.

    Returns:
        Rows whose ratio is their processor time by that of the first, which only trains.
    """
    single = ["train", SCENARIO, "--memory", memory, "--steps", str(runs * steps)]
    rows = [_whole(f"train, {runs * steps:,} steps", [*single, "--out", str(folder / "train")])]
    for count in (1, runs):
        each = runs * steps // count
        file = folder / f"{count}.toml"
        text = _STUDY.format(
            runs=count, steps=each, scenario=SCENARIO, memory=memory, episodes=runs // count
        )
        file.write_text(text, encoding="utf-8")
        words = ["study", str(file), "--out", str(folder / str(count)), "--jobs", "1"]
        row = _whole(f"study, {count} x {each:,} steps", [*words, "--results", "none"])
        rows.append({**row, "ratio": f"{row['processor_s'] / rows[0]['processor_s']:.2f}"})
    return rows


def run() -> list[Row]:
    """All rows: seconds of processor time (user and system) and of the wall."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        return [*first_decisions(folder), *short_runs(folder)]


def main(words: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["first", "short"], help="a half of it")
    parser.add_argument("--write", type=Path, help="also write this file, .json or .md")
    told = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as place:
        rows = first_decisions(Path(place)) if told.only != "short" else []
        rows += short_runs(Path(place)) if told.only != "first" else []
    report("Waiting: seconds of processor time and of the wall", rows, told.write)


if __name__ == "__main__":
    main()
