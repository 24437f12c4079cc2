"""`metrics.jsonl`: one line per update, appended as training goes on, cut back when it resumes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.logger import KVWriter

from drivemem.runs import read_metrics, saving
from drivemem_agents.files import atomic_file


class JsonLines(KVWriter):
    """`metrics.jsonl`: one line per update, SB3's names, flushed at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with saving(path):  # unbuffered: nothing is left to be written when a disk is full
            self._file = path.open("ab", buffering=0)

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Append a line.

        Raises:
            DrivememError: it cannot be written.
        """
        numbers = numbers_of(key_values).items()
        line = {"step": step, **{k: v if np.isfinite(v) else None for k, v in numbers}}
        left = memoryview((json.dumps(line) + "\n").encode())
        with saving(self._path):
            while left:
                left = left[self._file.write(left) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def numbers_of(key_values: Mapping[str, Any]) -> dict[str, float]:
    """Those of a logger's values that are numbers, finite or not."""
    kinds = int | float | np.integer | np.floating
    return {key: float(value) for key, value in key_values.items() if isinstance(value, kinds)}


def count_lines(path: Path) -> int:
    """How many lines there are."""
    return path.read_bytes().count(b"\n")


def keep_lines(path: Path, lines: int) -> None:
    """Cut the metrics back to the checkpoint's, so that a resumed run has one curve.

    Raises:
        DrivememError: the lines up to there are damaged, or cannot be written.
    """
    if lines:
        whole = len(read_metrics(path)) if path.exists() else 0
        if whole < lines:
            print(
                f"drivemem: {path} has {whole} of the {lines} updates before the checkpoint; the "
                "curve goes on without the others",
                file=sys.stderr,
            )
            lines = whole
    elif not path.exists():
        return
    with saving(path):
        kept = path.read_bytes().splitlines(keepends=True)[:lines] if path.exists() else []
        with atomic_file(path) as temporary:
            temporary.write_bytes(b"".join(kept))
