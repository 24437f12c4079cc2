"""The queries of docs/queries.md give what the comparison and its figures show."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from drivemem.comparison import compare_runs
from drivemem.comparison.figures import read_curve
from drivemem.comparison.measures import lesion_curves, memory_sizes
from drivemem.comparison.statistics import performance_profile
from drivemem.runs import write_json_file

from .conftest import row

pytestmark = pytest.mark.filterwarnings("error")

DOCS = Path(__file__).parents[2] / "docs"

Write = Callable[..., Path]


def queries() -> list[str]:
    """The SQL of docs/queries.md."""
    text = (DOCS / "queries.md").read_text(encoding="utf-8")
    return re.findall(r"```sql\n(.*?)```", text, flags=re.DOTALL)


def ask(query: str) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        found = connection.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def test_queries_of_the_page_give_the_tables_columns(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    comparison = compare_runs(["runs"], report="report")
    records = {
        (row.members[0].first["driver"], row.members[0].first["full_sensors"],
         row.members[0].first["lesion"]): row
        for row in comparison.tables[0].rows
    }  # fmt: skip
    by_run, by_agent, gap, pairs, outcomes = (ask(query) for query in queries()[:5])
    table = ask(queries()[-1])
    assert len(by_run) == sum(row.runs for row in records.values())
    assert len(by_agent) == len(records)
    for line in by_agent:
        one = records[line["driver"], line["full_sensors"], line["lesion"]]
        assert (line["runs"], line["episodes"]) == (one.runs, one.episodes)
        for column, value in {
            "success": one.success.estimate, "collision": one.collision, "other": one.other,
            "return": one.mean_return, "mean_speed": one.mean_speed,
        }.items():  # fmt: skip
            assert line[column] == pytest.approx(value), (line, column)
    assert {(line["driver"], line["lesion"]) for line in gap} == {
        key[::2] for key, one in records.items() if one.gap_closed is not None
    }
    for line in gap:
        closed = records[line["driver"], False, line["lesion"]].gap_closed
        assert closed is not None
        assert line["gap_closed"] == pytest.approx(closed.estimate)
    for line in pairs:
        one = records[line["driver"], line["full_sensors"], line["lesion"]]
        assert one.versus is not None
        assert line["difference"] == pytest.approx(one.versus.estimate)
    assert len(pairs) == len(records) - 1
    shares = {(r["driver"], r["full_sensors"], r["lesion"], r["outcome"]): r for r in outcomes}
    for key, one in records.items():
        for outcome, share in one.outcomes.items():
            assert shares.get((*key, outcome), {"share": 0})["share"] == pytest.approx(share)
    assert [line["agent"] for line in table] == [row["agent"] for row in comparison.table]


def test_queries_of_the_page_give_the_figures(
    study: Path, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for span, outcomes in ((1, "SCCCCCCCCC"), (4, "SSSSCCCCCC")):
        write("gru-s0", outcomes, memory="gru", lesion=f"span:{span}")
    for name, size in (("gru-s0", 64), ("gru-s1", 64), ("none-s0", 0), ("none-s1", 0)):
        facts = {"memory_state_bytes": size, "parameters": 1000 + size, "versions": {}}
        write_json_file(study / name / "manifest.json", facts)
    lines = ['{"step": 10, "other": 1.0}', '{"step": 20, "rollout/success_rate": 0.25}', '{"st']
    (study / "gru-s0" / "metrics.jsonl").write_text("\n".join(lines), encoding="utf-8")
    comparison = compare_runs(["runs"])
    profile, improvement, doses, retention, costs, learning, transfer = (
        ask(query) for query in queries()[5:-1]
    )
    gru, full = row(comparison, "gru"), row(comparison, "none (full sensors)")
    levels = [line["threshold"] for line in profile[:21]]
    assert levels == pytest.approx([k / 20 for k in range(21)])
    of_gru = [p for p in profile if p["driver"] == "gru" and p["lesion"] == "intact"]
    shares = performance_profile(gru.scores, levels)
    assert [line["share_of_runs"] for line in of_gru] == pytest.approx(shares.tolist())
    found = {(line["driver"], line["full_sensors"]): line["improvement"] for line in improvement}
    assert gru.improvement is not None and full.improvement is not None
    assert found == {
        ("gru", False): gru.improvement.estimate, ("none", True): full.improvement.estimate
    }  # fmt: skip
    (table,) = comparison.tables
    (curve,) = lesion_curves(table, "span")
    assert [(d["dose"], d["success"]) for d in doses if d["lesion"] == "span"] == [
        (point.x, pytest.approx(point.score.estimate)) for point in curve.points
    ]
    assert {(line["driver"], line["cue_window_s"]): line["success"] for line in retention} == {
        (one.members[0].first["driver"], 1.0): pytest.approx(one.success.estimate)
        for one in table.rows
        if one.kind in ("agent", "reference")
    }
    assert [(c["driver"], c["memory_state_bytes"], c["parameters"], c["success"]) for c in costs] \
        == [
            (size.label, size.state_bytes, size.parameters, pytest.approx(size.score.estimate))
            for size in memory_sizes(table)
        ]  # fmt: skip
    matrix = {(line["driver"], line["home"], line["runs"]): line["success"] for line in transfer}
    assert matrix == {
        (one.members[0].first["driver"], "exit-recall", one.runs): pytest.approx(
            one.success.estimate
        )
        for one in table.rows
        if one.kind == "agent"
    }
    assert learning == [{"run": "gru-s0", "step": 20, "success": 0.25}]
    assert read_curve(study / "gru-s0" / "metrics.jsonl") == ([20], [0.25])
