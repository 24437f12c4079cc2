"""The report and the other formats of a comparison: whole, harmless, in agreement."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from drivemem.comparison import compare_runs
from drivemem.comparison.drawing import styles
from drivemem.comparison.formats import cells, header
from drivemem.episodes import read_table, write_table
from drivemem.errors import DrivememError
from drivemem.evaluation.evaluate import evaluate
from drivemem.explaining.explain import explain
from drivemem.runs import Run, write_json_file
from drivemem.schemas import EPISODE_COLUMNS, MEASURES

pytestmark = pytest.mark.filterwarnings("error")

Write = Callable[..., Path]


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
    table = comparison.tables[0]
    assert all(cell in shown for one in table.rows for cell in cells(table, one))


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
    assert "decisions remembered (a decision: 0.2 s)" in "".join(found.words)
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
    table = comparison.tables[0]
    texts = [list(cells(table, one)) for one in table.rows]
    markdown = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    rows = [line for line in markdown.splitlines() if line.startswith("| ")]
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows]
    assert split == [list(header(table)), *texts] or split[2:] == texts
    latex = (tmp_path / "out" / "table.tex").read_text(encoding="utf-8")
    body = [line.removesuffix(r" \\") for line in latex.splitlines() if line.endswith(r" \\")]
    plain = [[cell.replace("\\", "").strip() for cell in line.split(" & ")] for line in body]
    assert plain == texts


def test_markdown_and_latex_survive_odd_labels(write: Write, tmp_path: Path) -> None:
    write("a", "SSSC", memory=r"a|b_c & 5% $x^2 {\cmd}~", seed=None)
    comparison = compare_runs([tmp_path / "runs"], report=tmp_path / "out")
    latex = (tmp_path / "out" / "table.tex").read_text(encoding="utf-8")
    assert (
        r"a|b\_c \& 5\% \$x\textasciicircum{}2 \{\textbackslash{}cmd\}\textasciitilde{} & 1"
        in latex
    )
    markdown = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    (line,) = (line for line in markdown.splitlines() if line.startswith("| a\\|b"))
    assert len(re.findall(r"(?<!\\)\|", line)) == len(header(comparison.tables[0])) + 1


def test_a_report_that_cannot_be_written_is_named(study: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DrivememError, match=r"cannot write the report to .*file"):
        compare_runs([study], report=tmp_path / "file")


def test_the_terminal_shows_labels_as_they_are(write: Write, tmp_path: Path) -> None:
    from rich.console import Console

    write("a", "SSSC", memory="[bold]x[/nothing]", seed=None)
    (table,) = compare_runs([tmp_path / "runs"]).as_tables()
    console = Console(width=160)
    with console.capture() as captured:
        console.print(table.to_rich())
    assert "[bold]x[/nothing]" in captured.get()


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


def test_agents_that_met_a_suite_only_with_their_memory_cut_have_curves(
    write: Write, tmp_path: Path
) -> None:
    write("none", "SSCC")
    for span in (1, 4, 16):
        write("gru", "SCCC", memory="gru", lesion=f"span:{span}")
    compare_runs([tmp_path / "runs"], report=tmp_path / "out")
    assert "How much memory is needed" in "".join(page(tmp_path / "out").words)


def test_the_report_shows_what_runs_were_made_into(run: Run, write: Write, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "runs" / "gru")
    evaluate(tmp_path / "runs" / "gru", episodes=4, num_workers=1)
    machine = explain(tmp_path / "runs" / "gru", "machine", episodes=12, states=5, quiet=True)
    explain(tmp_path / "runs" / "gru", "tree", episodes=12, depth=2, quiet=True)
    compare_runs([tmp_path / "runs"], report=tmp_path / "out")
    found = page(tmp_path / "out")
    shown = " ".join(found.words)
    assert f"machine of {machine.size} states" in shown and "tree of" in shown
    assert f"{machine.agreement:.3f}" in shown
    (picture,) = [link for tag, link in found.links if tag == "img"]
    assert picture.startswith("data:image/png;base64,")


@pytest.mark.parametrize(("leaves", "said"), [(1, "tree of 1 leaf "), (2, "tree of 2 leaves ")])
def test_one_leaf_is_no_leaves(study: Path, tmp_path: Path, leaves: int, said: str) -> None:
    facts = dict.fromkeys(("agreement", "commonest", "success", "agents_success"), 0.5)
    write_json_file(study / "gru-s0" / "tree" / "tree.json", {**facts, "size": leaves})
    compare_runs([study], report=tmp_path / "out")
    assert said in " ".join(page(tmp_path / "out").words)


def test_a_damaged_machine_is_left_out_of_the_report(study: Path, tmp_path: Path) -> None:
    for text in ("{", '{"agreement": "x"}', "{}"):
        folder = study / "gru-s0" / "machine"
        folder.mkdir(exist_ok=True)
        (folder / "machine.json").write_text(text, encoding="utf-8")
        (folder / "machine.png").write_text("<svg onload=alert(1)>", encoding="utf-8")
        compare_runs([study], report=tmp_path / "out")
        assert "Runs made readable" not in " ".join(page(tmp_path / "out").words)


def test_a_proven_ceiling_is_drawn_and_told_and_no_other(write: Write, tmp_path: Path) -> None:
    for scenario, name in (("exit-recall-easy-v0", "proven"), ("camera-exit-easy-v0", "open")):
        write(f"{name}/gru", "SSSC", memory="gru", scenario=scenario)
        write(f"{name}/none", "SSCC", scenario=scenario)
        compare_runs([tmp_path / "runs" / name], report=tmp_path / name)
    proven, other = (
        (tmp_path / name / "report.html").read_text(encoding="utf-8") for name in ("proven", "open")
    )
    assert "No driver without memory can succeed in more than 1/3 of these episodes" in proven
    assert "Dotted: the most that a driver without memory can reach, 1/3." in proven
    dotted = "stroke-dasharray: 1,1.65"  # a line of width 1 in matplotlib's ":"
    assert dotted in proven
    assert dotted not in other and "without memory can" not in other


def test_a_study_s_report_has_its_own_title_and_claims(write: Write, tmp_path: Path) -> None:
    write("none", "SSCC")
    compare_runs([tmp_path / "runs"], report=tmp_path / "out", title="a < b", claims="One.\n\nTwo.")
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<h1>a &lt; b</h1>" in text and "<p>One.</p>" in text and "<p>Two.</p>" in text


def test_what_is_nought_for_all_is_named_and_has_no_column(write: Write, tmp_path: Path) -> None:
    write("none", "SSCC")
    comparison = compare_runs([tmp_path / "runs"], report=tmp_path / "out")
    (row,) = comparison.tables[0].rows
    nought = [MEASURES[name] for name, value in row.metrics.items() if value == 0.0]
    some = [MEASURES[name] for name, value in row.metrics.items() if value]
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert nought and all(f'<th scope="col">{name}</th>' not in text for name in nought)
    assert f"0 for all of them: {'; '.join(nought)}." in html.unescape(text)
    assert some and all(f'<th scope="col">{name}</th>' in html.unescape(text) for name in some)


def test_a_row_leads_to_its_replays(write: Write, tmp_path: Path) -> None:
    folder = write("gru", "SSSC", memory="gru")
    write("none", "SSCC")
    recordings = folder / "recordings" / "test-intact"
    recordings.mkdir(parents=True)
    (recordings / "replay.html").write_text("a replay")
    compare_runs([tmp_path / "runs"], report=tmp_path / "out")
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    link = '<a href="../runs/gru/recordings/test-intact/replay.html" title="replay.html">replay</a>'
    assert text.count(link) == 1


def test_an_agent_is_drawn_alike_on_all_scenarios(write: Write, tmp_path: Path) -> None:
    for scenario, ends in (("exit-recall-easy-v0", "SSSC"), ("limit-recall-easy-v0", "SCCC")):
        write(f"{scenario}/gru", ends, memory="gru", scenario=scenario)
        write(f"{scenario}/lstm", "SSCC", memory="lstm", scenario=scenario)
        write(f"{scenario}/none", "SSCC", scenario=scenario)
    comparison = compare_runs([tmp_path / "runs"], report=tmp_path / "out")
    first, second = (styles(table) for table in comparison.tables)
    orders = [[row.label for row in table.rows] for table in comparison.tables]
    assert orders[0] != orders[1] and first == second
    assert len({style.color for style in first.values()}) == 3
