"""`drivemem compare`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from drivemem.commands.parsing import read_options
from drivemem.errors import UsageError


@dataclass
class Options:
    """Compare evaluated runs and submissions on the episodes that all of them met."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Run folders, submissions, folders of either, or globs."""
    baseline: str = "memory=none"
    """Whom others are compared with: memory=NAME, driver=NAME, a run's folder, or what the table
    calls an agent."""
    unequal: bool = False
    """Compare with it also agents that were trained for more or fewer decisions, or on another
    scenario, other sensors or dials."""
    report: str | None = None
    """Folder for the HTML report and the tables as CSV, Markdown, LaTeX and Parquet."""


def run(words: list[str]) -> int:
    """Compare and print."""
    options = read_options(Options, "compare", words)
    if not options.runs:
        raise UsageError("give run folders, such as runs/")
    from drivemem.comparison import compare_runs
    from drivemem.comparison.bars import bars
    from drivemem.output import console, show

    result = compare_runs(
        options.runs, baseline=options.baseline, unequal=options.unequal, report=options.report
    )
    out = console()
    for suite, table in zip(result.tables, result.as_tables(), strict=True):
        show(table)
        lines = [*bars(suite), suite.headline()]
        if suite.base is not None:
            lines.append(f"  compared with {suite.base.label}: {suite.chosen}")
        for row in suite.rows:
            if row.versus and row.kind != "lesion":
                lines.append(f"  {row.label} against the {suite.baseline.noun}: {row.versus.words}")
            if row.versus_intact:
                against = row.versus_intact.words
                lines.append(f"  {row.label} against the same agent intact: {against}")
        out.print("\n".join(lines), soft_wrap=True)
    for what, why in result.collection.excluded:
        out.print(f"left out: {what}: {why}")
    for path in result.written:
        out.print(f"written: {path}")
    out.print(result.summary)
    return 0
