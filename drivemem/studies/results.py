"""A study's results: files small enough for git (RESULTS.md, tables, episodes), and the report.

The report, an HTML page, is large and can be made again: it stays in the study's folder.
"""

from __future__ import annotations

import shlex
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from drivemem.comparison import Comparison, compare_runs
from drivemem.errors import DrivememError
from drivemem.progress import duration
from drivemem.runs import manifest
from drivemem.studies.archive import EPISODES, RUNS, write_archive
from drivemem.studies.findings import cards, headline_table, sentences, with_agents
from drivemem.studies.overview import overview_figure
from drivemem.studies.plan import Cell, Plan
from drivemem.studies.state import State, read_done, state_of

MOST_BYTES = 5_000_000
"""Of all result files together, RESULTS.md apart."""
REPORT = "report"
"""Folder of the report, in the study's."""
_FILES = {
    "table.tex": "the numbers for LaTeX",
    "table.parquet": "the numbers for DuckDB",
    EPISODES: "every episode of every run, for DuckDB and `drivemem study --restore`",
}
"""Files that may be left out, least missed first: what they say is also elsewhere."""
_RESTORED = f"- {{}} of the runs come from earlier results; `{RUNS}` says how each was made"


@dataclass(frozen=True)
class Results:
    """What was written."""

    folder: Path
    report: Path
    """The HTML page, in the study's folder."""
    written: list[Path]
    comparison: Comparison
    left_out: list[Path]
    """Files that would have made the results larger than `MOST_BYTES`."""


def write_results(plan: Plan, folder: str | Path, command: str | None = None) -> Results:
    """Report what is there of a study, whether or not all of it is done.

    Args:
        plan: the study.
        folder: for the files.
        command: that makes the study, for the reader.

    Raises:
        DrivememError: nothing is evaluated yet, or the folder cannot be written.
    """
    folder = Path(folder)
    states = {cell.name: state_of(plan.run(cell), cell) for cell in plan.cells}
    done = [cell for cell in plan.cells if states[cell.name].stage == "done"]
    if not done:
        raise DrivememError(f"no run of study {plan.study.name} is done yet: nothing to report")
    names = {cell.name: cell.agent for cell in done}
    paths = [plan.run(cell).folder for cell in done]
    report = plan.folder / REPORT
    study = plan.study
    comparison = compare_runs(
        paths, baseline=study.baseline, unequal=study.unequal, report=report, names=names,
        partial=True, title=study.name.replace("_", " "), claims=study.claims,
    )  # fmt: skip
    figure, outcomes = folder / "overview.svg", folder / "cards.md"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tables = [shutil.copy(one, folder) for one in comparison.written if one.suffix != ".html"]
        outcomes.write_text(cards(comparison.tables), encoding="utf-8")
        figure.write_text(overview_figure(with_agents(comparison.tables)), encoding="utf-8")
        archive = write_archive(comparison.collection, folder)
        written, left_out = _small_enough([outcomes, figure, *map(Path, tables), *archive])
        text = _text(plan, states, comparison, command or _command(plan), left_out)
        (folder / "RESULTS.md").write_text(text, encoding="utf-8")
    except OSError as error:
        raise DrivememError(f"cannot write results to {folder}: {error}") from error
    written = [folder / "RESULTS.md", *written]
    return Results(folder, report / "report.html", written, comparison, left_out)


def _small_enough(written: list[Path]) -> tuple[list[Path], list[Path]]:
    """Drop files that can be done without: the least missed that is enough, or the largest."""
    sizes = {path: path.stat().st_size for path in written}
    left_out: list[Path] = []
    while sum(sizes.values()) > MOST_BYTES:
        repeats = [path for name in _FILES for path in sizes if path.name == name]
        if not repeats:
            break
        excess = sum(sizes.values()) - MOST_BYTES
        path = next((p for p in repeats if sizes[p] >= excess), max(repeats, key=sizes.__getitem__))
        path.unlink()
        left_out.append(path)
        del sizes[path]
    return list(sizes), left_out


