from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest

from drivemem.episodes import write_table
from drivemem.errors import DrivememError
from drivemem.replays.load import find_recording
from drivemem.schemas import PROBES


def changed(recording: Path, folder: Path, name: str, query: str) -> Path:
    """A copy of a recording in which one table is what a query makes of it."""
    shutil.copytree(recording, folder)
    table = f"read_parquet('{recording / name}.parquet')"
    target = f"'{folder / name}.parquet' (FORMAT parquet)"
    duckdb.connect().execute(f"COPY ({query.format(table=table)}) TO {target}")
    return folder


def test_a_recording_holds_what_was_driven(recording: Path) -> None:
    loaded = find_recording(recording)
    row = loaded.episodes[0]
    trace = loaded.trace(row)
    assert [row.outcome for row in loaded.episodes] == ["collision", "success"]
    assert row.seed == 6 and row.occluders.shape == (4, 5)
    assert row.sensors["line_of_sight"] == ["actors", "occluders"]
    assert len(trace.actions) == row.length and set(trace.actions) == {2}
    # One more decision than actions: the state in which the episode ended.
    assert len(trace.decisions) == row.length + 1
    assert all(truth["id"][0] == 0 for truth in trace.decisions)
    assert trace.decisions[-1]["crashed"][0] and not trace.decisions[-2]["crashed"][0]


def test_columns_that_were_not_recorded_are_nan(other_recording: Path) -> None:
    loaded = find_recording(other_recording)
    steps = loaded.trace(loaded.episodes[0]).steps
    assert np.isnan(np.asarray(steps["value"], dtype=float)).all()
    assert not np.isnan(np.asarray(steps["t_s"], dtype=float)).any()


def test_a_run_means_its_newest_recording_with_whole_memory(
    recording: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(recording, run / "recordings" / "test-intact")
    shutil.copytree(recording, run / "recordings" / "test-span-1")
    assert find_recording(run).folder.name == "test-intact"
    assert find_recording(run / "recordings" / "test-span-1").folder.name == "test-span-1"


def test_a_run_is_found_by_name(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(recording, tmp_path / "runs" / "bold" / "recordings" / "test-intact")
    monkeypatch.chdir(tmp_path)
    assert find_recording("bold").episodes[0].seed == 6
    with pytest.raises(DrivememError, match=r"no run or recording at 'bald'.*mean 'bold'"):
        find_recording("bald")


def test_a_run_without_recordings_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DrivememError, match=r"no recordings.*evaluate .* --record"):
        find_recording(tmp_path)


def test_an_unknown_episode_names_the_recorded_ones(recording: Path) -> None:
    with pytest.raises(DrivememError, match=r"no episode 7 \(recorded: 0, 1\)"):
        find_recording(recording).episode(7)


@pytest.mark.parametrize("name", ["episodes", "steps", "actors"])
@pytest.mark.parametrize("damage", ["truncated", "foreign", "missing"])
def test_damaged_files_are_named(recording: Path, tmp_path: Path, name: str, damage: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(recording, folder)
    path = folder / f"{name}.parquet"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-30])
    elif damage == "foreign":
        path.write_text("episode,seed\n1,2\n")
    else:
        path.unlink()
    with pytest.raises(DrivememError, match=rf"{name}\.parquet.*--record"):
        find_recording(folder)


def test_a_table_with_other_columns_is_refused(recording: Path, tmp_path: Path) -> None:
    folder = changed(recording, tmp_path / "a", "actors", "SELECT * EXCLUDE (age_s) FROM {table}")
    with pytest.raises(DrivememError, match="no column 'age_s'"):
        find_recording(folder)
    query = "SELECT * REPLACE ('fast' AS speed) FROM {table}"
    folder = changed(recording, tmp_path / "b", "actors", query)
    with pytest.raises(DrivememError, match="column 'speed' is VARCHAR, not a number"):
        find_recording(folder)


def test_another_version_is_refused(recording: Path, tmp_path: Path) -> None:
    query = "SELECT * REPLACE (99 AS schema_version) FROM {table}"
    folder = changed(recording, tmp_path / "a", "episodes", query)
    with pytest.raises(DrivememError, match="schema version 99; this drivemem reads 1"):
        find_recording(folder)


@pytest.mark.parametrize("column", ["sensors", "occluders", "config"])
def test_broken_json_names_its_column(recording: Path, tmp_path: Path, column: str) -> None:
    query = f"SELECT * REPLACE ('{{{{' AS {column}) FROM {{table}}"
    folder = changed(recording, tmp_path / "a", "episodes", query)
    with pytest.raises(DrivememError, match=f"'{column}' of .* is no JSON"):
        find_recording(folder)


