"""Tables on disk give back what was written, whole or not at all; the digest is what it says."""

from __future__ import annotations

import hashlib
import math
import struct
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from drivemem.episodes import Digest, as_json, plain, read_episodes, read_table, write_table
from drivemem.errors import DrivememError
from drivemem.schemas import ACTOR_COLUMNS, EPISODE_COLUMNS, LATER, STEP_COLUMNS

COLUMNS = {
    "number": "INTEGER", "seed": "BIGINT", "value": "DOUBLE", "word": "VARCHAR",
    "flag": "BOOLEAN", "probs": "DOUBLE[]",
}  # fmt: skip


def test_round_trip_of_every_type(tmp_path: Path) -> None:
    rows = [
        (1, 2**63 - 1, 0.1, "<script>'\"; DROP TABLE rows; --\n|ü", True, [0.25, 0.75]),
        (-2, 2**62 + 1, math.inf, "", False, []),
        (3, 0, -0.0, "1e5", True, [1.0]),
    ]
    write_table(tmp_path / "new" / "table.parquet", COLUMNS, rows)
    read = read_table(tmp_path / "new" / "table.parquet", COLUMNS)
    assert [tuple(row.values()) for row in read] == rows
    assert [list(row) for row in read] == [list(COLUMNS)] * 3


def test_missing_keys_and_not_a_number_are_null(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", COLUMNS, [{"number": 1, "value": math.nan}, {"word": "w"}])
    first, second = read_table(tmp_path / "t.parquet", COLUMNS)
    assert first == dict.fromkeys(COLUMNS) | {"number": 1}
    assert second == dict.fromkeys(COLUMNS) | {"word": "w"}


@pytest.mark.parametrize("columns", [EPISODE_COLUMNS, STEP_COLUMNS, ACTOR_COLUMNS])
def test_an_empty_table_keeps_its_columns(tmp_path: Path, columns: dict[str, str]) -> None:
    write_table(tmp_path / "t.parquet", columns, [])
    assert read_table(tmp_path / "t.parquet", columns) == []
    described = duckdb.sql(f"DESCRIBE SELECT * FROM '{tmp_path / 't.parquet'}'").fetchall()
    assert {name: kind for name, kind, *_ in described} == columns


def test_one_odd_value_among_thousands_is_kept(tmp_path: Path) -> None:
    """Types come from the columns' declaration, never from a sample of the rows."""
    rows: list[dict[str, Any]] = [{"number": k, "value": 1, "word": "7"} for k in range(4000)]
    odd = {"value": 0.5, "word": "x", "seed": 2**62 + 1, "flag": False, "probs": [0.5]}
    rows[3210].update(odd)
    write_table(tmp_path / "t.parquet", COLUMNS, rows)
    read = read_table(tmp_path / "t.parquet", COLUMNS)
    assert read[3210] == {"number": 3210, **odd}
    assert [row["number"] for row in read] == list(range(4000))


def test_doubles_keep_every_bit(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=500).tolist()
    write_table(tmp_path / "t.parquet", {"value": "DOUBLE"}, [(value,) for value in values])
    assert [r["value"] for r in read_table(tmp_path / "t.parquet", {"value": ""})] == values


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, COLUMNS, [{"number": 1}])
    before = path.read_bytes()

    def rows() -> Any:
        yield {"number": 2}
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        write_table(path, COLUMNS, rows())
    with pytest.raises(duckdb.Error):
        write_table(path, COLUMNS, [{"number": "no number"}])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_writing_replaces_the_old_file(tmp_path: Path) -> None:
    for number in (1, 2):
        write_table(tmp_path / "t.parquet", COLUMNS, [{"number": number}])
    assert [row["number"] for row in read_table(tmp_path / "t.parquet", COLUMNS)] == [2]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DrivememError, match=r"cannot write .*file/t\.parquet"):
        write_table(tmp_path / "file" / "t.parquet", COLUMNS, [])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_named(tmp_path: Path, share: float) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, COLUMNS, [{"number": k, "value": k / 7} for k in range(100)])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DrivememError, match=r"t\.parquet is truncated or (no Parquet|has changed)"):
        read_table(path, COLUMNS)


def test_foreign_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_text("number,value\n1,2\n")
    with pytest.raises(DrivememError, match="truncated or no Parquet file"):
        read_table(path, COLUMNS)
    duckdb.sql(f"COPY (SELECT 1 AS number, 'x' AS other) TO '{path}' (FORMAT parquet)")
    with pytest.raises(DrivememError, match=r"lacks seed, value, word, flag, probs"):
        read_table(path, COLUMNS)


