"""Reading recordings: Parquet through DuckDB, checked before anything is shown.

Whatever is wrong with the files ends as one `DrivememError` that names the file and the way out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from drivemem.episodes import UNREADABLE, check_table
from drivemem.errors import DrivememError, did_you_mean, first_line
from drivemem.replays.probed import DECODED, ReadLatent, decoded_places, read_latents
from drivemem.runs import run_folder
from drivemem.schemas import ACTORS, RECORDED, SCHEMA_VERSION, STEPS

_FAMILIES = {
    "INTEGER": "number", "BIGINT": "number", "DOUBLE": "number", "VARCHAR": "text",
    "BOOLEAN": "true or false", "DOUBLE[]": "list", "FLOAT[]": "list",
}  # fmt: skip
"""What a column of a type may be read from: files of other writers have other numbers."""
REQUIRED: Mapping[str, Mapping[str, str]] = {
    table: {name: _FAMILIES[column.kind] for name, column in columns.items() if column.needed}
    for table, columns in {"episodes": RECORDED, "steps": STEPS, "actors": ACTORS}.items()
}
_AGAIN = "record again with `drivemem evaluate RUN --record N`"


@dataclass(frozen=True)
class EpisodeRow:
    """One recorded episode's row of `episodes.parquet`."""

    episode: int
    seed: int
    scenario: str
    config: dict[str, Any]
    """Changes of the world's configuration."""
    sensors: dict[str, Any]
    slots: str
    tracker: str
    backend: str
    driver: str
    run: str
    lesion: str
    outcome: str
    success: bool
    total_return: float
    length: int
    duration_s: float
    digest: str
    occluders: NDArray[np.float64]
    """(K, 5): x, y, heading, length, width; m, rad."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """The remaining columns, by name."""

    @property
    def decision_s(self) -> float:
        """Decision period, s."""
        return self.duration_s / self.length if self.length else 1.0


@dataclass(frozen=True)
class Trace:
    """What one episode recorded: steps (T rows) and actors (one row per decision and actor)."""

    row: EpisodeRow
    steps: dict[str, NDArray[Any]]
    actors: dict[str, NDArray[Any]]
    latents: list[ReadLatent] = field(default_factory=list)
    """What a probe of the memory read of the cue and other latents."""

    @cached_property
    def decisions(self) -> list[dict[str, NDArray[Any]]]:
        """The actors' columns at decisions 0, 1, …, the ego (id 0) first."""
        numbers = self.actors["step"]
        bounds = np.searchsorted(numbers, np.arange(int(numbers[-1]) + 2)) if len(numbers) else [0]
        return [
            {name: column[first:last] for name, column in self.actors.items()}
            for first, last in pairwise(bounds)
        ]

    @cached_property
    def actions(self) -> list[Any]:
        """The action taken at each decision, as the environment takes it."""
        found = []
        for text in self.steps["action"]:
            action = None if text is None else _parse(str(text), "an action")
            if action is not None:
                found.append(
                    np.asarray(action, dtype=np.float32)
                    if isinstance(action, list)
                    else int(action)
                )
        return found


