"""A study's runs as two small tables: every episode, and how each run was made; but no weights.

Whoever has the tables can make every number again without training anything, and a study can go on
where its run folders are gone (docs/studies.md).
"""

from __future__ import annotations

import glob
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from drivemem.comparison.collect import Collection
from drivemem.episodes import (
    UNREADABLE,
    check_table,
    damaged,
    read_table,
    write_query,
    write_table,
)
from drivemem.errors import DrivememError
from drivemem.runs import Run, read_json
from drivemem.schemas import EPISODE_COLUMNS, LATER
from drivemem.studies.plan import Cell, Plan
from drivemem.studies.state import DONE, clear, note_done, state_of

EPISODES = "episodes.parquet"
RUNS = "runs.parquet"
MANIFEST = "manifest.json"
RUN_COLUMNS = {"cell": "VARCHAR", "file": "VARCHAR", "text": "VARCHAR"}
"""A row for each of a run's JSON files."""
_PLACE = ("cell", "evaluation")
"""Columns that say of an episode its run, and the folder of its evaluation."""
_ORDER = {"config.json": 1, DONE: 2}
"""Files that are restored after all others, in this order."""
_KEPT = re.compile(
    rf"(config|manifest|distillation)\.json|{re.escape(DONE)}|evaluations/(?!\.\.?/)[^/\\]+/suite\.json"
)
"""Files that an archive may bring; no other is ever written."""


@dataclass
class Restored:
    """What was taken from an archive."""

    cells: list[str] = field(default_factory=list)
    outdated: dict[str, str] = field(default_factory=dict)
    """Cells whose run there is not what the study asks for now, with the reason."""


def write_archive(collection: Collection, folder: Path) -> list[Path]:
    """Write evaluations to `episodes.parquet`, and to `runs.parquet` how their runs were made.

    Args:
        collection: of a comparison; what it left out is left out here too.
        folder: for the two files.

    Raises:
        DrivememError: the folder cannot be written.
    """
    groups = [*collection.groups, collection.training]
    # An agent with full sensors is in several groups.
    found = {one.folder: one.run for group in groups for one in group}
    files: dict[Path, Run] = {}
    for evaluation, run in sorted(found.items()):
        texts = [run.config_file, run.folder / MANIFEST, run.distillation, run.folder / DONE]
        files |= dict.fromkeys([*texts, evaluation / "suite.json"], run)
    rows = [
        (run.name, path.relative_to(run.folder).as_posix(), _text(path))
        for path, run in files.items()
        if path.is_file()
    ]
    write_table(folder / RUNS, RUN_COLUMNS, rows)
    columns = ", ".join(f'"{name}"' for name in EPISODE_COLUMNS)
    later = ", ".join(f'NULL::{EPISODE_COLUMNS[name]} AS "{name}"' for name in sorted(LATER))
    with duckdb.connect() as connection:
        # The same episode of all runs side by side: what they share takes no room twice.
        write_query(
            folder / EPISODES,
            connection,
            f"SELECT parse_path(filename)[-4] AS cell, parse_path(filename)[-2] AS evaluation, "
            f"{columns} FROM (SELECT {later} WHERE false UNION ALL BY NAME "
            "SELECT * FROM read_parquet(?, filename=true, union_by_name=true)) "
            "ORDER BY scenario, suite, deterministic, episode, cell, evaluation",
            [[glob.escape(str(one / EPISODES)) for one in sorted(found)]],
        )
    return [folder / EPISODES, folder / RUNS]


def _text(path: Path) -> str:
    """A file as it may be published: without the command that was given, which names folders."""
    if path.name != MANIFEST:
        return path.read_text(encoding="utf-8")
    return json.dumps({k: v for k, v in read_json(path).items() if k != "command"}, indent=2)


def restore(plan: Plan, folder: str | Path) -> Restored:
    """Take the runs of an archive that the study's folder lacks; what is there stays.

    Args:
        plan: the study, or the part of it to restore.
        folder: that holds `episodes.parquet` and `runs.parquet`.

    Raises:
        DrivememError: no archive there, a damaged one, or the study's folder cannot be written.
    """
    folder = Path(folder)
    for name in (RUNS, EPISODES):
        if not (folder / name).is_file():
            raise DrivememError(
                f"{folder} has no {name}: give the results folder of a study that was reported "
                "with it, such as experiments/<study>/results"
            )
    texts: dict[str, dict[str, str]] = {}
    for row in read_table(folder / RUNS, RUN_COLUMNS):
        if _KEPT.fullmatch(row["file"]):
            texts.setdefault(row["cell"], {})[row["file"]] = row["text"]
    found = Restored()
    new = [
        cell
        for cell in plan.cells
        if DONE in texts.get(cell.name, {}) and state_of(plan.run(cell), cell).stage == "new"
    ]
    if not new:
        return found
    with _episodes(folder / EPISODES) as connection:
        for cell in new:
            why = _restore_one(plan.run(cell), cell, texts[cell.name], connection)
            if why:
                found.outdated[cell.name] = why
            else:
                found.cells.append(cell.name)
    return found


def _episodes(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection with the archive's episodes as table `episodes`."""
    check_table(path)
    connection = duckdb.connect()
    try:
        connection.execute(
            "CREATE TABLE episodes AS SELECT * FROM read_parquet(?)", [glob.escape(str(path))]
        )
        names = {row[0] for row in connection.execute("DESCRIBE episodes").fetchall()}
    except UNREADABLE as error:
        connection.close()
        raise DrivememError(damaged(path, error)) from error
    missing = [name for name in (*_PLACE, *EPISODE_COLUMNS) if name not in names]
    for name in LATER.intersection(missing):
        connection.execute(f'ALTER TABLE episodes ADD COLUMN "{name}" {EPISODE_COLUMNS[name]}')
        missing.remove(name)
    if missing:
        connection.close()
        raise DrivememError(
            f"{path} is no archive of this version of drivemem: it lacks {', '.join(missing)}"
        )
    return connection


def _restore_one(run: Run, cell: Cell, texts: dict[str, str], connection: Any) -> str:
    """Write a run's folder; returns why it does not fit, having removed it.

    What makes a folder a run comes last: when this is interrupted, the next call begins again.
    """
    columns = ", ".join(f'"{name}"' for name in EPISODE_COLUMNS)
    try:
        for name, text in sorted(texts.items(), key=lambda item: _ORDER.get(item[0], 0)):
            path = run.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            if path.name == "suite.json":
                where, place = "cell = ? AND evaluation = ?", [cell.name, path.parent.name]
                select = f"SELECT {columns} FROM episodes WHERE {where}"
                if not connection.execute(f"{select} LIMIT 1", place).fetchall():
                    clear(run)
                    return f"has no episodes of {path.parent.name} there"
                table = path.with_name(EPISODES)
                write_query(table, connection, f"{select} ORDER BY episode", place)
    except OSError as error:
        raise DrivememError(f"cannot write {run.folder}: {error}") from error
    state = state_of(run, cell)
    if state.stage == "done":
        note_done(run, restored=True)
        return ""
    clear(run)
    return state.why or "lacks evaluations that the study asks for"
