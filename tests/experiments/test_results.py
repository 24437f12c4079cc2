"""Every number that is committed can be made again from what is committed beside it."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from drivemem.comparison.statistics import MIN_RUNS
from drivemem.episodes import read_table
from drivemem.evaluation.suites import load_suite
from drivemem.studies import load_study, make_plan
from drivemem.studies.archive import EPISODES, RUN_COLUMNS, RUNS, restore
from drivemem.studies.results import MOST_BYTES

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
RESULTS = sorted(EXPERIMENTS.glob("*/results"))
SUPERSEDED = "superseded.md"
"""Says in a results folder that no episodes were kept with it."""
KEPT = [folder for folder in RESULTS if not (folder / SUPERSEDED).exists()]


def name(folder: Path) -> str:
    return folder.parent.name


@pytest.mark.parametrize("folder", RESULTS, ids=name)
def test_results_keep_their_episodes_or_say_that_they_do_not(folder: Path) -> None:
    kept = {file for file in (EPISODES, RUNS) if (folder / file).is_file()}
    assert kept == (set() if folder not in KEPT else {EPISODES, RUNS})
    if not kept:
        assert SUPERSEDED in (folder / "RESULTS.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", RESULTS, ids=name)
def test_results_are_small_and_hold_no_page_that_can_be_made_again(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) <= MOST_BYTES
    assert not list(folder.glob("*.html"))


@pytest.mark.parametrize("folder", KEPT, ids=name)
def test_scenarios_are_those_of_the_committed_runs(folder: Path, tmp_path: Path) -> None:
    plan = make_plan(load_study(EXPERIMENTS / f"{name(folder)}.toml"), tmp_path)
    now = {cell.name: cell.scenario_hash for cell in plan.cells}
    then = {
        row["cell"]: json.loads(row["text"])["scenario_hash"]
        for row in read_table(folder / RUNS, RUN_COLUMNS)
        if row["file"] == "manifest.json" and "scenario_hash" in row["text"]
    }
    assert then and {cell: now[cell] for cell in then} == then


@pytest.mark.parametrize("file", sorted(EXPERIMENTS.glob("ablation_*.toml")), ids=lambda f: f.stem)
def test_ablations_can_be_planned_and_have_runs_enough_to_call(file: Path, tmp_path: Path) -> None:
    plan = make_plan(load_study(file), tmp_path)
    runs: dict[tuple[str, str], set[int | None]] = {}
    for cell in plan.cells:
        runs.setdefault((cell.scenario, cell.agent), set()).add(cell.seed)
    assert min(map(len, runs.values())) >= MIN_RUNS


@pytest.mark.parametrize(
    "path", sorted(EXPERIMENTS.glob("ablation_*/*.json")), ids=lambda p: p.stem
)
def test_suites_of_ablations_are_of_scenarios_as_they_are_now(path: Path) -> None:
    assert len(load_suite(path).seeds) == 300


@pytest.mark.slow
@pytest.mark.parametrize("folder", KEPT, ids=name)
def test_studies_go_on_from_the_committed_results(folder: Path, tmp_path: Path) -> None:
    plan = make_plan(load_study(EXPERIMENTS / f"{name(folder)}.toml"), tmp_path)
    found = restore(plan, folder)
    committed = {row["cell"] for row in read_table(folder / RUNS, RUN_COLUMNS)}
    assert not found.outdated
    assert set(found.cells) == committed


@pytest.mark.parametrize("experiment", ["memory_zoo", "external"])
def test_pages_are_made_of_their_tables(experiment: str) -> None:
    run = import_module(f"experiments.{experiment}.run")
    folder = EXPERIMENTS / experiment
    page = (folder / "RESULTS.md").read_text(encoding="utf-8")
    assert run.results(run.table_at(folder / "runs.csv").read()) == page


@pytest.mark.parametrize("experiment", ["memory_zoo", "external"])
def test_tables_are_read_as_they_were_written(experiment: str, tmp_path: Path) -> None:
    run = import_module(f"experiments.{experiment}.run")
    table, again = EXPERIMENTS / experiment / "runs.csv", run.table_at(tmp_path / "runs.csv")
    assert again.read() == []
    again.write(run.table_at(table).read()[::-1])
    assert again.path.read_bytes() == table.read_bytes()