class Recording:
    """A folder with `episodes`, `steps` and `actors.parquet`.

    Args:
        folder: the folder.

    Raises:
        DrivememError: a file is missing, truncated, foreign or of another version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._connection = duckdb.connect()
        self._columns = {name: self._check(name) for name in REQUIRED}
        self.episodes = [self._episode(row) for row in self._rows("episodes", "ORDER BY episode")]
        if not self.episodes:
            raise DrivememError(f"{folder} holds no episodes: {_AGAIN}")

    def episode(self, number: int) -> EpisodeRow:
        """An episode by its number.

        Raises:
            DrivememError: there is no such episode.
        """
        for row in self.episodes:
            if row.episode == number:
                return row
        numbers = [row.episode for row in self.episodes]
        shown = ", ".join(map(str, numbers[:20])) + (", …" if len(numbers) > 20 else "")
        raise DrivememError(f"{self.folder} has no episode {number} (recorded: {shown})")

    def trace(self, row: EpisodeRow) -> Trace:
        """Steps and actors of one episode.

        Raises:
            DrivememError: they are missing or unreadable.
        """
        where = "WHERE episode = $episode ORDER BY step"
        steps = self._table("steps", where, row.episode)
        # The file's own order within a step is the backend's, which the digest covers.
        actors = self._table("actors", f"{where}, id <> 0, file_row_number", row.episode)
        if not len(steps["step"]) or not len(actors["step"]):
            raise DrivememError(
                f"{self.folder}: episode {row.episode} has no steps or no actors; {_AGAIN}"
            )
        actors.pop("file_row_number", None)
        beside = self._connection, self.folder, row.episode, row.seed, actors
        places = {} if DECODED[0] in actors else decoded_places(*beside)
        return Trace(row, steps, actors | places, read_latents(*beside))

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"

    def _run(self, query: str, name: str, **parameters: Any) -> Any:
        try:
            return self._connection.execute(query, {"file": str(self._file(name)), **parameters})
        except UNREADABLE as error:
            reason = first_line(error)
            raise DrivememError(
                f"{self._file(name)} cannot be read as Parquet (truncated, or no recording): "
                f"{reason}; {_AGAIN}"
            ) from error

    def _check(self, name: str) -> dict[str, str]:
        """The file's columns; refuses a foreign or old one."""
        path = self._file(name)
        if not path.is_file():
            raise DrivememError(f"{path} is missing, so this is no recording; {_AGAIN}")
        check_table(path, _AGAIN)
        found = {
            column: kind
            for column, kind, *_ in self._run(
                "DESCRIBE SELECT * FROM read_parquet($file)", name
            ).fetchall()
        }
        for column, family in REQUIRED[name].items():
            if column not in found:
                raise DrivememError(
                    f"{path} has no column '{column}' (foreign, or of another version); {_AGAIN}"
                )
            if not _is_of(found[column], family):
                raise DrivememError(
                    f"{path}: column '{column}' is {found[column]}, not a {family}; {_AGAIN}"
                )
        return found

    def _rows(self, name: str, tail: str) -> list[dict[str, Any]]:
        answer = self._run(f"SELECT * FROM read_parquet($file) {tail}", name)
        names = [column[0] for column in answer.description]
        return [dict(zip(names, values, strict=True)) for values in answer.fetchall()]

    def _table(self, name: str, tail: str, episode: int) -> dict[str, NDArray[Any]]:
        source = "read_parquet($file, file_row_number = true)"
        answer = self._run(f"SELECT * FROM {source} {tail}", name, episode=episode)
        try:
            columns = answer.fetchnumpy()
        except UNREADABLE as error:
            raise DrivememError(
                f"{self._file(name)} is damaged: {first_line(error)}; {_AGAIN}"
            ) from error
        return {key: _plain(column) for key, column in columns.items()}

    def _episode(self, row: dict[str, Any]) -> EpisodeRow:
        where = f"{self._file('episodes')}, episode {row['episode']}"
        occluders = _parse(row["occluders"] or "[]", f"'occluders' of {where}")
        if row["schema_version"] != SCHEMA_VERSION:
            raise DrivememError(
                f"{where} has schema version {row['schema_version']}; this drivemem reads "
                f"{SCHEMA_VERSION}: {_AGAIN}, or use the version that wrote it"
            )
        try:
            table = np.asarray(occluders, dtype=np.float64).reshape(-1, 5)
        except (TypeError, ValueError) as error:
            raise DrivememError(f"'occluders' of {where} are no rows of 5 numbers") from error
        return EpisodeRow(
            episode=int(row["episode"]),
            seed=int(row["seed"]),
            scenario=row["scenario"],
            config=_parse(row["config"] or "{}", f"'config' of {where}"),
            sensors=_parse(row["sensors"] or "{}", f"'sensors' of {where}"),
            slots=row["slots"],
            tracker=row["tracker"],
            backend=row["backend"],
            driver=row["driver"],
            run=row["run"],
            lesion=row["lesion"],
            outcome=row["outcome"],
            success=bool(row["success"]),
            total_return=float(row["return"]),
            length=int(row["length"]),
            duration_s=float(row["duration_s"]),
            digest=row["digest"] or "",
            occluders=table,
            metrics={key: value for key, value in row.items() if key not in REQUIRED["episodes"]},
        )


def find_recording(place: str | Path) -> Recording:
    """The recording that a path means: a recording's folder, or a run's newest recording.

    Args:
        place: a recording or run folder, a run's name under `runs/`, or an agent of the zoo.

    Raises:
        DrivememError: nothing is there; the message says what is near.
    """
    given = run_folder(place)
    folder = given if given.exists() else Path("runs") / given
    if not folder.is_dir():
        raise DrivememError(f"there is no run or recording at '{given}'{_near(given)}")
    if any((folder / f"{name}.parquet").exists() for name in ("steps", "actors")):
        return Recording(folder)
    kept = [path.parent for path in (folder / "recordings").glob("*/steps.parquet")]
    kept = kept or [path.parent for path in folder.glob("*/steps.parquet")]
    if not kept:
        raise DrivememError(
            f"'{folder}' has no recordings: make some with `drivemem evaluate {folder} --record 20`"
        )
    # Unharmed memory before lesions, then the newest.
    return Recording(
        max(kept, key=lambda path: (path.name.endswith("-intact"), path.stat().st_mtime))
    )


def _near(place: Path) -> str:
    around = [place.parent, Path("runs")]
    names = {path.name for parent in around if parent.is_dir() for path in parent.iterdir()}
    return did_you_mean(place.name, sorted(names))


def _is_of(kind: str, family: str) -> bool:
    if family == "list":
        return kind.endswith("]")
    if family == "text":
        return kind in {"VARCHAR", "JSON"}
    if family == "true or false":
        return kind == "BOOLEAN"
    return kind.endswith("INT") or kind.startswith(("INT", "BIGINT", "DOUBLE", "FLOAT", "DECIMAL"))


def _plain(column: Any) -> NDArray[Any]:
    """DuckDB masks what is NULL: numbers become NaN, others None."""
    if not isinstance(column, np.ma.MaskedArray):
        return np.asarray(column)
    mask, values = np.ma.getmaskarray(column), np.asarray(column.data)
    if not mask.any():
        return values
    if values.dtype.kind in "iuf":
        return np.where(mask, np.nan, values)
    objects = values.astype(object)
    objects[mask] = None
    return objects


def _parse(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DrivememError(f"{what} is no JSON ({error}); {_AGAIN}") from error
