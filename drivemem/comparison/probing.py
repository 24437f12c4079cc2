"""Figures of probes: what can be decoded from memory, and where attention and gradients go.

Runs of one agent are averaged; with several, their range is drawn. Nothing is pooled.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from drivemem.comparison.drawing import INK, Figure, canvas, in_lines, legend, styles, to_svg
from drivemem.comparison.rows import Row, SuiteTable
from drivemem.episodes import read_table
from drivemem.errors import DrivememError
from drivemem.evaluation.suites import with_later_limits
from drivemem.runs import read_json
from drivemem.schemas import PROBES

INPUTS = ("observation", "frame stack", "memory")
_COLOUR = "#0072B2"
_STRONGEST = 0.7
"""Opacity of a perfect score: the number in the cell must still be read."""

Records = list[dict[str, Any]]


def probe_figures(table: SuiteTable) -> list[Figure]:
    """Figures of the probes of a suite's runs; none where no run was probed."""
    # With full sensors nothing is hidden, so that there is nothing to decode.
    agents = [row for row in table.rows if row.kind in ("agent", "lesion")]
    probed = [(row, probes_of(row, "scores")) for row in agents]
    probed = [(row, tables) for row, tables in probed if tables]
    targets = dict.fromkeys(
        record["target"] for _, tables in probed for records in tables for record in records
    )
    figures = [_heat_map(table, target, probed) for target in targets]
    figures += [
        _by_age(table, "attention", "mass", "Where attention goes",
                "Attention on the frame of so long ago, mean over heads and decisions; the "
                "present frame is at 0."),
        _by_age(table, "saliency", "share", "Which past frames move the decision",
                "Share of the gradient of the decision (the two most likely actions' margin) on "
                "the frame of so long ago; the present frame is at 0."),
    ]  # fmt: skip
    return [figure for figure in figures if figure is not None]


def probes_of(row: Row, name: str) -> list[Records]:
    """A probe's table of each run of a row that was probed on the row's scenario and sensors.

    Args:
        row: of a comparison.
        name: a key of `PROBES`, such as scores.
    """
    tables = (
        stored_table(one.run.folder / "probes" / one.folder.name, one.suite, name, PROBES[name])
        for one in row.members
    )
    return [records for records in tables if records]


def stored_table(
    folder: Path, suite: dict[str, Any], name: str, columns: dict[str, str]
) -> Records:
    """A table that a probe or an edit left in a folder; [] where it is of another scene.

    Args:
        folder: of the probe or edit.
        suite: that its scenario and sensors must be those of.
        name: of the table.
        columns: what it holds.
    """
    try:
        if not _same_scene(folder, suite):
            return []
        return read_table(folder / f"{name}.parquet", columns)
    except DrivememError:
        return []  # damaged, or of another version: it is made again in seconds


def _same_scene(folder: Path, suite: dict[str, Any]) -> bool:
    if not (folder / "suite.json").is_file():
        return False
    stored = read_json(folder / "suite.json")
    stored["sensors"] = with_later_limits(stored.get("sensors"))
    keys = ("scenario", "config", "sensors")
    return all(json.dumps(stored.get(k)) == json.dumps(suite.get(k)) for k in keys)