def test_episodes_from_before_a_metric_are_read(tmp_path: Path) -> None:
    older = {name: kind for name, kind in EPISODE_COLUMNS.items() if name not in LATER}
    row = {"episode": 3, "outcome": "success"}
    write_table(tmp_path / "t.parquet", older, [row])
    (read,) = read_episodes(tmp_path / "t.parquet")
    assert set(read) == set(EPISODE_COLUMNS)
    assert read["on_time"] is None and read["episode"] == 3
    write_table(tmp_path / "t.parquet", EPISODE_COLUMNS, [{**row, "on_time": 1.0}])
    assert read_episodes(tmp_path / "t.parquet")[0]["on_time"] == 1.0
    del older["pet"]
    write_table(tmp_path / "t.parquet", older, [row])
    with pytest.raises(DrivememError, match=r"it lacks pet$"):
        read_episodes(tmp_path / "t.parquet")


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.parquet", tmp_path):
        with pytest.raises(DrivememError, match="is missing"):
            read_table(path, COLUMNS)


@pytest.mark.parametrize("name", ["r*.parquet", "r?.parquet", "r[1].parquet", "it's {a,b}.parquet"])
def test_paths_are_taken_literally(tmp_path: Path, name: str) -> None:
    for number, other in enumerate(("r1.parquet", "rx.parquet", name)):
        write_table(tmp_path / other, {"number": "INTEGER"}, [(number,)])
    assert read_table(tmp_path / name, {"number": "INTEGER"}) == [{"number": 2}]


def truth(actors: int, generator: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    return {
        "id": np.arange(actors, dtype=np.int32), "kind": np.zeros(actors, np.int8),
        "x": generator.normal(size=actors), "y": generator.normal(size=actors),
        "heading": generator.normal(size=actors), "speed": generator.uniform(0, 30, actors),
        "length": np.full(actors, 5.0), "width": np.full(actors, 2.0),
        "crashed": generator.uniform(size=actors) < 0.5,
        "visible_fraction": np.ones(actors), "perceived": np.ones(actors, bool),
        "age_s": np.zeros(actors),
    }  # fmt: skip


def test_the_digest_is_the_sha256_of_little_endian_doubles() -> None:
    generator = np.random.default_rng(0)
    decisions = [truth(actors, generator) for actors in (3, 1, 4)]
    digest, by_hand = Digest(), b""
    for one in decisions:
        digest.add(one)
        for actor in range(len(one["id"])):
            for name in ("id", "x", "y", "heading", "speed", "crashed"):
                by_hand += struct.pack("<d", float(one[name][actor]))
    assert digest.hexdigest() == hashlib.sha256(by_hand).hexdigest()


def test_the_digest_sees_the_last_bit_and_nothing_of_perception() -> None:
    def of(**changes: Any) -> str:
        digest = Digest()
        digest.add({**truth(2, np.random.default_rng(1)), **changes})
        return digest.hexdigest()

    x = truth(2, np.random.default_rng(1))["x"]
    assert of(x=np.nextafter(x, np.inf)) != of()
    assert of(visible_fraction=np.zeros(2), age_s=np.ones(2)) == of()


def test_plain_and_json_take_numpy_scalars() -> None:
    assert type(plain(np.float32(0.5))) is float and type(plain(np.bool_(True))) is bool
    assert math.isnan(plain(np.float64("nan")))
    assert as_json({"b": np.int64(1), "a": np.array([0.5, 1.0])}) == '{"a": [0.5, 1.0], "b": 1}'


def test_no_flipped_bit_gives_other_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    rows = [(number, number, 0.5 * number, "word", True, [0.5]) for number in range(20)]
    write_table(path, COLUMNS, rows)
    whole, data = read_table(path, COLUMNS), path.read_bytes()
    for byte in range(0, len(data), 3):
        changed = bytearray(data)
        changed[byte] ^= 1 << byte % 8
        path.write_bytes(changed)
        try:
            assert read_table(path, COLUMNS) == whole
        except DrivememError as error:
            assert str(path) in str(error)


def test_tables_from_before_checksums_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    duckdb.execute(f"COPY (SELECT 1 AS number) TO '{path}' (FORMAT parquet)")
    assert read_table(path, {"number": "INTEGER"}) == [{"number": 1}]