def test_an_episode_without_actors_is_refused(recording: Path, tmp_path: Path) -> None:
    query = "SELECT * FROM {table} WHERE episode <> 1"
    loaded = find_recording(changed(recording, tmp_path / "a", "actors", query))
    with pytest.raises(DrivememError, match="episode 1 has no steps or no actors"):
        loaded.trace(loaded.episode(1))


def test_an_empty_recording_is_refused(recording: Path, tmp_path: Path) -> None:
    folder = changed(recording, tmp_path / "a", "episodes", "SELECT * FROM {table} WHERE false")
    with pytest.raises(DrivememError, match="holds no episodes"):
        find_recording(folder)


def probed(recording: Path, run: Path, shift: float = 0.0, seed: int = 6) -> Path:
    """A run with a recording and a probe that places one actor 3 m beside where it is."""
    kept = run / "recordings" / "test-intact"
    shutil.copytree(recording, kept)
    table = f"read_parquet('{recording / 'actors.parquet'}')"
    target = run / "probes" / "test-intact" / "decoded.parquet"
    target.parent.mkdir(parents=True)
    duckdb.connect().execute(
        f"COPY (SELECT episode, {seed} AS seed, step, id, x + 3 AS decoded_x, y AS decoded_y, "
        f"x + {shift} AS x, y FROM {table} WHERE episode = 0 AND id = 1 AND step > 2) "
        f"TO '{target}' (FORMAT parquet)"
    )
    return run


def test_a_probe_beside_the_recording_says_what_is_remembered(
    recording: Path, tmp_path: Path
) -> None:
    loaded = find_recording(probed(recording, tmp_path / "run"))
    actors = loaded.trace(loaded.episodes[0]).actors
    told = np.isfinite(actors["decoded_x"])
    assert set(actors["id"][told]) == {1} and actors["step"][told].min() == 3
    np.testing.assert_allclose(actors["decoded_x"][told], actors["x"][told] + 3)
    assert "decoded_x" not in loaded.trace(loaded.episodes[1]).actors


@pytest.mark.parametrize("wrong", [{"shift": 5.0}, {"seed": 7}])
def test_a_probe_of_other_episodes_is_not_shown(
    recording: Path, tmp_path: Path, wrong: dict[str, float]
) -> None:
    loaded = find_recording(probed(recording, tmp_path / "run", **wrong))  # type: ignore[arg-type]
    assert "decoded_x" not in loaded.trace(loaded.episodes[0]).actors


def test_a_damaged_probe_is_named(recording: Path, tmp_path: Path) -> None:
    run = probed(recording, tmp_path / "run")
    (run / "probes" / "test-intact" / "decoded.parquet").write_bytes(b"torn")
    loaded = find_recording(run)
    with pytest.raises(DrivememError, match=r"decoded\.parquet cannot be read .*drivemem probe"):
        loaded.trace(loaded.episodes[0])


def with_latents(recording: Path, run: Path, *, shift: float = 0.0) -> Path:
    """A run with a recording, and a probe that reads one of three kinds in episode 0."""
    shutil.copytree(recording, run / "recordings" / "test-intact")
    (row, *_) = find_recording(recording).episodes
    truths = find_recording(recording).trace(row).decisions
    rows = [
        {
            "episode": 0, "seed": row.seed, "step": step, "id": 0, "part": 0, "target": "latent",
            "kinds": True, "value": 1.0, "decoded": 1.0 if step < 5 else 2.0,
            "confidence": 0.75, "x": truth["x"][0] + shift, "y": truth["y"][0], "age_s": 0.2 * step,
        }
        for step, truth in enumerate(truths[:-1])
    ]  # fmt: skip
    write_table(run / "probes" / "test-intact" / "latents.parquet", PROBES["latents"], rows)
    return run


def test_what_a_probe_reads_of_the_cue_is_beside_the_recording(
    recording: Path, tmp_path: Path
) -> None:
    loaded = find_recording(with_latents(recording, tmp_path / "run"))
    trace = loaded.trace(loaded.episodes[0])
    (latent,) = trace.latents
    count = len(trace.decisions)
    assert latent.kinds and latent.value.shape == latent.decoded.shape == (count,)
    assert latent.decoded[:5].tolist() == [1.0] * 5 and set(latent.decoded[5:-1]) == {2.0}
    assert np.isnan(latent.decoded[-1]), "at the last state nothing is decided"
    assert (latent.confidence[:-1] == 0.75).all()
    assert loaded.trace(loaded.episodes[1]).latents == []


def test_what_was_read_on_another_drive_is_not_shown(recording: Path, tmp_path: Path) -> None:
    loaded = find_recording(with_latents(recording, tmp_path / "run", shift=1.0))
    assert loaded.trace(loaded.episodes[0]).latents == []