def _text(
    plan: Plan,
    states: Mapping[str, State],
    comparison: Comparison,
    command: str,
    left_out: list[Path],
) -> str:
    """RESULTS.md: what was asked, what was found, how it was made."""
    trained = [cell for cell in plan.cells if not cell.is_driver]
    done = [cell for cell in trained if states[cell.name].stage == "done"]
    tables = with_agents(comparison.tables)
    lines = [f"# {plan.study.name}: results", ""]
    if plan.study.claims:
        lines += ["What the study tests:", "", *_quoted(plan.study.claims), ""]
    lines += [_extent(plan, done, trained, states), ""]
    lines += ["## Success", "", *headline_table(tables), ""]
    lines += ["![Success of every agent on every scenario](overview.svg)", ""]
    lines += ["## What was found", "", *sentences(tables), ""]
    lines += ["## How it was made", "", *_made(plan, done, command), ""]
    lines += ["## Files beside this one", ""]
    lines += ["- `cards.md`: how episodes ended", "- `table.md`, `table.csv`: the numbers"]
    missing = {path.name for path in left_out}
    lines += [f"- `{RUNS}`: settings, versions and suites of every run"]
    lines += [f"- `{name}`: {what}" for name, what in _FILES.items() if name not in missing]
    if missing:
        names = ", ".join(f"`{name}`" for name in sorted(missing))
        lines += ["", f"Left out, too large for git: {names}."]
    lines += ["", f"Every figure and probe is in `{REPORT}/report.html` of the study's folder."]
    return "\n".join([*lines, ""])


def _quoted(text: str) -> list[str]:
    return [f"> {line}".rstrip() for line in text.strip().splitlines()]


def _extent(plan: Plan, done: list[Cell], trained: list[Cell], states: Mapping[str, State]) -> str:
    planned = Counter((cell.scenario, cell.agent) for cell in trained)
    seeds = dict.fromkeys(planned, 0)
    for cell in done:
        seeds[cell.scenario, cell.agent] += 1
    each = sorted(planned.values()) or [0]
    seeds_count = str(each[0]) if each[0] == each[-1] else f"{each[0]} to {each[-1]}"
    text = (
        f"{len(done)} of the study's {len(trained)} training runs are done "
        f"(scenarios: {len(plan.study.scenarios)}, agents: {len(plan.study.agents)}, "
        f"seeds: {seeds_count})."
    )
    if len(done) < len(trained):
        counts = sorted(seeds.values())
        text += (
            f" The study is not complete: between {counts[0]} and {counts[-1]} runs stand behind "
            "a number; the table says how many. The same command goes on with it."
        )
    failed = sum(state.stage == "failed" for state in states.values())
    return text + (f" {failed} failed and are missing." if failed else "")


def _made(plan: Plan, done: list[Cell], command: str) -> list[str]:
    facts = manifest("done")
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items() if number)
    training, evaluation, restored = 0.0, 0.0, 0
    for cell in plan.cells:
        marker = read_done(plan.run(cell))
        evaluation += marker.get("evaluation_s", 0.0) * len(marker.get("evaluations", ()))
        training += marker.get("training_s", 0.0)
        restored += not cell.is_driver and bool(marker.get("restored"))
    decisions = sum(cell.steps for cell in done)
    one = f"{facts['platform']}, {facts['cores']} cores"
    return [
        f"    {command}",
        "",
        f"- {decisions:,} decisions of training in {duration(training)} and "
        f"{duration(evaluation)} of evaluation (summed over runs, one process each; {one})",
        f"- resolved study `{plan.hash()}`",
        *([_RESTORED.format(restored)] if restored else ()),
        f"- {versions}; Python {facts['python']}",
        f"- written {facts['written']}",
    ]


def _command(plan: Plan) -> str:
    return shlex.join(["drivemem", "study", f"experiments/{plan.study.name}.toml"])
