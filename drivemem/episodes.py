"""Episodes on disk: Parquet tables through DuckDB, and the digest of what happened.

`drivemem.schemas` declares the columns.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from drivemem.errors import DrivememError, first_line
from drivemem.schemas import EPISODE_COLUMNS, LATER
from drivemem_agents.checksums import BLANK, has_changed, seal
from drivemem_agents.files import atomic_file

TRACE_COLUMNS = ("id", "x", "y", "heading", "speed", "crashed")
"""What a digest covers, in this order."""


class Digest:
    """SHA-256 of an episode's truth.

    For every decision, of every actor, ego first: `TRACE_COLUMNS` as little-endian float64 in
    that order.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, truth: dict[str, NDArray[Any]]) -> None:
        """Take in the truth at the next decision, or at several, one after the other."""
        table = np.stack([truth[name].astype("<f8") for name in TRACE_COLUMNS], axis=1)
        self._hash.update(np.ascontiguousarray(table).tobytes())

    def hexdigest(self) -> str:
        """The digest so far."""
        return self._hash.hexdigest()


def write_table(
    path: Path, columns: dict[str, str], rows: Iterable[Sequence[Any] | dict[str, Any]]
) -> None:
    """Write a Parquet file (zstd), atomically.

    Args:
        path: the file.
        columns: name to DuckDB type.
        rows: tuples in the columns' order, or dicts (missing keys and not-a-number are NULL).

    Raises:
        DrivememError: the file cannot be written.
    """
    table = [
        tuple(row.get(name) for name in columns) if isinstance(row, dict) else tuple(row)
        for row in rows
    ]
    import pandas

    def column(index: int, kind: str) -> Any:
        values = [row[index] for row in table]
        # DuckDB guesses an object column's type from a sample: integers there would round the rest.
        return pandas.Series(values, dtype="float64" if kind == "DOUBLE" else object)

    write_columns(
        path, columns, {name: column(i, kind) for i, (name, kind) in enumerate(columns.items())}
    )


def write_columns(path: Path, columns: dict[str, str], values: dict[str, Any]) -> None:
    """Write a Parquet file (zstd), atomically, from whole columns.

    Args:
        path: the file.
        columns: name to DuckDB type.
        values: a column each, all of one length; missing ones and not-a-number are NULL. An array
            (rows, k) becomes lists of k numbers, NULL where the first is not a number.

    Raises:
        DrivememError: the file cannot be written.
    """
    import pandas

    flat: dict[str, Any] = {}
    parts = [f'{_cast(name, kind, values, flat)} AS "{name}"' for name, kind in columns.items()]
    with _database(os.getpid()).cursor() as connection:
        connection.register("frame", pandas.DataFrame(flat))
        write_query(path, connection, f"SELECT {', '.join(parts)} FROM frame")


@cache
def _database(process: int) -> duckdb.DuckDBPyConnection:
    """What tables are written through: making one takes longer than most tables do.

    Each process has its own; a forked child cannot use its parent's.
    """
    return duckdb.connect()


def write_query(
    path: Path, connection: duckdb.DuckDBPyConnection, select: str, parameters: Sequence[Any] = ()
) -> None:
    """Write what a query gives to a Parquet file (zstd), atomically.

    Args:
        path: the file.
        connection: to DuckDB.
        select: the query, with `?` for parameters.
        parameters: of the query.

    Raises:
        DrivememError: the file cannot be written, or what the query reads cannot be read.
    """
    form = f"FORMAT parquet, COMPRESSION zstd, KV_METADATA {{checksum: '{BLANK}'}}"
    try:
        with atomic_file(path) as temporary:
            target = str(temporary).replace("'", "''")
            connection.execute(f"COPY ({select}) TO '{target}' ({form})", list(parameters))
            seal(temporary)
    except (OSError, duckdb.IOException, duckdb.InvalidInputException) as error:
        raise DrivememError(f"cannot write {path}: {first_line(error)}") from error


def _cast(name: str, kind: str, values: dict[str, Any], flat: dict[str, Any]) -> str:
    """SQL of a column; enters what it reads into the flat columns of the frame."""
    if name not in values:
        return f"NULL::{kind}"
    column = values[name]
    if getattr(column, "ndim", 1) == 1:
        flat[name] = column
        return f'CAST("{name}" AS {kind})'
    parts = [f"{name}#{place}" for place in range(column.shape[1])]
    flat |= {part: column[:, place] for place, part in enumerate(parts)}
    listed = ", ".join(f'"{part}"' for part in parts)
    return f'CASE WHEN "{parts[0]}" IS NULL THEN NULL ELSE [{listed}]::{kind} END'


def check_table(path: Path, way_out: str = "take another copy, or make it again") -> None:
    """Refuse a Parquet file that is not what was written; those of others have no checksum.

    Args:
        path: the file.
        way_out: what to do about one that has changed.

    Raises:
        DrivememError: missing, unreadable or changed.
    """
    if not path.is_file():
        raise DrivememError(f"{path} is missing")
    try:
        changed = has_changed(path.read_bytes())
    except OSError as error:
        raise DrivememError(f"{path} cannot be read: {error.strerror or error}") from error
    if changed:
        raise DrivememError(
            f"{path} is truncated or has changed since it was written (its checksum differs): "
            f"{way_out}"
        )


def read_episodes(path: Path) -> list[dict[str, Any]]:
    """Rows of an evaluation's or a recording's episodes, also of those from before a metric came.

    Raises:
        DrivememError: missing, truncated, changed, or columns are missing.
    """
    lacking = dict.fromkeys(LATER)
    needed = {name: kind for name, kind in EPISODE_COLUMNS.items() if name not in LATER}
    return [{**lacking, **row} for row in read_table(path, needed)]


def read_table(path: Path, columns: dict[str, str]) -> list[dict[str, Any]]:
    """Rows of a Parquet file that `write_table` wrote.

    Raises:
        DrivememError: missing, truncated, changed, or columns are missing.
    """
    check_table(path)
    try:
        with duckdb.connect() as connection:
            found = connection.execute("SELECT * FROM read_parquet(?)", [glob.escape(str(path))])
            names = [column[0] for column in found.description]
            missing = [name for name in columns if name not in names]
            if missing:
                raise DrivememError(
                    f"{path} is no table of this version of drivemem: it lacks {', '.join(missing)}"
                )
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    except UNREADABLE as error:
        raise DrivememError(damaged(path, error)) from error


UNREADABLE = (duckdb.Error, UnicodeDecodeError, OverflowError)
"""What DuckDB raises for a damaged Parquet file, as it is opened or as values are fetched."""


def damaged(path: Path, error: Exception) -> str:
    """In one line that a Parquet file cannot be read; DuckDB's own words are paragraphs."""
    return f"{path} is truncated or no Parquet file: {first_line(error)}"


def plain(value: Any) -> Any:
    """A NumPy scalar as a Python one; not-a-number stays."""
    return value.item() if isinstance(value, np.generic) else value


def as_json(value: Any) -> str:
    """Compact JSON of a value that may hold NumPy scalars and arrays."""

    def simple(thing: Any) -> Any:
        return thing.tolist() if isinstance(thing, np.ndarray) else plain(thing)

    return json.dumps(value, default=simple, sort_keys=True)
