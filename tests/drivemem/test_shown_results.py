"""What the commands print can be had as DataFrames, in notebooks, and as JSON with `--json`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import drivemem
from drivemem.cli import run_command
from drivemem.runs import Run, read_metrics


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Run:
    """A run that a test may change."""
    return Run(shutil.copytree(run.folder, tmp_path / "runs" / "[a] <b>"))


def printed(command: str, *words: object, capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """The tables of a command's JSON, which is all that it prints."""
    capsys.readouterr()
    assert run_command(command, [*map(str, words), "--json"]) == 0
    return list(json.loads(capsys.readouterr().out)["tables"])


def test_evaluations_and_comparisons(copy: Run, capsys: pytest.CaptureFixture[str]) -> None:
    both = drivemem.evaluate(copy.folder, episodes=4, lesion="reset_every:1,2", quiet=True)
    frame = both.to_pandas()
    assert len(frame) == 8 and list(frame["lesion"].unique()) == ["reset_every:1", "reset_every:2"]
    assert both[0].to_pandas()["return"].mean() == pytest.approx(both[0].mean("return"))
    html = both._repr_html_()
    assert "<b>" not in html and "[a] &lt;b&gt;" in html and html.count("<tr>") == 3

    (table,) = printed(
        "evaluate", copy.folder, "--episodes", 4, "--lesion", "reset_every:1,2", capsys=capsys
    )
    assert [row["lesion"] for row in table["rows"]] == ["reset_every:1", "reset_every:2"]
    assert [row["success"] for row in table["rows"]] == [one.rate("success") for one in both]
    assert [row["return"] for row in table["rows"]] == [one.mean("return") for one in both]

    drivemem.evaluate(copy.folder, episodes=4, quiet=True)
    compared = drivemem.compare([copy.folder.parent])
    assert compared.to_pandas()["return"].tolist() == [row["return"] for row in compared.table]
    assert "<table>" in compared._repr_html_()
    (table,) = printed("compare", copy.folder.parent, capsys=capsys)
    assert [row["mean_speed"] for row in table["rows"]] == [r["mean_speed"] for r in compared.table]


def test_a_run_is_its_learning_curve(copy: Run) -> None:
    frame = copy.to_pandas()
    lines = read_metrics(copy.metrics_file)
    assert frame["step"].tolist() == [line["step"] for line in lines] and len(lines) > 1
    html = copy._repr_html_()
    assert "[a] &lt;b&gt;" in html and f"{copy.manifest()['steps']:,}" in html
    empty = Run(copy.folder / "nothing")
    assert isinstance(empty.to_pandas(), pd.DataFrame) and empty.to_pandas().empty


def test_training_and_replays(
    copy: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["exit-recall", "--preset", "none", "--steps", 64, "--num-envs", 2, "--n-steps", 32]
    (table,) = printed("train", *words, "--batch-size", 64, capsys=capsys)
    (row,) = table["rows"]
    assert row["steps"] == 64 and row["backend"] == "compiled" and row["parameters"] > 1000
    drivemem.evaluate(copy.folder, episodes=2, record=2, quiet=True)
    (table,) = printed("replay", copy.folder, "--verify", capsys=capsys)
    assert {row["episode"] for row in table["rows"]} == {0, 1}
    assert all(row["agrees"] for row in table["rows"] if row["recorded_on_it"])


def test_probes_and_readable_runs(copy: Run, capsys: pytest.CaptureFixture[str]) -> None:
    found = drivemem.probe(copy.folder, episodes=20, quiet=True)
    frame = found.to_pandas()
    assert len(frame) == len(found.scores) > 0
    assert frame["value"].tolist() == [score.value.estimate for score in found.scores]
    (table,) = printed("probe", copy.folder, "--episodes", 20, capsys=capsys)
    assert [row["input"] for row in table["rows"]] == frame["input"].tolist()
    tree = drivemem.explain(copy.folder, "tree", episodes=8, quiet=True)
    assert tree.to_pandas()["agreement"].tolist() == [tree.agreement]
    assert "[a] &lt;b&gt; as a tree" in tree._repr_html_()
