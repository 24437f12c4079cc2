"""Comparing runs: `compare_runs` reads run folders and gives tables, figures and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivemem.comparison.baseline import DEFAULT, Baseline
from drivemem.comparison.collect import Collection, collect
from drivemem.comparison.formats import cells, header, to_records
from drivemem.comparison.rows import SuiteTable
from drivemem.comparison.tables import name_suites, suite_table
from drivemem.errors import DrivememError, did_you_mean
from drivemem.tables import Shown, Table
from drivemem_envs.names import by_level

__all__ = ["Comparison", "compare_runs"]

_STYLES = {"upper bound": "cyan", "agent": "bold", "submitted": "bold", "reference": "dim"}
"""How a terminal shows the rows of a kind; of others plainly."""


@dataclass
class Comparison(Shown):
    """The result of a comparison."""

    tables: list[SuiteTable]
    collection: Collection
    written: list[Path]

    @property
    def table(self) -> list[dict[str, Any]]:
        """All rows as flat records."""
        return to_records(self.tables)

    @property
    def summary(self) -> str:
        """All of it in one line."""
        rows = [row for table in self.tables for row in table.rows]
        left = len(self.collection.excluded)
        return f"{_counted(len(rows), 'row')} on {_counted(len(self.tables), 'suite')}" + (
            f"; {left} left out" if left else ""
        )

    def as_tables(self) -> list[Table]:
        """One for each suite."""
        return [_shown(suite) for suite in self.tables]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _shown(suite: SuiteTable) -> Table:
    kinds = [row.kind for row in suite.rows]
    return Table(
        header(suite),
        [cells(suite, row) for row in suite.rows],
        title=f"{suite.title}: {suite.episodes} episodes each, suite {suite.suite_hash[:8]}",
        caption="\n".join(note.text for note in suite.notes),
        records=to_records([suite]),
        styles=[_STYLES.get(kind, "") for kind in kinds],
        sections=frozenset(n for n in range(1, len(kinds)) if kinds[n] != kinds[n - 1]),
        aligned=True,
    )


def compare_runs(
    paths: Sequence[str | Path],
    *,
    baseline: str = DEFAULT,
    unequal: bool = False,
    report: str | Path | None = None,
    names: Mapping[str, str] | None = None,
    partial: bool = False,
    title: str | None = None,
    claims: str = "",
) -> Comparison:
    """Compare evaluated runs, and submissions beside them.

    Args:
        paths: run folders, submissions, folders of either, or globs.
        baseline: whom others are compared with: `memory=NAME`, `driver=NAME`, a run's folder, or
            what a table calls an agent. Of several that fit, a rule takes one and the table
            says why.
        unequal: compare with it also agents that were trained for more or fewer decisions, or on
            another scenario, other sensors or dials.
        report: folder for `report.html`, `table.csv`, `table.md`, `table.tex`, `table.parquet`.
        names: what to call the agents of runs, by the name of the run's folder; others are
            called by what they were trained with.
        partial: others are still to come, so the baseline may be missing.
        title: of the report; default: the question that drivemem asks.
        claims: what was to be shown, for the report.

    Raises:
        DrivememError: nothing to compare, no such baseline, the report's folder is named as a
            file, or cannot be written.
    """
    if report is not None and Path(report).suffix.lower() in (".html", ".htm"):
        folder = Path(report).with_suffix("")
        raise DrivememError(f"the report is a folder, and {report} names a file: give {folder}")
    base = Baseline.parse(baseline)
    collection = collect(list(paths), names)
    tables = [suite_table(group, base, unequal) for group in collection.groups]
    if baseline != DEFAULT and not partial and all(table.base is None for table in tables):
        raise _no_baseline(baseline, tables)
    name_suites(tables)
    # Levels as they get harder; of one scenario, what most drove comes first.
    tables.sort(key=lambda table: (*by_level(table.scenario), -len(table.rows)))
    written: list[Path] = []
    if report is not None:
        from drivemem.comparison.report import TITLE, write_report

        written = write_report(Path(report), tables, collection, title or TITLE, claims)
    return Comparison(tables, collection, written)


def _no_baseline(asked: str, tables: Sequence[SuiteTable]) -> DrivememError:
    """What to say where no table has the baseline that was asked for."""
    rows = [row for table in tables for row in table.rows if row.kind not in ("lesion", "sampled")]
    names = sorted({row.label for row in rows})
    near = did_you_mean(asked, names)
    return DrivememError(
        f"baseline is '{asked}', which is none of what was evaluated{near}: give memory=NAME, "
        f"driver=NAME, the folder of a compared run, or one of {', '.join(names)}"
    )
