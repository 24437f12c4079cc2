"""Tables of finished runs: the same command again goes on where it was stopped.

Experiments that train agents by themselves keep one row a run, written as soon as the run ends.
"""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WORDS = ("task", "arm", "memory")
"""Columns that are plain text; the others are JSON."""

Run = dict[str, Any]


@dataclass(frozen=True)
class RunTable:
    """A csv file of finished runs. One process at a time may add to it.

    Args:
        path: of the file; it need not exist.
        tasks: names of the tasks, in the order of the rows.
        keys: columns that tell one run from another; the first is the task.
    """

    path: Path
    tasks: tuple[str, ...]
    keys: tuple[str, ...] = ("task", "arm", "seed")

    def read(self) -> list[Run]:
        """All finished runs."""
        if not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            return [
                {key: text if key in WORDS else json.loads(text) for key, text in row.items()}
                for row in csv.DictReader(file)
            ]

    def write(self, runs: list[Run]) -> None:
        """Write all finished runs, atomically, in an order of their own."""
        runs = sorted(
            runs,
            key=lambda run: (self.tasks.index(run["task"]), *(run[k] for k in self.keys[1:])),
        )
        part = self.path.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(runs[0]), lineterminator="\n")
            writer.writeheader()
            for run in runs:
                writer.writerow({k: v if k in WORDS else json.dumps(v) for k, v in run.items()})
        os.replace(part, self.path)

    def fill(
        self,
        trials: Iterable[tuple[Any, ...]],
        train: Callable[..., Run],
        minutes: float = float("inf"),
    ) -> None:
        """Run the trials that have no row yet, and write each one's as it ends.

        Args:
            trials: values of `keys`, one tuple a run.
            train: called with them; returns the other columns, `score` among them.
            minutes: no run is started later than this.
        """
        begun = time.monotonic()
        for trial in trials:
            finished = self.read()
            if trial in {tuple(run[key] for key in self.keys) for run in finished}:
                continue
            if time.monotonic() - begun > 60 * minutes:
                return
            run = dict(zip(self.keys, trial, strict=True)) | train(*trial)
            self.write([*finished, run])
            print(*trial, f"{run['score']:.2f}", f"{run['wall_s']:.0f} s", flush=True)


def grouped(runs: Iterable[Run], *keys: str) -> dict[tuple[Any, ...], list[Run]]:
    """Runs by the values of some columns, in the order of their first appearance."""
    found: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        found.setdefault(tuple(run[key] for key in keys), []).append(run)
    return found
