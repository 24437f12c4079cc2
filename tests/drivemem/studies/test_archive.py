"""Results keep every episode, so that a study goes on, and is reported, without its run folders."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import pytest

from drivemem.cli import main
from drivemem.episodes import read_table, write_table
from drivemem.errors import DrivememError
from drivemem.studies import load_study, make_plan
from drivemem.studies.archive import RUN_COLUMNS, restore
from drivemem.studies.results import write_results
from drivemem.studies.state import state_of
from drivemem.studies.worker import run_cell
from tests.drivemem.studies.conftest import TINY


@pytest.fixture
def results(ran: tuple[Path, Path, str, int]) -> Path:
    """The results of the tiny study."""
    return ran[0].parent / "tiny" / "results"


def test_numbers_come_back_from_results_alone(
    ran: tuple[Path, Path, str, int],
    results: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["study", str(ran[0]), "--out", str(tmp_path / "out"), "--only-report"]
    words += ["--restore", str(results), "--results", str(tmp_path / "again")]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    assert f"2 runs restored from {results}" in capsys.readouterr().out.replace("\n", "")
    text = (tmp_path / "again" / "RESULTS.md").read_text()
    assert "2 of the runs come from earlier results" in text
    for name in ("table.csv", "cards.md"):
        assert (tmp_path / "again" / name).read_text() == (results / name).read_text()
    again = read_table(tmp_path / "again" / "episodes.parquet", {"cell": "VARCHAR"})
    assert again == read_table(results / "episodes.parquet", {"cell": "VARCHAR"})
    assert len(again) == 4 * 3  # none and gru, and gru's lesion
    made = read_table(results / "runs.parquet", RUN_COLUMNS)
    assert {row["cell"] for row in made} == {"exit-recall-none-s0", "exit-recall-gru-s0"}
    assert not [
        row for row in made if str(ran[1]) in row["text"]
    ]  # whose folders these are is private
    rows = list(csv.DictReader((results / "table.csv").open()))
    intact = next(row for row in rows if row["agent"] == "gru")
    found = duckdb.sql(
        f"SELECT avg(success::int) FROM '{results / 'episodes.parquet'}' WHERE driver = 'gru' "
        "AND lesion = 'intact' AND deterministic"
    ).fetchall()
    assert found == [(float(intact["success"]),)]


def test_runs_that_are_there_stay(ran: tuple[Path, Path, str, int], results: Path) -> None:
    plan = make_plan(load_study(ran[0]), ran[1])
    before = {path: path.stat().st_mtime_ns for path in ran[1].rglob("*") if path.is_file()}
    found = restore(plan, results)
    assert not found.cells and not found.outdated
    assert before == {p: p.stat().st_mtime_ns for p in ran[1].rglob("*") if p.is_file()}


def test_an_interrupted_restore_begins_again(
    tiny: Path, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(load_study(tiny), tmp_path / "out")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("drivemem.studies.archive.write_query", interrupted)
        with pytest.raises(KeyboardInterrupt):
            restore(plan, results)
    assert len(restore(plan, results).cells) == 2


def test_runs_of_another_study_are_not_taken(tiny: Path, results: Path, tmp_path: Path) -> None:
    tiny.write_text(TINY.replace("n_steps = 32", "n_steps = 16"))
    plan = make_plan(load_study(tiny), tmp_path / "out")
    found = restore(plan, results)
    assert not found.cells
    assert set(found.outdated) == {cell.name for cell in plan.cells}
    assert all("n_steps" in why for why in found.outdated.values())
    assert {state_of(plan.run(cell), cell).stage for cell in plan.cells} == {"new"}


def test_more_is_asked_of_a_restored_run_than_it_has(
    tiny: Path, results: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert len(restore(make_plan(load_study(tiny), out), results).cells) == 2
    tiny.write_text(TINY.replace("episodes = 4", "episodes = 5"))
    plan = make_plan(load_study(tiny), out)
    plan.save()
    cell = plan.cells[0]
    done = plan.run(cell).folder / "done.json"
    before = json.loads(done.read_text())["evaluations"]
    assert state_of(plan.run(cell), cell).stage != "done"
    run_cell(out, cell.name)  # there are no weights to evaluate: it is trained
    assert state_of(plan.run(cell), cell).stage == "done"
    assert (plan.run(cell).model / "agent.json").is_file()
    marker = json.loads(done.read_text())
    assert "restored" not in marker and marker["evaluations"].keys().isdisjoint(before)


def test_an_archive_writes_nothing_outside_run_folders(
    tiny: Path, results: Path, tmp_path: Path
) -> None:
    plan = make_plan(load_study(tiny), tmp_path / "a" / "out")
    rows = read_table(results / "runs.parquet", RUN_COLUMNS)
    cell = plan.cells[0].name
    hostile = ["../../evil.json", "model/agent.json", "evaluations/../suite.json", "/tmp/evil.json"]
    rows += [{"cell": cell, "file": name, "text": "{}"} for name in hostile]
    rows += [
        {"cell": "../evil", "file": name, "text": "{}"} for name in ("config.json", "done.json")
    ]
    folder = tmp_path / "hostile"
    folder.mkdir()
    write_table(folder / "runs.parquet", RUN_COLUMNS, rows)
    (folder / "episodes.parquet").write_bytes((results / "episodes.parquet").read_bytes())
    assert len(restore(plan, folder).cells) == 2
    files = {path.name for path in (tmp_path / "a").rglob("*") if path.is_file()}
    assert files == {"config.json", "manifest.json", "done.json", "suite.json", "episodes.parquet"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"out"}


@pytest.mark.parametrize("name", ["runs.parquet", "episodes.parquet"])
def test_a_damaged_archive_is_said_to_be_one(
    tiny: Path, results: Path, tmp_path: Path, name: str
) -> None:
    plan = make_plan(load_study(tiny), tmp_path / "out")
    folder = tmp_path / "damaged"
    folder.mkdir()
    for file in ("runs.parquet", "episodes.parquet"):
        (folder / file).write_bytes((results / file).read_bytes())
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DrivememError, match="truncated or no Parquet file"):
        restore(plan, folder)
    (folder / name).unlink()
    with pytest.raises(DrivememError, match=f"has no {name}: give the results folder"):
        restore(plan, folder)
    assert not (tmp_path / "out").exists()


def test_an_archive_from_before_a_metric_is_taken_and_written_again(
    tiny: Path, results: Path, tmp_path: Path
) -> None:
    plan = make_plan(load_study(tiny), tmp_path / "out")
    folder = tmp_path / "older"
    folder.mkdir()
    (folder / "runs.parquet").write_bytes((results / "runs.parquet").read_bytes())
    duckdb.sql(
        f"COPY (SELECT * EXCLUDE on_time FROM '{results / 'episodes.parquet'}') "
        f"TO '{folder / 'episodes.parquet'}' (FORMAT parquet)"
    )
    assert len(restore(plan, folder).cells) == 2
    one = next((tmp_path / "out").glob("*/evaluations/*/episodes.parquet"))
    duckdb.sql(
        f"COPY (SELECT * EXCLUDE on_time FROM '{one}') TO '{tmp_path / 'one'}' (FORMAT parquet)"
    )
    one.write_bytes((tmp_path / "one").read_bytes())  # as an older drivemem left it
    write_results(plan, tmp_path / "again")
    again = tmp_path / "again" / "episodes.parquet"
    assert duckdb.sql(f"SELECT count(*), count(on_time) FROM '{again}'").fetchall() == [(12, 0)]


def test_an_archive_without_a_runs_episodes_does_not_make_it_done(
    tiny: Path, results: Path, tmp_path: Path
) -> None:
    plan = make_plan(load_study(tiny), tmp_path / "out")
    folder = tmp_path / "part"
    folder.mkdir()
    (folder / "runs.parquet").write_bytes((results / "runs.parquet").read_bytes())
    lost = plan.cells[0].name
    duckdb.sql(
        f"COPY (SELECT * FROM '{results / 'episodes.parquet'}' WHERE cell <> '{lost}') "
        f"TO '{folder / 'episodes.parquet'}' (FORMAT parquet)"
    )
    found = restore(plan, folder)
    assert found.cells == [plan.cells[1].name]
    assert "has no episodes of" in found.outdated[lost]
    assert state_of(plan.run(plan.cells[0]), plan.cells[0]).stage == "new"
    assert "none" not in write_results(plan, tmp_path / "again").comparison.table[0]["agent"]
