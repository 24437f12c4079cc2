"""The report shows what probes found, and nothing of probes of other scenes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import duckdb
import pytest

from drivemem.comparison import compare_runs
from drivemem.comparison.probing import probe_figures, probes_of
from drivemem.evaluation.evaluate import evaluate
from drivemem.probes import probe
from drivemem.probes.edits import edit
from drivemem.runs import Run, read_json, write_json_file


@pytest.fixture(scope="module")
def probed(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one run, evaluated and probed."""
    folder = tmp_path_factory.mktemp("probed") / "runs" / "gru"
    of_other_tests = shutil.ignore_patterns("probes", "edits", "evaluations", "recordings")
    shutil.copytree(run.folder, folder, ignore=of_other_tests)
    evaluate(folder, episodes=8, num_workers=1, quiet=True)
    probe(folder, episodes=30, num_workers=1, quiet=True)
    edit(folder, episodes=60, num_workers=1, quiet=True)
    return folder


def test_the_report_shows_what_is_decoded(probed: Path, tmp_path: Path) -> None:
    result = compare_runs([probed], report=tmp_path / "report")
    text = (tmp_path / "report" / "report.html").read_text()
    assert "What the memory holds" in text and "Decoded: latent" in text
    assert "Which past frames move the decision" in text
    assert "Where attention goes" not in text, "a gru does not attend"
    (row,) = result.tables[0].rows
    (records,) = probes_of(row, "scores")
    assert {record["input"] for record in records} == {"memory", "observation", "frame stack"}


def test_probes_of_another_scene_are_left_out(probed: Path, tmp_path: Path) -> None:
    shutil.copytree(probed, tmp_path / "runs" / "gru")
    file = tmp_path / "runs" / "gru" / "probes" / "test-intact" / "suite.json"
    write_json_file(file, {**read_json(file), "config": {"exits_count": 5}})
    assert probe_figures(compare_runs([tmp_path / "runs"]).tables[0]) == []


def test_a_damaged_probe_does_not_stop_a_report(probed: Path, tmp_path: Path) -> None:
    shutil.copytree(probed, tmp_path / "runs" / "gru")
    (tmp_path / "runs" / "gru" / "probes" / "test-intact" / "scores.parquet").write_bytes(b"torn")
    titles = [f.title for f in probe_figures(compare_runs([tmp_path / "runs"]).tables[0])]
    assert titles == ["Which past frames move the decision"]


def test_queries_of_the_page_give_the_figures(
    probed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[3] / "docs" / "probes.md").read_text(encoding="utf-8")
    monkeypatch.chdir(probed.parents[1])
    heat, attention, saliency, effects, plasticity, decoded = (
        duckdb.sql(query).fetchall() for query in re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    )
    (row,) = compare_runs(["runs"]).tables[0].rows
    (records,) = probes_of(row, "scores")
    scores = {(r["input"], r["age_high_s"]): r["score"] for r in records}
    assert {(line[3], line[5]): line[6] for line in heat} == {
        key: score for key, score in scores.items() if key[1] is not None
    }
    assert attention == decoded == [], "a gru does not attend, and no actor hides here"
    assert {line[5]: line[7] for line in effects if line[4] == "the probe reads the new value"} == {
        "no edit": pytest.approx(0.0, abs=0.2), "control": pytest.approx(0.0, abs=0.2), "edit": 1.0
    }  # fmt: skip
    assert [line[1] for line in plasticity] == ["encoder", "heads", "memory"]
    assert saliency[0][1] == 0.0 and 0 < saliency[0][2] <= 1
