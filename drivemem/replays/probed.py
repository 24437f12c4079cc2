"""What a probe of the driver's memory read, beside a recording of the same episodes.

Only what is of the very drive that was recorded counts: a probe may be of another day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from drivemem.episodes import UNREADABLE, check_table
from drivemem.errors import DrivememError, first_line

DECODED = ("decoded_x", "decoded_y")
"""Optional columns of actors: where a probe of the memory places them, m."""
_SAME_PLACE_M = 0.01
_WAY_OUT = "probe again with `drivemem probe`, or delete it"

Actors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class ReadLatent:
    """One latent through an episode of T decisions, its last state included; NaN: not known."""

    kinds: bool
    """Whether values are numbers of kinds."""
    value: NDArray[np.float64]
    """(T,) the truth."""
    decoded: NDArray[np.float64]
    """(T,) what the probe reads."""
    confidence: NDArray[np.float64]
    """(T,) the probability that the probe gives it; of kinds only."""


def decoded_places(
    connection: duckdb.DuckDBPyConnection, folder: Path, episode: int, seed: int, actors: Actors
) -> Actors:
    """Where the probe places hidden actors, as columns of actors; {} without a probe.

    Args:
        connection: to DuckDB.
        folder: of the recording.
        episode: its number.
        seed: its seed.
        actors: what was recorded of it.

    Raises:
        DrivememError: the probe's file cannot be read.
    """
    columns = {key: np.full(len(actors["step"]), np.nan) for key in DECODED}
    for place, found in _rows_of(connection, folder, "decoded", episode, seed, actors, DECODED):
        for key in DECODED:
            columns[key][place] = found[key]
    return columns if np.isfinite(columns[DECODED[0]]).any() else {}


def read_latents(
    connection: duckdb.DuckDBPyConnection, folder: Path, episode: int, seed: int, actors: Actors
) -> list[ReadLatent]:
    """What the probe reads of the cue and other latents; [] without a probe. See above."""
    count = int(actors["step"][-1]) + 1
    latents: dict[int, ReadLatent] = {}
    names = ("part", "kinds", "value", "decoded", "confidence")
    for place, found in _rows_of(connection, folder, "latents", episode, seed, actors, names):
        latent = latents.setdefault(
            int(found["part"]),
            ReadLatent(bool(found["kinds"]), *(np.full(count, np.nan) for _ in range(3))),
        )
        step = int(actors["step"][place])
        latent.value[step], latent.decoded[step] = found["value"], found["decoded"]
        if found["confidence"] is not None:
            latent.confidence[step] = found["confidence"]
    return [latents[part] for part in sorted(latents)]


def _rows_of(
    connection: duckdb.DuckDBPyConnection, folder: Path, table: str, episode: int, seed: int,
    actors: Actors, names: tuple[str, ...],
) -> Iterator[tuple[int, dict[str, Any]]]:  # fmt: skip
    """A probe's rows of an episode: the row of the actor that each is of, and columns of it."""
    file = folder.parent.parent / "probes" / folder.name / f"{table}.parquet"
    if not file.is_file():
        return
    check_table(file, _WAY_OUT)
    columns = ("step", "id", "x", "y", *names)
    query = (
        f"SELECT {', '.join(columns)} FROM read_parquet($file) "
        "WHERE episode = $episode AND seed = $seed"
    )
    try:
        found = connection.execute(
            query, {"file": str(file), "episode": episode, "seed": seed}
        ).fetchall()
    except UNREADABLE as error:
        raise DrivememError(f"{file} cannot be read ({first_line(error)}): {_WAY_OUT}") from error
    at = {
        (int(step), int(actor)): k
        for k, (step, actor) in enumerate(zip(actors["step"], actors["id"], strict=True))
    }
    for step, actor, x, y, *values in found:
        k = at.get((int(step), int(actor)))
        if k is None or max(abs(actors["x"][k] - x), abs(actors["y"][k] - y)) > _SAME_PLACE_M:
            continue
        yield k, dict(zip(names, values, strict=True))
