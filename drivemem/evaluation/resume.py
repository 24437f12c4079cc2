"""What stays of earlier evaluations: finished episodes are kept, and replaced only if asked."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from drivemem.episodes import read_episodes, read_table, write_table
from drivemem.errors import DrivememError
from drivemem.evaluation.drivers import PolicyDriver
from drivemem.evaluation.jobs import Job
from drivemem.evaluation.suites import Suite
from drivemem.runs import manifest, read_json, write_json_file
from drivemem.schemas import EPISODE_COLUMNS
from drivemem.zoo import is_kept
from drivemem_agents.checkpoint import AGENT_FILES

_EVERY_S = 30.0
_PARTIAL = "partial.parquet"


class ResumableEvaluation:
    """The folder of one evaluation, from its first episode to its last.

    Args:
        job: who drives what.
        folder: of the evaluation.
        backend: on which backend.
    """

    def __init__(self, job: Job, folder: Path, backend: Literal["compiled", "reference"]) -> None:
        self.folder, self.backend = folder, backend
        self.suite = job.suite
        agent = isinstance(job.driver, PolicyDriver)
        self._known = agent
        """A driver from elsewhere may have changed in ways that cannot be seen."""
        self._resumable = isinstance(job.driver, PolicyDriver) and job.driver.repeats_alone
        self._facts = manifest("unfinished", backend=backend, of=_what(job) if agent else None)
        self._saved_at = time.monotonic()

    def finished(self) -> list[dict[str, Any]] | None:
        """The episodes of the same evaluation, if it is finished; None if it must be driven."""
        if not self._known or not self._same("done"):
            return None
        try:
            rows = _read(self.folder / "episodes.parquet")
        except DrivememError:
            return None
        rows.sort(key=lambda row: int(row["episode"]))
        return rows if [row["seed"] for row in rows] == list(self.suite.seeds) else None

    def rows(self) -> list[dict[str, Any]]:
        """Episodes that an interrupted evaluation has left."""
        if not self._resumable or not self._same("unfinished"):
            return []
        try:
            return _read(self.folder / _PARTIAL)
        except DrivememError:
            return []

    def save_now_and_then(self, rows: list[dict[str, Any]]) -> None:
        """Save every half minute: a killed process loses no more."""
        if time.monotonic() - self._saved_at > _EVERY_S:
            self.save(rows)
            self._saved_at = time.monotonic()

    def save(self, rows: list[dict[str, Any]]) -> None:
        """Keep the episodes driven so far, if another call can go on from them."""
        if self._resumable and rows:
            write_table(self.folder / _PARTIAL, EPISODE_COLUMNS, rows)
            write_json_file(self.folder / "manifest.json", self._facts)

    def finish(self, rows: list[dict[str, Any]]) -> None:
        """Write the evaluation, all of it.

        Raises:
            DrivememError: the folder cannot be written.
        """
        write_table(self.folder / "episodes.parquet", EPISODE_COLUMNS, rows)
        self.suite.save(self.folder / "suite.json")
        write_json_file(self.folder / "manifest.json", {**self._facts, "status": "done"})
        with contextlib.suppress(OSError):
            (self.folder / _PARTIAL).unlink()

    def _same(self, status: str) -> bool:
        """Whether the folder's manifest is of the same evaluation by the same program."""
        try:
            stored = read_json(self.folder / "manifest.json")
        except DrivememError:
            return False
        compared = ("backend", "of", "versions", "git")
        return stored.get("status") == status and all(
            stored.get(key) == self._facts[key] for key in compared
        )


def missing_from(seeds: Sequence[int], folder: Path) -> int:
    """How many episodes of a finished result would be lost if these took its place.

    Args:
        seeds: of the episodes to be driven.
        folder: of an evaluation or a recording; unreadable ones hold nothing to be lost, nor do
            those that came with an agent of the zoo.
    """
    if is_kept(folder):
        return 0
    try:
        rows = read_table(folder / "episodes.parquet", {"seed": "BIGINT"})
    except DrivememError:
        return 0
    return (Counter(row["seed"] for row in rows) - Counter(seeds)).total()


def refuse_to_replace(folder: Path, suite: Suite, recorded: int) -> None:
    """Refuse to put a suite's episodes in the place of others that are finished.

    Args:
        folder: of the evaluation or the recording that would be replaced.
        suite: what is to be driven.
        recorded: how many of the first episodes are recorded; 0: it is an evaluation.

    Raises:
        DrivememError: there are episodes that would be lost.
    """
    seeds = suite.seeds[:recorded] if recorded else suite.seeds
    lost = missing_from(seeds, folder)
    if lost:
        option = "--record" if recorded else "--episodes"
        raise DrivememError(
            f"{folder} holds {lost} finished episode{'s' if lost > 1 else ''} that these "
            f"{len(seeds)} would replace: give a larger {option}, or --again to replace them"
        )


def _read(path: Path) -> list[dict[str, Any]]:
    """Rows as they were before they were written, which makes NULL of not-a-number."""
    rows = read_episodes(path)
    measures = [name for name, kind in EPISODE_COLUMNS.items() if kind == "DOUBLE"]
    for row in rows:
        row |= {name: float("nan") for name in measures if row[name] is None}
    return rows


def _what(job: Job) -> dict[str, Any]:
    """What an agent's evaluation depends on, besides the program."""
    weights = hashlib.sha256()
    for name in sorted(AGENT_FILES):
        file = job.home.model / name
        if file.exists():
            weights.update(file.read_bytes())
    return {
        "agent": weights.hexdigest(),
        "suite": job.suite.hash(),
        "scenario": job.suite.scenario.hash(),
        "lesion": job.identity.lesion,
        "deterministic": job.identity.deterministic,
    }
