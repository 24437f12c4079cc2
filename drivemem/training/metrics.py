"""`metrics.jsonl`: one line per update, appended as training goes on, cut back when it resumes."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.logger import KVWriter, TensorBoardOutputFormat

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
        line = {"step": step}
        for key, value in key_values.items():
            if isinstance(value, int | float | np.integer | np.floating):
                number = float(value)
                line[key] = number if np.isfinite(number) else None  # type: ignore[assignment]
        left = memoryview((json.dumps(line) + "\n").encode())
        with saving(self._path):
            while left:
                left = left[self._file.write(left) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TensorBoardMirror(KVWriter):
    """The metrics for TensorBoard, if the extra is installed: training goes on without them.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "tensorboard"
        self._writer: KVWriter | None = None
        with contextlib.suppress(ImportError, AssertionError), self._guarded():
            self._writer = TensorBoardOutputFormat(str(self._path))

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Mirror a line."""
        if self._writer is not None:
            with self._guarded():
                self._writer.write(key_values, key_excluded, step)

    def close(self) -> None:
        """Close the files."""
        if self._writer is not None:
            with self._guarded():
                self._writer.close()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """What cannot be mirrored is said once, and nothing is mirrored any more."""
        try:
            yield
        except OSError as error:
            self._writer = None
            print(
                f"drivemem: {self._path} cannot be written ({error.strerror or error}): what "
                "TensorBoard shows ends here, metrics.jsonl goes on",
                file=sys.stderr,
            )


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