def _heat_map(
    table: SuiteTable, target: str, probed: Sequence[tuple[Row, list[Records]]]
) -> Figure | None:
    """Scores by what is read (rows) and for how long it has been hidden (columns)."""
    cells = {
        (row.label, name): scores
        for row, tables in probed
        for name in INPUTS
        if (scores := _by_band(tables, target, name))
    }
    columns = sorted(set().union(*cells.values()))
    if not columns:
        return None
    about = next(
        r for _, tables in probed for rows in tables for r in rows if r["target"] == target
    )
    chance, measure = about["chance"], about["measure"]
    names = [in_lines(f"{name}, {label}" if len(probed) > 1 else name) for label, name in cells]
    figure, axes = canvas(0.75 + 0.3 * len(cells) + 0.12 * sum("\n" in name for name in names))
    for y, values in enumerate(cells.values()):
        for band, value in values.items():
            skill = float(np.clip((value - chance) / (1.0 - chance), 0.0, 1.0))
            _shade(axes, columns.index(band), y, skill, _number(value))
    axes.set_yticks(range(len(cells)), names, parse_math=False)
    axes.set_ylim(len(cells) - 0.5, -0.5)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_xticks(range(len(columns)), [_band(*band) for band in columns])
    axes.set_xlabel("age, s")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    perfect = f"1 is perfect, {chance:.2f} is chance" if chance else "1 is perfect, 0 is a guess"
    runs = max(len(tables) for _, tables in probed)
    return Figure(
        f"Decoded: {target}",
        f"How well a linear probe reads it ({measure}; {perfect}) in episodes that it was not "
        f"fitted on, mean over {runs} run{'s' if runs > 1 else ''}. Memory above observation and "
        "frame stack: it remembers. Age: since it was last shown; of what is never shown, since "
        "the episode began.",
        to_svg(figure, f"What decodes {target} on {table.title}, by age"),
    )


def _shade(axes: Any, x: float, y: float, strength: float, text: str) -> None:
    """A cell of a heat map, 1 wide and high about its middle."""
    axes.fill_between(
        [x - 0.48, x + 0.48], y - 0.46, y + 0.46, color=_COLOUR, alpha=_STRONGEST * strength,
        linewidth=0,
    )  # fmt: skip
    axes.text(x, y, text, ha="center", va="center", color=INK)


def _by_band(tables: list[Records], target: str, name: str) -> dict[tuple[float, float], float]:
    """How well a target is read from an input, by band of ages, mean over the runs."""
    scores: dict[tuple[float, float], list[float]] = {}
    for one in (one for records in tables for one in records):
        if (one["target"], one["input"]) == (target, name) and one["age_low_s"] is not None:
            scores.setdefault((one["age_low_s"], one["age_high_s"]), []).append(one["score"])
    return {band: float(np.mean(found)) for band, found in scores.items()}


def _by_age(table: SuiteTable, name: str, column: str, title: str, caption: str) -> Figure | None:
    figure, axes = canvas(2.4)
    of_label = styles(table)
    for row in table.rows:
        curves = [curve for curve in map(_curve(column), probes_of(row, name)) if curve]
        if not row.is_trained or not curves:
            continue
        ages = sorted(set.intersection(*(set(curve) for curve in curves)))
        values = np.array([[curve[age] for age in ages] for curve in curves])
        color, dash, _ = of_label[row.label]
        axes.plot(ages, values.mean(axis=0), color=color, linestyle=dash, label=row.label)
        if len(curves) > 1:
            low, high = values.min(axis=0), values.max(axis=0)
            axes.fill_between(ages, low, high, color=color, alpha=0.15, linewidth=0)
    if not axes.lines:
        return None
    axes.set_xlabel("age of the frame, s")
    axes.set_ylabel(column)
    axes.set_ylim(bottom=0)
    legend(figure, columns=1)
    band = " Band: range of the runs."
    return Figure(title, caption + band, to_svg(figure, f"{title} on {table.title}"))


def _curve(column: str) -> Any:
    """Reads a table as age in seconds to the mean of a column."""

    def read(records: Records) -> dict[float, float]:
        values: dict[float, list[float]] = {}
        for record in records:
            if record["age_s"] is not None and record.get("what", "age") == "age":
                values.setdefault(record["age_s"], []).append(record[column])
        return {age: float(np.mean(found)) for age, found in values.items()}

    return read


def _number(value: float) -> str:
    return "< 0" if value < 0 else f"{value:.2f}"


def _band(low: float, high: float) -> str:
    if high == 0:
        return "now"
    return f"> {low:g}" if high == float("inf") else f"{low:g}–{high:g}"
