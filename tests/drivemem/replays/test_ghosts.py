"""Where trackers place what is out of sight: recorded on either backend, and drawn."""

from __future__ import annotations

import base64
import json
import re
import shutil
import zlib
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from drivemem import evaluate
from drivemem.replays.load import Trace, find_recording
from drivemem.replays.page import write_page

GHOSTS = ("ghost_x", "ghost_y", "ghost_heading")


def recorded(folder: Path, backend: Any, driver: str = "hold_last") -> Path:
    """Three episodes of a driver that reads rows, at a crossing where cars are lost from sight."""
    (done,) = evaluate(
        driver=driver, scenario="hidden-crossing", episodes=3, record="3", backend=backend,
        out=folder, quiet=True, num_workers=1, num_envs=1,
    )  # fmt: skip
    assert done.recording is not None
    return done.recording


def traces_of(folder: Path) -> list[Trace]:
    loaded = find_recording(folder)
    return [loaded.trace(row) for row in loaded.episodes]


def side_of(page: Path, number: int = 0) -> dict[str, Any]:
    found = re.search(r'type="application/json">(.*?)</script>', page.read_text(), re.S)
    assert found is not None
    blob = json.loads(found[1])["blobs"][1 + number]
    side: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(blob)))["sides"][0]
    return side


@pytest.fixture(scope="module")
def by_reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("ghosts") / "reference", "reference")


def test_what_was_perceived_last_stays_where_the_tracker_keeps_it(by_reference: Path) -> None:
    ghosts = 0
    for trace in traces_of(by_reference):
        kept: dict[int, tuple[float, float]] = {}
        for truth in trace.decisions:
            for row, actor in enumerate(truth["id"].tolist()):
                placed = (float(truth["ghost_x"][row]), float(truth["ghost_y"][row]))
                if truth["perceived"][row]:
                    assert np.isnan(placed).all()
                    kept[actor] = (float(truth["x"][row]), float(truth["y"][row]))
                elif np.isfinite(placed).all():
                    assert placed == kept[actor]
                    ghosts += 1
    assert ghosts > 20


def test_both_backends_record_the_same_ghosts(by_reference: Path, tmp_path: Path) -> None:
    compiled = traces_of(recorded(tmp_path / "compiled", "compiled"))
    for one, other in zip(traces_of(by_reference), compiled, strict=True):
        assert (one.row.backend, other.row.backend) == ("reference", "compiled")
        for name in GHOSTS:
            np.testing.assert_allclose(one.actors[name], other.actors[name], atol=1e-6)


def test_the_page_places_cars_as_the_tracker_did(by_reference: Path, tmp_path: Path) -> None:
    trace = traces_of(by_reference)[0]
    side = side_of(write_page(find_recording(by_reference), tmp_path / "p.html"))
    assert side["tracked"]
    found = 0
    for track in side["tracks"]:
        rows = np.flatnonzero(trace.actors["id"] == track["id"])
        for place, row in enumerate(rows[: len(track.get("ghost_x", ()))]):
            told, wanted = track["ghost_x"][place], trace.actors["ghost_x"][row]
            assert (told is None) == bool(np.isnan(wanted))
            if told is not None:
                assert told == pytest.approx(wanted, abs=0.0051)
                found += 1
    assert found


def test_without_a_tracker_nothing_is_placed(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "run", "reference", "constant:IDLE")
    assert all(np.isnan(trace.actors[name].astype(float)).all()
               for trace in traces_of(folder) for name in GHOSTS)  # fmt: skip
    side = side_of(write_page(find_recording(folder), tmp_path / "p.html"))
    assert not side["tracked"] and not any("ghost_x" in track for track in side["tracks"])


def test_recordings_from_before_ghosts_are_still_shown(by_reference: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(by_reference, old)
    duckdb.connect().execute(
        f"COPY (SELECT * EXCLUDE ({', '.join(GHOSTS)}) FROM "
        f"read_parquet('{by_reference / 'actors.parquet'}')) "
        f"TO '{old / 'actors.parquet'}' (FORMAT parquet)"
    )
    side = side_of(write_page(find_recording(old), tmp_path / "p.html"))
    assert not side["tracked"] and side["tracks"]
