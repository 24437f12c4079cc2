"""Probes on disk: four Parquet tables beside the evaluations and recordings of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drivemem.episodes import write_table

SCORE_COLUMNS: dict[str, str] = {
    "run": "VARCHAR", "driver": "VARCHAR", "lesion": "VARCHAR", "scenario": "VARCHAR",
    "input": "VARCHAR", "target": "VARCHAR", "measure": "VARCHAR", "age_low_s": "DOUBLE",
    "age_high_s": "DOUBLE", "score": "DOUBLE", "low": "DOUBLE", "high": "DOUBLE",
    "chance": "DOUBLE", "decisions": "INTEGER", "episodes": "INTEGER",
}  # fmt: skip
ATTENTION_COLUMNS: dict[str, str] = {
    "run": "VARCHAR", "what": "VARCHAR", "layer": "INTEGER", "head": "INTEGER",
    "age_steps": "INTEGER", "age_s": "DOUBLE", "mass": "DOUBLE", "uniform": "DOUBLE",
    "decisions": "INTEGER",
}  # fmt: skip
SALIENCY_COLUMNS: dict[str, str] = {
    "run": "VARCHAR", "age_steps": "INTEGER", "age_s": "DOUBLE", "share": "DOUBLE",
    "low": "DOUBLE", "high": "DOUBLE", "decisions": "INTEGER",
}  # fmt: skip
DECODED_COLUMNS: dict[str, str] = {
    "episode": "INTEGER", "seed": "BIGINT", "step": "INTEGER", "id": "BIGINT",
    "decoded_x": "DOUBLE", "decoded_y": "DOUBLE", "x": "DOUBLE", "y": "DOUBLE", "age_s": "DOUBLE",
}  # fmt: skip
TABLES = {
    "scores": SCORE_COLUMNS,
    "attention": ATTENTION_COLUMNS,
    "saliency": SALIENCY_COLUMNS,
    "decoded": DECODED_COLUMNS,
}


def write_probe(folder: Path, tables: dict[str, list[dict[str, Any]]]) -> None:
    """Write all tables, also empty ones, so that no old one stays behind.

    Raises:
        DrivememError: the folder cannot be written.
    """
    for name, columns in TABLES.items():
        write_table(folder / f"{name}.parquet", columns, tables.get(name, []))
