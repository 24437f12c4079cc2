"""Results say what was found, how it was made, and what is missing."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from drivemem.comparison import compare_runs
from drivemem.errors import DrivememError
from drivemem.studies import load_study, make_plan
from drivemem.studies.findings import cards, headline_table, sentences, with_agents
from drivemem.studies.results import MOST_BYTES, write_results


def test_a_study_leaves_results_beside_its_file(ran: tuple[Path, Path, str, int]) -> None:
    file, out, output, _ = ran
    folder = file.parent / "tiny" / "results"
    text = (folder / "RESULTS.md").read_text()
    assert str(folder / "RESULTS.md") in output.replace("\n", "")
    assert "> A memory recalls the sign." in text
    assert "2 of the study's 3 training runs are done" in text and "1 failed" in text
    assert "(scenarios: 1, agents: 3, seeds: 1)" in text
    assert "The study is not complete: between 0 and 1 runs" in text
    assert f"drivemem study {file}" in text
    assert "too few" in text and "significant" not in text.replace("significantly", "")
    rows = list(csv.DictReader((folder / "table.csv").open()))
    assert {row["agent"] for row in rows} == {"none", "gru", "gru / reset_every:1"}
    assert "<svg" in (folder / "overview.svg").read_text()
    assert "gru" in (out / "report" / "report.html").read_text()  # derived: not among the results
    assert not list(folder.glob("*.html")) and "report/report.html" in text


def test_nothing_done_is_nothing_to_report(tiny: Path, tmp_path: Path) -> None:
    plan = make_plan(load_study(tiny), tmp_path / "out")
    with pytest.raises(DrivememError, match="no run of study tiny is done yet"):
        write_results(plan, tmp_path / "results")


def test_results_stay_small_enough_for_git(
    ran: tuple[Path, Path, str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out, _, _ = ran
    plan = make_plan(load_study(file), out)
    whole = write_results(plan, tmp_path / "whole")
    assert sum(path.stat().st_size for path in whole.written) <= MOST_BYTES
    sizes = {path.name: path.stat().st_size for path in whole.written}
    most = sum(sizes.values()) - sizes["RESULTS.md"] - 1
    monkeypatch.setattr("drivemem.studies.results.MOST_BYTES", most)
    small = write_results(plan, tmp_path / "small")
    assert small.left_out == [tmp_path / "small" / "table.tex"]  # nothing but what must go
    text = (tmp_path / "small" / "RESULTS.md").read_text()
    assert "Left out, too large for git: `table.tex`" in text
    assert "- `table.tex`" in (tmp_path / "whole" / "RESULTS.md").read_text()
    assert sorted(p.name for p in (tmp_path / "small").iterdir()) == sorted(
        path.name for path in small.written
    )


def test_words_claim_what_runs_allow(write: Callable[..., Path]) -> None:
    for seed in range(5):
        write(f"none{seed}", "SSSCCCCCCC" * 5, seed=seed)
        write(f"gru{seed}", "SSSSSSSSSC" * 5, memory="gru", seed=seed)
        write(f"stack{seed}", "SSSSCCCCCC" * 5, memory="frame_stack", seed=seed)
    folder = write("few", "SSSSSSSSSS" * 5, memory="lstm").parent
    tables = compare_runs([folder]).tables
    text = "\n".join(sentences(tables))
    assert "**gru** against the memoryless agent: significantly better on 1." in text
    assert "**lstm** against the memoryless agent: too few runs to call on 1." in text
    assert "gru against frame_stack: +0.500" in text
    table = headline_table(tables)
    assert "0.90" in table[2] and "<sub>1</sub>" in table[2]
    assert "1 to 5 training runs" in table[-1]


def test_scenarios_come_by_level_and_those_without_an_agent_in_the_cards_only(
    write: Callable[..., Path],
) -> None:
    for level in ("medium", "hard", "easy"):
        scenario = f"exit-recall-{level}-v0"
        folder = write(f"idm-{level}", "SSCC", memory="idm", seed=None, scenario=scenario).parent
        if level != "hard":
            write(f"none-{level}", "SSSC", scenario=scenario)
    tables = compare_runs([folder]).tables
    assert [table.scenario.split("-")[2] for table in tables] == ["easy", "medium", "hard"]
    assert [table.scenario for table in with_agents(tables)] == [
        "exit-recall-easy-v0", "exit-recall-medium-v0",
    ]  # fmt: skip
    assert "exit-recall-hard-v0" in cards(tables)
