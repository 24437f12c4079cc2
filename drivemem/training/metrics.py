"""`metrics.jsonl`: one line per update, appended as training goes on, cut back when it resumes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.logger import KVWriter


class JsonLines(KVWriter):
    """`metrics.jsonl`: one line per update, SB3's names, flushed at once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Append a line."""
        line = {"step": step}
        for key, value in key_values.items():
            if isinstance(value, int | float | np.integer | np.floating):
                number = float(value)
                line[key] = number if np.isfinite(number) else None  # type: ignore[assignment]
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def keep_lines(path: Path, lines: int) -> None:
    """Cut the metrics back to the checkpoint's, so that a resumed run has one curve."""
    if not path.exists():
        return
    kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[:lines]
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(kept), encoding="utf-8")
    os.replace(temporary, path)
