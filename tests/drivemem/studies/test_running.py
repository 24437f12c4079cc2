"""Studies run here: failures stay alone, any kill resumes, nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import drivemem
from drivemem.episodes import read_table
from drivemem.errors import DrivememError
from drivemem.schemas import EPISODE_COLUMNS
from drivemem.studies import load_study, make_plan
from drivemem.studies.board import Board
from drivemem.studies.local import missing_cells, run_local
from drivemem.studies.state import State, state_of

from .conftest import BROKEN, TINY, command

AGENTS = ("exit-recall-none-s0", "exit-recall-gru-s0")


def results(out: Path, names: tuple[str, ...] = AGENTS) -> dict[str, Any]:
    """What training and evaluation came to, without times."""
    found: dict[str, Any] = {}
    for name in names:
        run = out / name
        found[f"{name} weights"] = (run / "model" / "model.safetensors").read_bytes()
        found[f"{name} curve"] = [
            {k: v for k, v in json.loads(line).items() if not k.startswith("time/")}
            for line in (run / "metrics.jsonl").read_text().splitlines()
        ]
        for file in sorted(run.glob("evaluations/*/episodes.parquet")):
            rows = read_table(file, EPISODE_COLUMNS)
            found[f"{name} {file.parent.name}"] = sorted(map(repr, rows))
    return found


def test_a_failing_run_leaves_the_others_alone(ran: tuple[Path, Path, str, int]) -> None:
    _, out, output, code = ran
    assert code == 1
    assert "2 of 3 runs are done" in output
    assert "exit-recall-broken-s0" in output and "batch_size" in output
    assert "batch_size" in (out / "exit-recall-broken-s0" / "log.txt").read_text()
    kept = sorted(path.parent.name for path in out.glob("*gru*/evaluations/*/episodes.parquet"))
    assert kept == ["test-intact", "test-reset_every-1"]
    kept = sorted(path.parent.name for path in out.glob("*none*/evaluations/*/episodes.parquet"))
    assert kept == ["test-intact"]  # no state to cut


def test_from_python_a_study_is_what_it_is_as_a_command(
    ran: tuple[Path, Path, str, int], tmp_path: Path
) -> None:
    file, out, _, _ = ran
    told: list[str] = []
    asked = drivemem.study(file, out=out, dry_run=True, agents=["gru"])
    assert asked.costs is not None and [cost.state.stage for cost in asked.costs] == ["done"]
    done = drivemem.study(
        file, out=out, agents=["none", "gru"], jobs=1, results=tmp_path, told=told.append
    )
    assert sorted(done.done) == sorted(AGENTS) and done.failed == {}
    assert done.results is not None and (tmp_path / "RESULTS.md").is_file()
    assert told[0] == f"2 of 2 runs are done: {out}"
    assert told[-1] == f"results: {tmp_path / 'RESULTS.md'}, {done.results.report}"
    with pytest.raises(DrivememError, match="give one of them"):
        drivemem.study(file, jobs=1, ray="auto")


def test_killed_workers_and_killed_studies_go_on_bit_for_bit(
    ran: tuple[Path, Path, str, int], tmp_path: Path
) -> None:
    file, whole, _, _ = ran
    out = tmp_path / "out"
    run = out / "exit-recall-gru-s0"
    words = ("--jobs", "2", "--agents", "gru", "--results", "none")
    study = command(file, out, *words)
    wait_for(run, "checkpoints/[0-9]*")
    worker = int((run / ".lock").read_text())
    os.kill(worker, signal.SIGKILL)  # the study starts it again
    holder = str(worker)
    while holder in ("", str(worker)):  # empty while the next worker writes its number
        time.sleep(0.02)
        holder = (run / ".lock").read_text().strip()
    worker = int(holder)
    study.kill()
    study.wait()
    assert study.stdout is not None
    assert "its process was killed (SIGKILL); it goes on" in study.stdout.read()
    while is_running(worker):  # workers end with their study
        time.sleep(0.02)
    again = command(file, out, *words)
    output, _ = again.communicate()
    assert again.returncode == 0, output
    assert results(out, AGENTS[1:]) == results(whole, AGENTS[1:])
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("*/**/*") if path.is_file()}
    plan = make_plan(load_study(file), out)
    assert "exit-recall-gru-s0" not in missing_cells(plan)
    again = command(file, out, *words)
    output, _ = again.communicate()
    assert again.returncode == 0 and "1 of 1 runs are done" in output
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_a_process_runs_one_cell_after_another_and_each_is_as_if_alone(
    tiny: Path, tmp_path: Path
) -> None:
    for out, agents in (("both", ("none", "gru")), ("alone", ("gru",))):
        words = ("--jobs", "1", "--agents", *agents, "--results", "none")
        study = command(tiny, tmp_path / out, *words)
        output, _ = study.communicate()
        assert study.returncode == 0, output
    both, gru = tmp_path / "both", AGENTS[1:]
    assert len({(both / name / ".lock").read_text() for name in AGENTS}) == 1
    assert results(both, gru) == results(tmp_path / "alone", gru)
    for name in AGENTS:  # what a run prints is in its own log
        log = (both / name / "log.txt").read_text()
        assert name in log and not any(other in log for other in AGENTS if other != name)


def test_only_what_is_new_is_missing(ran: tuple[Path, Path, str, int], tmp_path: Path) -> None:
    _, out, _, _ = ran
    file = tmp_path / "tiny.toml"
    more = TINY.replace("seeds = [0]", "seeds = [0, 3]") + '[agents.elman]\nmemory = "elman"\n'
    file.write_text(more)
    plan = make_plan(load_study(file), out)
    assert sorted(missing_cells(plan)) == [
        "exit-recall-elman-s0", "exit-recall-elman-s3", "exit-recall-gru-s3",
        "exit-recall-none-s3",
    ]  # fmt: skip
    file.write_text(TINY.replace('["reset_every:1"]', '["reset_every:1", "span:2"]'))
    plan = make_plan(load_study(file), out)
    states = {name: state.stage for name, state in missing_cells(plan).items()}
    assert states == dict.fromkeys(AGENTS, "evaluating")


def test_a_complete_study_starts_no_process(
    ran: tuple[Path, Path, str, int], tmp_path: Path
) -> None:
    _, out, _, _ = ran
    file = tmp_path / "tiny.toml"
    file.write_text(TINY)
    summary = run_local(make_plan(load_study(file), out), quiet=True)
    assert sorted(summary.done) == sorted(AGENTS)


def test_a_failed_run_is_tried_again(ran: tuple[Path, Path, str, int]) -> None:
    file, out, _, _ = ran
    assert BROKEN in file.read_text()
    plan = make_plan(load_study(file), out)
    cell = next(cell for cell in plan.cells if cell.agent == "broken")
    state = state_of(plan.run(cell), cell)
    assert state.stage == "failed" and "batch_size" in state.why
    assert list(missing_cells(plan)) == [cell.name]


def wait_for(run: Path, pattern: str) -> None:
    while not list(run.glob(pattern)):
        time.sleep(0.02)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def test_the_board_never_counts_beyond_the_last_evaluation(tiny: Path, tmp_path: Path) -> None:
    plan = make_plan(load_study(tiny), tmp_path)
    cell = next(cell for cell in plan.cells if not cell.is_driver)
    board = Board(plan, done=0, quiet=True)
    count = len(cell.evaluations)
    said = [board._cells(cell, State("evaluating", evaluated=n))[1] for n in (0, count - 1, count)]
    assert said == [f"evaluation 1 of {count}", f"evaluation {count} of {count}", "probing"]
