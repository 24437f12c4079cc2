"""Collecting evaluations from run folders, and which of them may be compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.episodes import EPISODE_COLUMNS, read_table
from drivemem.errors import DrivememError
from drivemem.runs import Run, find_runs, read_json


@dataclass(frozen=True)
class Evaluated:
    """One driver on one suite: the episodes of one evaluation folder."""

    run: Run
    folder: Path
    suite: dict[str, Any]
    episodes: list[dict[str, Any]]

    def column(self, name: str) -> NDArray[np.float64]:
        """A column as numbers (E,), in the suite's order."""
        return np.array(
            [np.nan if row[name] is None else float(row[name]) for row in self.episodes]
        )

    def share(self, *outcomes: str) -> float:
        """Share of episodes that ended in one of the outcomes."""
        return float(np.mean([row["outcome"] in outcomes for row in self.episodes]))

    @property
    def first(self) -> dict[str, Any]:
        """What is the same in every row: driver, lesion, sensors."""
        return self.episodes[0]

    @property
    def is_driver(self) -> bool:
        """Whether this is a reference driver, which is not trained."""
        return self.first["train_seed"] is None

    def label(self) -> str:
        """How tables name it: what was trained, and what was cut."""
        row = self.first
        parts = [row["driver"]]
        settings = self.run.settings()
        if settings.get("aux_coef"):
            parts.append("+ auxiliary loss")
        gate = [word for word in settings.get("memory_kwargs", ()) if word.startswith("gate_bias=")]
        if gate:
            parts.append(f"+ {gate[0].replace('_', ' ').replace('=', ' ')}")
        if row["tracker"] != "none" and not self.is_driver:
            parts.append(f"behind {row['tracker']}")
        if row["full_sensors"]:
            parts.append("(full sensors)")
        if row["lesion"] != "intact":
            parts.append(f"/ {row['lesion']}")
        if not row["deterministic"]:
            parts.append("(sampled)")
        return " ".join(parts)

    def key(self) -> tuple[str, str, str]:
        """What must be equal to compare: scenario, its dials, and the episode seeds."""
        return (
            str(self.suite["scenario"]),
            json.dumps(self.suite["config"], sort_keys=True),
            str(hash(tuple(self.suite["seeds"]))),
        )


@dataclass(frozen=True)
class Collection:
    """Comparable evaluations, and what was left out with the reason."""

    groups: list[list[Evaluated]]
    excluded: list[tuple[str, str]]


def collect(paths: list[str | Path]) -> Collection:
    """All evaluations at or below the paths, in groups that met the same episodes.

    Args:
        paths: run folders, folders of runs, or globs.

    Raises:
        DrivememError: nothing found.
    """
    folders: list[Path] = []
    for path in paths:
        text = str(path)
        found = sorted(Path().glob(text)) if any(c in text for c in "*?[") else [Path(path)]
        if not found or not all(folder.exists() for folder in found):
            raise DrivememError(f"{path} does not exist: give run folders, or a folder of runs")
        folders += found
    groups: dict[tuple[str, str, str], list[Evaluated]] = {}
    excluded: list[tuple[str, str]] = []
    runs = list(find_runs(folders))
    for run in runs:
        evaluations = sorted((run.folder / "evaluations").glob("*/episodes.parquet"))
        if not evaluations:
            excluded.append((run.folder.as_posix(), "not evaluated: `drivemem evaluate` it"))
        for file in evaluations:
            try:
                suite = read_json(file.parent / "suite.json")
                rows = read_table(file, EPISODE_COLUMNS)
            except DrivememError as error:
                excluded.append((file.parent.as_posix(), str(error)))
                continue
            one = Evaluated(run, file.parent, suite, rows)
            if len(rows) != len(suite["seeds"]):
                excluded.append((file.parent.as_posix(), "incomplete: evaluate it again"))
                continue
            groups.setdefault(one.key(), []).append(one)
    if not groups:
        where = ", ".join(str(path) for path in paths)
        raise DrivememError(
            f"no evaluations below {where}"
            + (f" ({len(runs)} runs are there: `drivemem evaluate` them first)" if runs else "")
        )
    return Collection([_without_strays(group, excluded) for group in groups.values()], excluded)


def _without_strays(group: list[Evaluated], excluded: list[tuple[str, str]]) -> list[Evaluated]:
    """Leave out evaluations under other sensors than most (full-sensor agents belong)."""
    limited = [one for one in group if not one.first["full_sensors"]]
    hashes = [one.suite["hash"] for one in limited]
    if not hashes:
        return group
    usual = max(set(hashes), key=hashes.count)
    kept = []
    for one in group:
        if one.first["full_sensors"] or one.suite["hash"] == usual:
            kept.append(one)
        else:
            excluded.append((one.folder.as_posix(), "met other sensors or another version"))
    return kept
