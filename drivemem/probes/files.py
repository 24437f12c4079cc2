"""Probes on disk: four Parquet tables beside the evaluations and recordings of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drivemem.episodes import write_table
from drivemem.schemas import PROBES


def write_probe(folder: Path, tables: dict[str, list[dict[str, Any]]]) -> None:
    """Write all tables, also empty ones, so that no old one stays behind.

    Raises:
        DrivememError: the folder cannot be written.
    """
    for name, columns in PROBES.items():
        write_table(folder / f"{name}.parquet", columns, tables.get(name, []))
