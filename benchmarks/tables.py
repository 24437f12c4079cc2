"""Rows of measurements as text on the terminal and as Markdown in files."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def cell(value: Any) -> str:
    """A number with as many digits as are worth reading."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def text(rows: Sequence[Row]) -> str:
    """Rows of equal keys as aligned columns."""
    lines = [list(rows[0]), *([cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True))
        for line in lines
    )


def markdown(rows: Sequence[Row]) -> str:
    """Rows of equal keys as a Markdown table."""
    lines = [list(rows[0]), ["---"] * len(rows[0])]
    lines += [[cell(value) for value in row.values()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """What the numbers were measured on, in words."""
    import torch

    return (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}"
    )


def report(title: str, rows: Sequence[Row], path: Path | None = None) -> None:
    """Print rows; with a path also write them, as JSON or, if it ends in .md, as Markdown."""
    print(f"{title} ({machine()})\n{text(rows)}\n", flush=True)
    if path is None:
        return
    if path.suffix == ".md":
        path.write_text(f"{title}\n\n{machine()}.\n\n{markdown(rows)}\n", encoding="utf-8")
    else:
        found = {"title": title, "machine": machine(), "rows": list(rows)}
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
