"""Comparisons of run folders written here: what is compared, what is left out, what is said."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest

from drivemem.compare import Comparison, compare_runs
from drivemem.compare.figures import read_curve
from drivemem.compare.formats import HEADER, cells
from drivemem.compare.overall import overall
from drivemem.compare.tables import Row
from drivemem.episodes import EPISODE_COLUMNS, read_table, write_table
from drivemem.errors import DrivememError
from drivemem.measures import lesion_curves, memory_sizes
from drivemem.runs import write_json_file
from drivemem.statistics import MIN_RUNS, holm, mcnemar, performance_profile, wilson

pytestmark = pytest.mark.filterwarnings("error")

DOCS = Path(__file__).parents[2] / "docs"

Write = Callable[..., Path]


@pytest.fixture
def study(write: Write, tmp_path: Path) -> Path:
    """Two runs each of a memoryless, a recurrent and a full-sensor agent, lesions, a driver."""
    write("none-s0", "SSCCTTCCCC", seed=0)
    write("none-s1", "SSSSTCCCCO", seed=1)
    write("none-full-s0", "SSSSSSSSSC", full=True, seed=0)
    write("none-full-s1", "SSSSSSSSSS", full=True, seed=1)
    write("gru-s0", "SSSSSSSCCT", memory="gru", seed=0)
    write("gru-s0", "SCCCSSSCCT", memory="gru", seed=0, lesion="reset_every:1")
    write("gru-s1", "SSSSSSSSCK", memory="gru", seed=1)
    write("gru-s1", "SSCCSSSCCT", memory="gru", seed=1, lesion="reset_every:1")
    write("idle", "SCCCCCCWTT", memory="constant:IDLE", seed=None)
    return tmp_path / "runs"


def row(comparison: Comparison, label: str) -> Row:
    return next(row for table in comparison.tables for row in table.rows if row.label == label)


def reasons(comparison: Comparison) -> dict[str, str]:
    return {Path(what).name: why for what, why in comparison.collection.excluded}


def test_rows_kinds_and_shares(study: Path) -> None:
    comparison = compare_runs([study])
    (table,) = comparison.tables
    assert [(row.label, row.kind, row.runs) for row in table.rows] == [
        ("none (full sensors)", "upper bound", 2),
        ("gru", "agent", 2),
        ("none", "agent", 2),
        ("gru / reset_every:1", "lesion", 2),
        ("constant:IDLE", "reference", 1),
    ]
    gru = row(comparison, "gru")
    assert gru.success.estimate == pytest.approx((0.7 + 0.8) / 2)
    # Resampling gives 0.7 to 0.8; two runs widen that by sqrt(2) t(1) / z = 9.168, cut at 1.
    assert gru.success.low == pytest.approx(0.75 - 9.168 * 0.05, abs=1e-3)
    assert gru.success.high == 1.0
    assert gru.collision == pytest.approx((0.2 + 0.1) / 2)
    assert gru.other == pytest.approx(0.1)
    assert gru.outcomes["timeout"] == pytest.approx(0.05)
    assert gru.mean_return == pytest.approx(4.5 + 0.75)
    for one in table.rows:
        assert one.success.estimate + one.collision + one.other == pytest.approx(1)
    assert comparison.collection.excluded == []
    assert row(comparison, "constant:IDLE").success == wilson(1, 10)


def test_gap_closed_by_hand(study: Path) -> None:
    comparison = compare_runs([study])
    full, none, gru, cut = 0.95, 0.3, 0.75, 0.45
    gap = comparison.tables[0].gap
    assert gap is not None and gap.estimate == pytest.approx(full - none)
    closed = row(comparison, "gru").gap_closed
    assert closed is not None
    assert closed.estimate == pytest.approx((gru - none) / (full - none))
    assert not closed.known, "two runs do not show that there is a gap"
    assert any("not surely above 0" in note for note in comparison.tables[0].notes)
    lesion = row(comparison, "gru / reset_every:1").gap_closed
    assert lesion is not None
    assert lesion.estimate == pytest.approx((cut - none) / (full - none))
    assert row(comparison, "none (full sensors)").gap_closed is None
    assert row(comparison, "constant:IDLE").gap_closed is None


def test_the_share_of_a_sure_gap_has_an_interval(write: Write, tmp_path: Path) -> None:
    for seed in range(5):
        write(f"none-s{seed}", "S" * (4 + seed % 2) + "C" * (16 - seed % 2), seed=seed)
        write(f"full-s{seed}", "S" * (19 - seed % 2) + "C" * (1 + seed % 2), seed=seed, full=True)
        write(f"gru-s{seed}", "S" * (12 + seed % 3) + "C" * (8 - seed % 3), memory="gru", seed=seed)
    comparison = compare_runs([tmp_path / "runs"])
    none, full, gru = 4.4, 18.6, 12.8  # successes of 20
    closed = row(comparison, "gru").gap_closed
    assert closed is not None
    assert closed.estimate == pytest.approx((gru - none) / (full - none))
    assert 0.4 < closed.low < closed.estimate < closed.high < 0.8
    assert compare_runs([tmp_path / "runs"]).table == comparison.table, "resampling is seeded"


def test_the_baseline_closes_nothing_of_the_gap_and_that_is_certain(study: Path) -> None:
    assert row(compare_runs([study]), "none").gap_closed == (0.0, 0.0, 0.0)


def test_resampled_gaps_of_zero_warn_nobody(write: Write, tmp_path: Path) -> None:
    for seed, (none, full) in enumerate([("SSCC", "SSCC"), ("CCCC", "SSSS")]):
        write(f"none-s{seed}", none, seed=seed)
        write(f"full-s{seed}", full, seed=seed, full=True)
        write(f"gru-s{seed}", "SSSC", memory="gru", seed=seed)
    closed = row(compare_runs([tmp_path / "runs"]), "gru").gap_closed
    assert closed is not None and math.isfinite(closed.estimate)


def test_without_an_upper_bound_or_baseline_the_gap_is_not_defined(
    write: Write, tmp_path: Path
) -> None:
    write("gru", "SSSC", memory="gru")
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert any("No memoryless agent" in note for note in table.notes)
    assert "no memoryless agent" in table.headline()
    write("none", "SSCC")
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert table.gap is None and table.rows[0].gap_closed is None
    assert any("No full-sensor agent (--full-sensors)" in note for note in table.notes)


def test_a_small_gap_is_not_divided_by(write: Write, tmp_path: Path) -> None:
    write("none", "SSSC")
    write("full", "SSSC", full=True)
    write("gru", "SSSS", memory="gru")
    comparison = compare_runs([tmp_path / "runs"])
    assert row(comparison, "gru").gap_closed is None
    assert any("nothing to close" in note for note in comparison.tables[0].notes)


def test_single_runs_are_compared_by_mcnemar_and_claim_nothing(
    write: Write, tmp_path: Path
) -> None:
    write("none", "SSCCCCCCCC")
    write("gru", "SCSSSSSSSS", memory="gru")
    comparison = compare_runs([tmp_path / "runs"])
    p = mcnemar([1, 0, *[1] * 8], [1, 1, *[0] * 8])
    gru = row(comparison, "gru")
    assert gru.versus.startswith("+0.700 on the same episodes")
    assert f"p = {p:.2g}" in gru.versus
    assert gru.success == wilson(9, 10)


def test_pairs_are_episodes_whatever_the_order_of_rows(write: Write, tmp_path: Path) -> None:
    write("none", "SSCCCCCCCC")
    gru = write("gru", "SCSSSSSSSS", memory="gru")
    before = row(compare_runs([tmp_path / "runs"]), "gru").versus
    (file,) = gru.glob("evaluations/*/episodes.parquet")
    write_table(file, EPISODE_COLUMNS, read_table(file, EPISODE_COLUMNS)[::-1])
    assert row(compare_runs([tmp_path / "runs"]), "gru").versus == before


def said(comparison: Comparison) -> str:
    (table,) = comparison.tables
    words = [table.headline(), *table.notes, *(row.versus for row in table.rows)]
    return "\n".join(words).lower()


def test_fewer_than_five_runs_are_never_called_significant(write: Write, tmp_path: Path) -> None:
    for seed in range(MIN_RUNS):
        write(f"none-s{seed}", "CCCCCCCCCC", seed=seed)
        write(f"gru-s{seed}", "SSSSSSSSSS", memory="gru", seed=seed)
        write(f"full-s{seed}", "SSSSSSSSSS", full=True, seed=seed)
        text = said(compare_runs([tmp_path / "runs"], report=tmp_path / "out"))
        enough = seed + 1 >= MIN_RUNS
        assert ("significant" in text) == enough
        assert ("claim nothing" in text) == (not enough)
        assert ("significant" in (tmp_path / "out" / "report.html").read_text()) == enough


def test_a_single_full_sensor_run_is_too_few_too(write: Write, tmp_path: Path) -> None:
    for seed in range(MIN_RUNS):
        write(f"none-s{seed}", "CCCC", seed=seed)
        write(f"gru-s{seed}", "SSSC", memory="gru", seed=seed)
    write("full-s0", "SSSS", full=True)
    notes = "\n".join(compare_runs([tmp_path / "runs"]).tables[0].notes)
    assert f"Fewer than {MIN_RUNS} training runs for none (full sensors)" in notes


def test_only_the_same_episodes_are_compared(write: Write, tmp_path: Path) -> None:
    write("a", "SSSC")
    write("b", "SSSCC", memory="gru")  # more episodes
    write("c", "SSSC", memory="gru", stream="eval")  # other seeds
    write("d", "SSSC", memory="gru", scenario="occluded-intersection")
    write("e", "SCSC", memory="lstm")
    tables = compare_runs([tmp_path / "runs"]).tables
    labels = sorted(sorted(row.label for row in table.rows) for table in tables)
    assert labels == [["gru"], ["gru"], ["gru"], ["lstm", "none"]]


def test_what_is_left_out_says_why(write: Write, study: Path) -> None:
    older = write("other-version", "SSSSSSSSSS", memory="lstm")
    (suite,) = older.glob("evaluations/*/suite.json")
    write_json_file(suite, {**json.loads(suite.read_text()), "hash": "0" * 64})
    broken = write("truncated", "SSSSSSSSSS", memory="lstm")
    (file,) = broken.glob("evaluations/*/episodes.parquet")
    file.write_bytes(file.read_bytes()[:200])
    part = write("incomplete", "SSSSSSSSSS", memory="lstm")
    (file,) = part.glob("evaluations/*/episodes.parquet")
    write_table(file, EPISODE_COLUMNS, read_table(file, EPISODE_COLUMNS)[:7])
    foreign = write("foreign", "SSSSSSSSSS", memory="lstm")
    (suite,) = foreign.glob("evaluations/*/suite.json")
    write_json_file(suite, {"format": "something"})
    write_json_file(study / "unfinished" / "config.json", {"memory": "gru"})
    comparison = compare_runs([study])
    why = {Path(what).relative_to(study).parts[0]: r for what, r in comparison.collection.excluded}
    assert set(why) == {"other-version", "truncated", "incomplete", "foreign", "unfinished"}
    assert "another version" in why["other-version"]
    assert "truncated or no Parquet file" in why["truncated"]
    assert "incomplete" in why["incomplete"]
    assert "no suite" in why["foreign"]
    assert "drivemem evaluate" in why["unfinished"]
    assert "lstm" not in [row.label for row in comparison.tables[0].rows]


def test_as_many_of_one_version_as_of_another_keeps_the_first(write: Write, tmp_path: Path) -> None:
    for version, name in enumerate("abcde"):
        folder = write(name, "SSCC", memory="gru", seed=version)
        (suite,) = folder.glob("evaluations/*/suite.json")
        write_json_file(suite, {**json.loads(suite.read_text()), "hash": str(9 - version)})
    comparison = compare_runs([tmp_path / "runs"])
    (kept,) = comparison.collection.groups
    assert [one.run.name for one in kept] == ["a"]
    assert len(comparison.collection.excluded) == 4


def test_other_sensors_are_another_table_with_the_same_upper_bound(
    write: Write, tmp_path: Path
) -> None:
    write("full", "SSSS", full=True)
    for reach in (20.0, 30.0):
        write(f"gru-{reach:.0f}", "SSCC", memory="gru", sensors={"range_m": reach})
    tables = compare_runs([tmp_path / "runs"]).tables
    assert sorted(table.title for table in tables) == [
        "exit-recall-easy-v0, range_m=20.0", "exit-recall-easy-v0, range_m=30.0"
    ]  # fmt: skip
    labels = [[row.label for row in table.rows] for table in tables]
    assert labels == [["none (full sensors)", "gru"]] * 2


def test_a_run_counts_once_however_it_is_named(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    once = compare_runs([study])
    twice = compare_runs(["runs", study, "runs/gru-*", str(study / "gru-*"), "runs/../runs/gru-s0"])
    assert [(r.label, r.runs) for r in twice.tables[0].rows] == [
        (r.label, r.runs) for r in once.tables[0].rows
    ]


def test_a_copy_of_a_run_is_no_second_run(study: Path) -> None:
    shutil.copytree(study / "gru-s0", study / "gru-s0-copy")
    comparison = compare_runs([study])
    assert row(comparison, "gru").runs == 2
    why = [r for what, r in comparison.collection.excluded if "gru-s0-copy" in what]
    assert len(why) == 2 and all("gru-s0" in r and "same" in r for r in why)


def test_runs_of_other_settings_are_other_agents(write: Write, tmp_path: Path) -> None:
    write("a", "SSSC", memory="gru", seed=0)
    write("b", "SSSC", memory="gru", seed=1, settings={"num_workers": 1})
    write("c", "SSCC", memory="gru", seed=2, settings={"gamma": 0.9})
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert [(row.label, row.runs) for row in table.rows] == [
        ("gru (gamma=0.99)", 2), ("gru (gamma=0.9)", 1)
    ]  # fmt: skip


def test_globs_and_odd_folder_names(write: Write, tmp_path: Path) -> None:
    write("r[1]", "SSSC", memory="gru")
    write("r1", "CCCC", memory="lstm")
    assert row(compare_runs([tmp_path / "runs" / "r[1]"]), "gru").success.estimate == 0.75
    assert len(compare_runs([str(tmp_path / "runs" / "r*")]).tables[0].rows) == 2


def test_nothing_to_compare_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DrivememError, match=r"nowhere does not exist"):
        compare_runs([tmp_path / "nowhere"])
    with pytest.raises(DrivememError, match="does not exist"):
        compare_runs([str(tmp_path / "no*")])
    with pytest.raises(DrivememError, match="no evaluations below"):
        compare_runs([tmp_path])
    write_json_file(tmp_path / "a" / "config.json", {"memory": "gru"})
    with pytest.raises(DrivememError, match=r"1 runs are there: `drivemem evaluate` them"):
        compare_runs([tmp_path])


@pytest.mark.parametrize("baseline", ["none", "memory", "memory=", "driver=idm", ""])
def test_a_baseline_of_another_form_is_refused(study: Path, baseline: str) -> None:
    with pytest.raises(DrivememError, match="give it as memory=NAME, such as memory=none"):
        compare_runs([study], baseline=baseline)


def test_another_baseline(study: Path) -> None:
    comparison = compare_runs([study], baseline="memory=gru")
    assert row(comparison, "none").versus.startswith("-0.450")
    assert row(comparison, "gru").versus == ""


def test_the_headline_never_calls_a_memoryless_agent_one_with_memory(
    write: Write, tmp_path: Path
) -> None:
    write("none", "SSCCC")
    write("aux", "SSSSS", settings={"aux_coef": 1.0})
    write("gru", "SSSCC", memory="gru")
    write("gru", "SCCCC", memory="gru", lesion="span:1")
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert "with memory (gru) 60% of episodes succeed, without 40%" in table.headline()
    assert "with span:1 20% (1 training run each)" in table.headline()


class Loads(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} has the handler {name}"
            if name in ("src", "href", "xlink:href", "srcset", "data", "poster", "action"):
                self.links.append((tag, value or ""))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page(folder: Path) -> Loads:
    found = Loads()
    found.feed((folder / "report.html").read_text(encoding="utf-8"))
    return found


def test_the_report_is_one_file_that_loads_nothing(study: Path, tmp_path: Path) -> None:
    comparison = compare_runs([study], report=tmp_path / "out")
    assert comparison.written == [
        tmp_path / "out" / name
        for name in ("report.html", "table.md", "table.tex", "table.csv", "table.parquet")
    ]
    assert sorted((tmp_path / "out").iterdir()) == sorted(comparison.written)
    found = page(tmp_path / "out")
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & set(found.tags)
    assert all(link.startswith("#") for _, link in found.links)
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"@import|url\((?!#)", text)
    assert found.tags.count("svg") >= 2
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids)), "figures share identifiers"
    assert {link[1:] for _, link in found.links} <= set(ids)
    shown = " ".join(found.words)
    assert all(cell in shown for one in comparison.tables[0].rows for cell in cells(one))


def test_the_report_with_every_figure_loads_nothing_either(write: Write, tmp_path: Path) -> None:
    for seed in range(3):
        write(f"none-s{seed}", "SSCC", seed=seed)
        folder = write(f"gru-s{seed}", "SSSC", memory="gru", seed=seed)
        for span in (1, 2, 4):
            write(f"gru-s{seed}", "SCCC", memory="gru", seed=seed, lesion=f"span:{span}")
        lines = [{"step": k, "rollout/success_rate": k / 400} for k in range(0, 400, 100)]
        text = "\n".join(json.dumps(line) for line in lines)
        (folder / "metrics.jsonl").write_text(text, encoding="utf-8")
    compare_runs([tmp_path / "runs"], report=tmp_path / "out")
    found = page(tmp_path / "out")
    assert found.tags.count("svg") >= 5
    assert all(link.startswith("#") for _, link in found.links)


HOSTILE = "<script>alert(1)</script>"


def test_hostile_names_are_text(write: Write, tmp_path: Path) -> None:
    # Slashes make folders: the run's path then reads <script>alert(1)</script>.
    write(HOSTILE, "SSSC", memory=HOSTILE, seed=None)
    write(f"{HOSTILE}2", "SSCC", settings={"memory_kwargs": (f'gate_bias="{HOSTILE}',)})
    write('a"onload="alert(1)', "SCCC", memory='"><img src=x onerror=alert(1)>', seed=None)
    write_json_file(tmp_path / "runs" / f"{HOSTILE}3" / "config.json", {"memory": "gru"})
    for name in ("javascript:alert(1).html", '"><script>alert(1)<.html', "50%25#a?b.html"):
        (tmp_path / "runs" / name).write_text("a replay")
    compare_runs([tmp_path / "runs"], report=tmp_path / "runs")
    found = page(tmp_path / "runs")
    assert "script" not in found.tags and "img" not in found.tags
    assert HOSTILE in "".join(found.words)
    pages = [link for tag, link in found.links if tag == "a"]
    assert pages and not any(":" in link or "#" in link or "?" in link for link in pages)


def test_all_formats_agree(study: Path, tmp_path: Path) -> None:
    comparison = compare_runs([study], report=tmp_path / "out")
    records = comparison.table
    columns = dict.fromkeys(records[0], "")
    assert read_table(tmp_path / "out" / "table.parquet", columns) == records
    with (tmp_path / "out" / "table.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    for line, record in zip(lines, records, strict=True):
        assert line == {k: "" if v is None else str(v) for k, v in record.items()}
    texts = [list(cells(one)) for one in comparison.tables[0].rows]
    markdown = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    rows = [line for line in markdown.splitlines() if line.startswith("| ")]
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows]
    assert split == [list(HEADER), *texts] or split[2:] == texts
    latex = (tmp_path / "out" / "table.tex").read_text(encoding="utf-8")
    body = [line.removesuffix(r" \\") for line in latex.splitlines() if line.endswith(r" \\")]
    plain = [[cell.replace("\\", "").strip() for cell in line.split(" & ")] for line in body]
    assert plain == texts


def test_markdown_and_latex_survive_odd_labels(write: Write, tmp_path: Path) -> None:
    write("a", "SSSC", memory=r"a|b_c & 5% $x^2 {\cmd}~", seed=None)
    compare_runs([tmp_path / "runs"], report=tmp_path / "out")
    latex = (tmp_path / "out" / "table.tex").read_text(encoding="utf-8")
    assert (
        r"a|b\_c \& 5\% \$x\textasciicircum{}2 \{\textbackslash{}cmd\}\textasciitilde{} & 1"
        in latex
    )
    markdown = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    (line,) = (line for line in markdown.splitlines() if line.startswith("| a\\|b"))
    assert len(re.findall(r"(?<!\\)\|", line)) == len(HEADER) + 1


def test_a_report_that_cannot_be_written_is_named(study: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DrivememError, match=r"cannot write the report to .*file"):
        compare_runs([study], report=tmp_path / "file")


def test_the_terminal_shows_labels_as_they_are(write: Write, tmp_path: Path) -> None:
    from rich.console import Console

    write("a", "SSSC", memory="[bold]x[/nothing]", seed=None)
    (table,) = compare_runs([tmp_path / "runs"]).to_rich()
    console = Console(width=160)
    with console.capture() as captured:
        console.print(table)
    assert "[bold]x[/nothing]" in captured.get()


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
        assert line["difference"] == pytest.approx(float(one.versus.split()[0]), abs=5e-4)
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
    shares = performance_profile(gru.successes, levels)
    assert [line["share_of_runs"] for line in of_gru] == pytest.approx(shares.tolist())
    found = {(line["driver"], line["full_sensors"]): line["improvement"] for line in improvement}
    assert gru.improvement is not None and full.improvement is not None
    assert found == {
        ("gru", False): gru.improvement.estimate, ("none", True): full.improvement.estimate
    }  # fmt: skip
    (table,) = comparison.tables
    (curve,) = lesion_curves(table, "span")
    assert [(d["dose"], d["success"]) for d in doses if d["lesion"] == "span"] == [
        (point.x, pytest.approx(point.success.estimate)) for point in curve.points
    ]
    assert {(line["driver"], line["cue_window_s"]): line["success"] for line in retention} == {
        (one.members[0].first["driver"], 1.0): pytest.approx(one.success.estimate)
        for one in table.rows
        if one.kind in ("agent", "reference")
    }
    assert [(c["driver"], c["memory_state_bytes"], c["parameters"], c["success"]) for c in costs] \
        == [
            (size.label, size.state_bytes, size.parameters, pytest.approx(size.success.estimate))
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


def test_a_lesion_is_paired_with_the_same_runs_uncut(study: Path) -> None:
    cut = row(compare_runs([study]), "gru / reset_every:1")
    assert cut.versus_intact.startswith("-0.300 [")
    assert "2 runs: too few to call" in cut.versus_intact


def test_p_values_of_several_agents_are_corrected(write: Write, tmp_path: Path) -> None:
    outcomes = {"none": "SCCCC", "gru": "SSSCC", "lstm": "SSSSC"}
    for memory, letters in outcomes.items():
        write(memory, letters * 4, memory=memory)
    comparison = compare_runs([tmp_path / "runs"])
    episodes = {name: [letter == "S" for letter in 4 * word] for name, word in outcomes.items()}
    raw = [mcnemar(episodes[name], episodes["none"]) for name in ("gru", "lstm")]
    for name, p in zip(("gru", "lstm"), holm(raw), strict=True):
        assert f"p = {p:.2g};" in row(comparison, name).versus


def test_a_learned_memory_is_set_against_the_best_tracker(write: Write, tmp_path: Path) -> None:
    write("none", "SCCCC")
    write("none-hold", "SSSSC", tracker="hold_last")
    write("ghost", "SSCCC", memory="ghost", seed=None, tracker="constant_velocity")
    write("gru", "SSSCC", memory="gru")
    (table,) = compare_runs([tmp_path / "runs"]).tables
    (note,) = (note for note in table.notes if "engineered" in note)
    assert "(gru) does not do better" in note and "(none behind hold_last): -0.200" in note
    assert "with memory (gru) 60%" in table.headline()  # an engineered memory was not learned


def test_over_all_scenarios_runs_are_resampled_within_each(write: Write, tmp_path: Path) -> None:
    for seed, (here, there) in enumerate([("SSSS", "CCCC"), ("SSSC", "SCCC"), ("SSSS", "CCCC")]):
        write(f"gru-a{seed}", here, memory="gru", seed=seed)
        write(f"gru-b{seed}", there, memory="gru", seed=seed, scenario="occluded-intersection")
        write(f"none-a{seed}", "SCCC", seed=seed)
        write(f"none-b{seed}", "CCCC", seed=seed, scenario="occluded-intersection")
    write("lstm", "SSSS", memory="lstm")  # met one scenario only
    tables = compare_runs([tmp_path / "runs"], report=tmp_path / "out").tables
    gru, none = overall(tables)
    assert (gru.label, gru.runs, none.label) == ("gru", 3, "none")
    assert gru.success.estimate == pytest.approx((11 / 12 + 1 / 12) / 2)
    assert gru.success.low > 0.3  # pooled over scenarios it would reach far lower
    assert gru.improvement == pytest.approx((1.0 + (3 * 1 + 6 * 0.5) / 9) / 2)
    assert none.improvement is None
    assert overall(tables[:1]) == []
    assert "Over all scenarios" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_episodes_to_look_at_are_those_that_differ(write: Write, tmp_path: Path) -> None:
    write("none", "SSCCS")
    gru = write("gru", "SSSTC", memory="gru")
    recorded = read_table(
        gru / "evaluations" / "test-intact" / "episodes.parquet", EPISODE_COLUMNS
    )[:3]
    for name in ("gru", "none"):
        place = tmp_path / "runs" / name / "recordings" / "test-intact"
        write_table(place / "episodes.parquet", EPISODE_COLUMNS, recorded)
    compare_runs([tmp_path / "runs"], report=tmp_path / "out")
    shown = re.sub(r"\s+", " ", " ".join(page(tmp_path / "out").words))
    assert "success (100%) collision (0%) yes" in shown  # episode 2
    assert "collision (0%) success (100%) no" in shown  # episode 4
    assert "timeout (0%)" not in shown  # both failed in episode 3


def test_a_broken_run_does_not_break_the_comparison(write: Write, tmp_path: Path) -> None:
    write("gru", "SSSC", memory="gru")
    broken = write("none", "SSCC")
    (broken / "config.json").write_text('{"memory": ')
    comparison = compare_runs([tmp_path / "runs"])
    assert [one.label for one in comparison.tables[0].rows] == ["gru"]
    ((what, why),) = comparison.collection.excluded
    assert "none" in what and "unreadable or truncated" in why
