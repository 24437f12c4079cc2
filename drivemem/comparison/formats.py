"""Tables as text: cells for people, flat records, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from drivemem.comparison.rows import Difference, Judged, Row, SuiteTable
from drivemem.comparison.statistics import Interval
from drivemem.schemas import MEASURES

TEXT_COLUMNS = (
    "scenario", "variant", "suite_hash", "agent", "kind", "versus_baseline", "versus_intact",
)  # fmt: skip

_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "$": r"\$", "{": r"\{", "}": r"\}",
}  # fmt: skip


def interval_text(interval: Interval | None) -> str:
    """`0.912 [0.881, 0.934]`, without brackets where nothing is known of other runs."""
    if interval is None:
        return ""
    if not interval.known:
        return f"{interval.estimate:z.3f}"
    return f"{interval.estimate:z.3f} [{interval.low:z.3f}, {interval.high:z.3f}]"


class TextColumn(NamedTuple):
    """A column of tables for people."""

    name: str
    text: Callable[[Row], str]
    is_shown: Callable[[SuiteTable], bool] = lambda table: True


ON_TIME = TextColumn(
    "on time [95 %]",
    lambda row: interval_text(row.on_time),
    lambda table: table.judged is Judged.ON_TIME,
)
TRAVEL_TIME = TextColumn(
    "travel time s",
    lambda row: "" if row.travel_s is None else f"{row.travel_s.estimate:.1f}",
    lambda table: table.times_differ,
)
_COLUMNS = (
    TextColumn("agent", lambda row: row.label),
    TextColumn("runs", lambda row: str(row.runs)),
    TextColumn("success [95 %]", lambda row: interval_text(row.success)),
    ON_TIME,
    TextColumn("collision", lambda row: f"{row.collision:z.3f}"),
    TextColumn("timeout, stuck, other", lambda row: f"{row.other:z.3f}"),
    TextColumn("return", lambda row: f"{row.mean_return:z.2f}"),
    TextColumn("speed m/s", lambda row: f"{row.mean_speed:.1f}"),
    TRAVEL_TIME,
    TextColumn("gap closed", lambda row: interval_text(row.gap_closed)),
)


def header(table: SuiteTable) -> tuple[str, ...]:
    """Names of a table's columns: those that say something of this suite."""
    return tuple(column.name for column in _COLUMNS if column.is_shown(table))


def cells(table: SuiteTable, row: Row) -> tuple[str, ...]:
    """A row of a table as text, in the order of `header`."""
    return tuple(column.text(row) for column in _COLUMNS if column.is_shown(table))


def to_records(tables: list[SuiteTable]) -> list[dict[str, Any]]:
    """All rows as flat records, for CSV and Parquet; None where something is not defined."""
    return [
        {
            "scenario": table.scenario, "variant": table.variant, "suite_hash": table.suite_hash,
            "agent": row.label, "kind": row.kind, "runs": row.runs, "episodes": row.episodes,
            **_limits("success", row.success), "collision": row.collision, "other": row.other,
            **_limits("on_time", row.on_time), "return": row.mean_return,
            "mean_speed": row.mean_speed, **_limits("travel_time_s", row.travel_s),
            **_limits("gap_closed", row.gap_closed), **_limits("success_iqm", row.middle),
            **_limits("improvement", row.improvement), "versus_baseline": _said(row.versus),
            "versus_intact": _said(row.versus_intact),
            **{name: row.metrics.get(name) for name in MEASURES},
        }
        for table in tables
        for row in table.rows
    ]  # fmt: skip


def _said(difference: Difference | None) -> str:
    return "" if difference is None else difference.words


def _limits(name: str, interval: Interval | None) -> dict[str, float | None]:
    values = (None, None, None) if interval is None else interval
    return {
        key: None if value is None or not math.isfinite(value) else value
        for key, value in zip((name, f"{name}_low", f"{name}_high"), values, strict=True)
    }


def markdown(tables: list[SuiteTable]) -> str:
    """The tables as Markdown."""
    lines = []
    for table in tables:
        lines += [f"## {table.title} ({table.episodes} episodes, suite {table.suite_hash[:8]})", ""]
        names = header(table)
        lines += ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
        for row in table.rows:
            texts = [cell.replace("\\", "\\\\").replace("|", "\\|") for cell in cells(table, row)]
            lines.append("| " + " | ".join(texts) + " |")
        lines += ["", table.headline(), *[f"\n{note.text}" for note in table.notes], ""]
    return "\n".join(lines)


def latex(tables: list[SuiteTable]) -> str:
    """The tables as LaTeX tabulars that need no package."""

    def safe(text: str) -> str:
        return "".join(_LATEX.get(character, character) for character in text)

    lines = []
    for table in tables:
        lines.append(f"% {table.title}, {table.episodes} episodes, suite {table.suite_hash[:8]}")
        names = header(table)
        lines.append("\\begin{tabular}{l" + "r" * (len(names) - 1) + "}\n\\hline")
        lines.append(" & ".join(safe(name) for name in names) + r" \\ \hline")
        lines += [" & ".join(map(safe, cells(table, row))) + r" \\" for row in table.rows]
        lines.append("\\hline\n\\end{tabular}\n")
    return "\n".join(lines)


def comma_separated(records: list[dict[str, Any]]) -> str:
    """Records as CSV with a header."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, fieldnames=list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue()
