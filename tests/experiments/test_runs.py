"""Tables of runs: what is finished is not run again, and what is missing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.runs import RunTable, grouped

TRIALS = [("late", "gru", 1), ("early", "none", 0), ("early", "gru", 0)]


def table_in(folder: Path) -> RunTable:
    return RunTable(folder / "runs.csv", ("early", "late"))


def found(task: str, arm: str, seed: int) -> dict[str, Any]:
    return {"memory": arm, "kwargs": {"hidden_size": seed}, "best": None, "score": 0.1, "wall_s": 2}


def test_rows_are_ordered_by_task_and_keys_and_keep_their_values(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.fill(TRIALS, found)
    runs = table.read()
    assert [(run["task"], run["arm"], run["seed"]) for run in runs] == sorted(TRIALS)
    assert runs[2] == {"task": "late", "arm": "gru", "seed": 1, **found("late", "gru", 1)}
    assert not list(tmp_path.glob("*.part"))


def test_only_what_is_missing_is_run(tmp_path: Path) -> None:
    whole, broken, calls = table_in(tmp_path), RunTable(tmp_path / "b.csv", ("early", "late")), []

    def interrupted(*trial: Any) -> dict[str, Any]:
        calls.append(trial)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return found(*trial)

    whole.fill(TRIALS, found)
    with pytest.raises(KeyboardInterrupt):
        broken.fill(TRIALS, interrupted)
    broken.fill(TRIALS, interrupted)
    assert calls == [TRIALS[0], TRIALS[1], TRIALS[1], TRIALS[2]]
    assert broken.path.read_bytes() == whole.path.read_bytes()


def test_no_run_is_started_when_time_is_up(tmp_path: Path) -> None:
    table_in(tmp_path).fill(TRIALS, found, minutes=-1.0)
    assert table_in(tmp_path).read() == []


def test_groups_keep_the_order_of_runs() -> None:
    runs = [{"task": "b", "seed": 0}, {"task": "a", "seed": 1}, {"task": "b", "seed": 2}]
    assert grouped(runs, "task") == {("b",): [runs[0], runs[2]], ("a",): [runs[1]]}
