"""The report: one self-contained HTML file, and the tables as CSV, Markdown, LaTeX, Parquet."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

from drivemem.compare import figures
from drivemem.compare.collect import Collection
from drivemem.compare.tables import HEADER, SuiteTable, cells, to_records
from drivemem.episodes import write_table
from drivemem.errors import DrivememError
from drivemem.runs import manifest, read_json


def write_report(folder: Path, tables: list[SuiteTable], collection: Collection) -> list[Path]:
    """Write the report and the tables into a folder.

    Raises:
        DrivememError: the folder cannot be written.
    """
    records = to_records(tables)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [
            _write(folder / "report.html", _html(folder, tables, collection)),
            _write(folder / "table.md", _markdown(tables)),
            _write(folder / "table.tex", _latex(tables)),
            _csv(folder / "table.csv", records),
        ]
    except OSError as error:
        raise DrivememError(f"cannot write the report to {folder}: {error}") from error
    text = ("scenario", "suite_hash", "agent", "kind", "versus_baseline")
    columns = {name: "VARCHAR" if name in text else "DOUBLE" for name in records[0]}
    write_table(folder / "table.parquet", columns, records)
    return [*written, folder / "table.parquet"]


def _html(folder: Path, tables: list[SuiteTable], collection: Collection) -> str:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("drivemem.compare"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    suites = [
        {
            "table": table,
            "headline": table.headline(),
            "rows": [{"row": row, "cells": cells(row)} for row in table.rows],
            "figures": [
                (title, Markup(svg))
                for title, svg in (
                    ("Success", figures.success_intervals(table)),
                    ("How episodes ended", figures.outcome_bars(table)),
                    ("Learning", figures.learning_curves(table)),
                    ("How much memory is needed", figures.span_curve(table)),
                    ("Performance profiles", figures.profiles(table)),
                )
                if svg is not None
            ],
            "runs": [_run_facts(folder, one) for row in table.rows for one in row.members],
        }
        for table in tables
    ]
    return environment.get_template("report.html").render(
        suites=suites, header=HEADER, excluded=collection.excluded, facts=manifest("done")
    )


def _run_facts(folder: Path, one: Any) -> dict[str, Any]:
    path = one.run.folder / "manifest.json"
    facts = read_json(path) if path.exists() else {}
    pages = sorted(one.run.folder.parent.glob("*.html"))
    return {
        "label": one.label(),
        "folder": one.run.folder.as_posix(),
        "backend": one.first["backend"],
        "parameters": facts.get("parameters"),
        "steps": facts.get("steps"),
        "seed": one.first["train_seed"],
        "pages": [(page.name, os.path.relpath(page, folder)) for page in pages],
    }


def _markdown(tables: list[SuiteTable]) -> str:
    lines = []
    for table in tables:
        lines += [
            f"## {table.scenario} ({table.episodes} episodes, suite {table.suite_hash[:8]})",
            "",
        ]
        lines += ["| " + " | ".join(HEADER) + " |", "|" + " --- |" * len(HEADER)]
        lines += ["| " + " | ".join(cells(row)) + " |" for row in table.rows]
        lines += ["", table.headline(), *[f"\n{note}" for note in table.notes], ""]
    return "\n".join(lines)


def _latex(tables: list[SuiteTable]) -> str:
    def safe(text: str) -> str:
        for character in "&%#_":
            text = text.replace(character, "\\" + character)
        return text

    lines = []
    for table in tables:
        lines.append(f"% {table.scenario}, {table.episodes} episodes, suite {table.suite_hash[:8]}")
        lines.append("\\begin{tabular}{l" + "r" * (len(HEADER) - 1) + "}\n\\hline")
        lines.append(" & ".join(safe(name) for name in HEADER) + r" \\ \hline")
        lines += [" & ".join(safe(cell) for cell in cells(row)) + r" \\" for row in table.rows]
        lines.append("\\hline\n\\end{tabular}\n")
    return "\n".join(lines)


def _csv(path: Path, records: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    return path


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
