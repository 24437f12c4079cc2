"""Finished results are not replaced by smaller or other ones, unless that is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from drivemem.episodes import read_table
from drivemem.errors import DrivememError
from drivemem.evaluation.suites import Suite


def missing_from(seeds: Sequence[int], folder: Path) -> int:
    """How many episodes of a finished result would be lost if these took its place.

    Args:
        seeds: of the episodes to be driven.
        folder: of an evaluation or a recording; unreadable ones hold nothing to be lost.
    """
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
