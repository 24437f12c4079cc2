"""The report: one self-contained HTML file, and the tables as CSV, Markdown, LaTeX, Parquet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from drivemem.comparison.ceilings import ceiling_of
from drivemem.comparison.collect import Collection, StoredEvaluation
from drivemem.comparison.curves import retention_figures
from drivemem.comparison.drawing import drawn_labels
from drivemem.comparison.edited import edit_figure, edited
from drivemem.comparison.figures import suite_figures
from drivemem.comparison.formats import (
    TEXT_COLUMNS,
    cells,
    comma_separated,
    header,
    interval_text,
    latex,
    markdown,
    to_records,
)
from drivemem.comparison.measures import Transfer, forgetting, generalisation, transfer_matrix
from drivemem.comparison.overall import overall
from drivemem.comparison.plasticity import layer_activity, plasticity_figure
from drivemem.comparison.probing import probe_figures
from drivemem.comparison.readable import readable_runs
from drivemem.comparison.rows import KINDS, SuiteTable
from drivemem.episodes import read_episodes, write_table
from drivemem.errors import DrivememError
from drivemem.lesions import INTACT
from drivemem.runs import manifest
from drivemem.schemas import MEASURES

DIFFERING = 8
"""Episodes shown in which two drivers differ most."""


TITLE = "Does memory make a better driver?"


def write_report(
    folder: Path,
    tables: list[SuiteTable],
    collection: Collection,
    title: str = TITLE,
    claims: str = "",
) -> list[Path]:
    """Write the report and the tables into a folder.

    Args:
        folder: made if it is missing.
        tables: of the suites, in the order of the report.
        collection: what was found, and left out.
        title: the report's.
        claims: what was to be shown, beneath it.

    Raises:
        DrivememError: the folder cannot be written.
    """
    records = to_records(tables)
    labels = tuple(drawn_labels(tables))
    for table in tables:
        table.labels = labels
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [
            _write(folder / "report.html", _html(folder, tables, collection, title, claims)),
            _write(folder / "table.md", markdown(tables)),
            _write(folder / "table.tex", latex(tables)),
            _write(folder / "table.csv", comma_separated(records)),
        ]
    except OSError as error:
        raise DrivememError(f"cannot write the report to {folder}: {error}") from error
    columns = {name: "VARCHAR" if name in TEXT_COLUMNS else "DOUBLE" for name in records[0]}
    write_table(folder / "table.parquet", columns, records)
    return [*written, folder / "table.parquet"]


def _html(
    folder: Path, tables: list[SuiteTable], collection: Collection, title: str, claims: str
) -> str:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("drivemem.comparison"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["interval"] = interval_text
    environment.globals["svg"] = Markup  # figures are made here, their labels escaped
    return environment.get_template("report.html").render(
        title=title,
        claims=claims.split("\n\n") if claims.strip() else [],
        suites=[
            {
                **_suite(folder, table),
                "generalisation": generalisation(table, collection.training),
                "forgetting": forgetting(table),
            }
            for table in tables
        ],
        metrics=MEASURES,
        kinds=KINDS,
        overall=overall(tables),
        **_score_words(tables),
        retention=retention_figures(tables),
        transfers=_transfers(tables),
        excluded=collection.excluded,
        facts=manifest("done"),
        trained_with=_versions(collection),
    )


def _score_words(tables: list[SuiteTable]) -> dict[str, str]:
    """What scores are that stand for several suites."""
    nouns = {table.judged.noun for table in tables}
    if len(nouns) == 1:
        return {"score": nouns.pop(), "judged_note": ""}
    note = " Where a scenario states a speed, the score is being on time, else success."
    return {"score": "score", "judged_note": note}


def _suite(folder: Path, table: SuiteTable) -> dict[str, Any]:
    members = [one for row in table.rows for one in row.members]
    runs: dict[Path, dict[str, Any]] = {}
    for one in members:
        if one.first["lesion"] == INTACT:
            runs.setdefault(one.run.folder, _run_facts(one))
    return {
        "table": table,
        "headline": table.headline(),
        "ceiling": ceiling_of(table),
        "header": header(table),
        "rows": [
            {"row": row, "cells": cells(table, row), "pages": _pages(folder, row.members)}
            for row in table.rows
        ],
        "metrics": [name for name in MEASURES if any(r.metrics[name] for r in table.rows)],
        "no_metrics": [
            MEASURES[name]
            for name in MEASURES
            if {r.metrics[name] for r in table.rows if r.metrics[name] is not None} == {0.0}
        ],
        "figures": suite_figures(table),
        "probes": probe_figures(table),
        **_edits_and_plasticity(table),
        "readable": readable_runs(table),
        "runs": list(runs.values()),
        "pages": _pages(folder, members, beside=True),
        "differing": _differing(table),
    }


def _edits_and_plasticity(table: SuiteTable) -> dict[str, Any]:
    """What else probes found: rows of a table each, and the figures that show them."""
    edits, layers = edited(table), layer_activity(table)
    figures = edit_figure(table, edits), plasticity_figure(table, layers)
    drawn_edits, drawn_layers = ([one] if one is not None else [] for one in figures)
    return {
        "edits": edits, "edit_figures": drawn_edits,
        "layers": layers, "layer_figures": drawn_layers,
    }  # fmt: skip


def _run_facts(one: StoredEvaluation) -> dict[str, Any]:
    facts = one.run.manifest()
    return {
        "label": one.label(),
        "folder": one.run.folder.as_posix(),
        "backend": one.first["backend"],
        "seed": one.first["train_seed"],
        "parameters": facts.get("parameters"),
        "state": facts.get("memory_state_bytes"),
        "steps": facts.get("steps"),
        "speed": facts.get("steps_per_s"),
    }


def _pages(
    folder: Path, members: list[StoredEvaluation], beside: bool = False
) -> list[tuple[str, str]]:
    """Replay pages of runs' recordings, as (name, link from the report).

    Args:
        folder: the report's.
        members: the runs' evaluations.
        beside: with pages that lie beside the runs, as those of two runs do.
    """
    found: dict[Path, None] = {}
    for one in members:
        pages = sorted(one.run.folder.glob("recordings/*/*.html"))
        pages += sorted(one.run.folder.parent.glob("*.html")) if beside else []
        for page in pages:
            if page.resolve() != (folder / "report.html").resolve():
                found.setdefault(page)
    return [(page.name, quote(Path(os.path.relpath(page, folder)).as_posix())) for page in found]


def _differing(table: SuiteTable) -> dict[str, Any] | None:
    """The episodes in which the best rival and the baseline differ most."""
    best, base = table.best(), table.base
    if best is None or base is None:
        return None
    scores = [
        np.mean([one.column(table.judged) for one in row.members], axis=0) for row in (best, base)
    ]
    difference = scores[0] - scores[1]
    order = np.argsort(-np.abs(difference), kind="stable")[:DIFFERING]
    mine, theirs = best.members[0], base.members[0]
    recorded = _recorded(mine) & _recorded(theirs)
    rows = [
        {
            "episode": int(k),
            "seed": mine.episodes[k]["seed"],
            "shares": [f"{score[k]:.0%}" for score in scores],
            "outcomes": [one.episodes[k]["outcome"].replace("_", " ") for one in (mine, theirs)],
            "recorded": int(k) in recorded,
        }
        for k in order
        if difference[k] != 0
    ]
    if not rows:
        return None
    folders = [one.run.folder.as_posix() for one in (mine, theirs)]
    return {"rows": rows, "labels": [best.label, base.label], "folders": folders}


def _recorded(one: StoredEvaluation) -> set[int]:
    """Numbers of the episodes that can be replayed."""
    file = one.run.folder / "recordings" / one.folder.name / "episodes.parquet"
    if not file.is_file():
        return set()
    try:
        return {int(row["episode"]) for row in read_episodes(file)}
    except DrivememError:
        return set()


def _transfers(tables: list[SuiteTable]) -> list[tuple[str, Transfer]]:
    memories = {row.driver: None for table in tables for row in table.rows if row.kind == "agent"}
    found = [(memory, transfer_matrix(tables, memory)) for memory in memories]
    return [(memory, transfer) for memory, transfer in found if transfer is not None]


def _versions(collection: Collection) -> list[str]:
    """The versions that runs were trained with, if they are not all alike."""
    found: dict[str, set[str]] = {}
    for one in (one for group in collection.groups for one in group):
        facts = one.run.manifest()
        for package, number in (facts.get("versions") or {}).items():
            found.setdefault(str(package), set()).add(str(number))
    return [f"{name} {', '.join(sorted(v))}" for name, v in sorted(found.items()) if len(v) > 1]


def _write(path: Path, text: str) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
    return path
