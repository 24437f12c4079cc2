"""Every number that is committed can be made again from what is committed beside it."""

from __future__ import annotations

import json
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


def test_the_page_of_the_memory_zoo_is_made_of_its_table() -> None:
    from experiments.memory_zoo.run import RUNS as TABLE
    from experiments.memory_zoo.run import read_runs, results

    page = EXPERIMENTS / "memory_zoo" / "RESULTS.md"
    assert results(read_runs(TABLE)) == page.read_text(encoding="utf-8")


def test_the_table_of_the_memory_zoo_is_read_as_it_was_written(tmp_path: Path) -> None:
    from experiments.memory_zoo.run import RUNS as TABLE
    from experiments.memory_zoo.run import read_runs, write_runs

    again = tmp_path / "runs.csv"
    assert read_runs(again) == []
    write_runs(again, read_runs(TABLE)[::-1])
    assert again.read_bytes() == TABLE.read_bytes()
