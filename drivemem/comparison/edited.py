"""What came of edits of memory, for the report: whether what agents do follows what they hold.

Runs of one agent are averaged; with several, intervals are over runs, else over episodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.comparison.drawing import Figure, canvas, in_lines, legend, styles, to_svg
from drivemem.comparison.probing import Records, stored_table
from drivemem.comparison.rows import Row, SuiteTable
from drivemem.comparison.statistics import Interval, share_interval
from drivemem.schemas import EDIT_OUTCOME, EDIT_READ, EDITS, FOLLOWS_KIND, FOLLOWS_TELLING

_ARMS = ("edit", "control")


@dataclass(frozen=True)
class Edited:
    """One target of one agent, edited in its runs; by arm, less what was not measured."""

    label: str
    target: str
    after_s: float
    runs: int
    reads: dict[str, Interval]
    """Share of episodes in which the probe reads the new value."""
    follows: dict[str, Interval]
    """Share in which it acts by the new value."""
    differs: dict[str, Interval]
    """Share that ends in another outcome."""


def edited(table: SuiteTable) -> list[Edited]:
    """All edits of the runs of a suite, in the order of its rows."""
    found = []
    for row in table.rows:
        if row.kind not in ("agent", "lesion"):
            continue  # with full sensors nothing is hidden
        by_edit: dict[tuple[str, float], list[Records]] = {}
        for records in _of_row(row):
            key = (records[0]["target"], records[0]["after_s"])
            by_edit.setdefault(key, []).append(records)
        found += [
            Edited(
                row.label, target, after_s, len(tables), _measured(tables, EDIT_READ),
                _measured(tables, FOLLOWS_TELLING, FOLLOWS_KIND), _measured(tables, EDIT_OUTCOME),
            )
            for (target, after_s), tables in by_edit.items()
        ]  # fmt: skip
    return found


def _of_row(row: Row) -> list[Records]:
    """The effects of each edit of each run."""
    found = []
    for one in row.members:
        # The folder of another lesion may begin alike: the rows say whose they are.
        folders = sorted((one.run.folder / "edits").glob(f"{one.folder.name}-*"))
        tables = (stored_table(folder, one.suite, "effects", EDITS) for folder in folders)
        found += [records for records in tables if records and records[0]["lesion"] == row.lesion]
    return found


def _measured(tables: Sequence[Records], *measures: str) -> dict[str, Interval]:
    """The share of the first of some measures that there is, by arm."""
    for measure in measures:
        found = {}
        for arm in _ARMS:
            rows = [r for t in tables for r in t if (r["measure"], r["arm"]) == (measure, arm)]
            if rows:
                found[arm] = share_interval(list(map(_episodes, rows)), np.random.default_rng(0))
        if found:
            return found
    return {}


def _episodes(row: dict[str, Any]) -> NDArray[np.float64]:
    """A run's share as episodes (E,) in which it holds, 1, and does not, 0."""
    count = row["episodes"]
    return np.asarray(np.arange(count) < round(row["estimate"] * count), dtype=np.float64)


def edit_figure(table: SuiteTable, found: Sequence[Edited]) -> Figure | None:
    """How many episodes follow edits and their controls; None where no kind was edited."""
    drawn = [one for one in found if one.follows]
    if not drawn:
        return None
    several = len({(one.target, one.after_s) for one in drawn}) > 1
    names = [in_lines(f"{one.label}: {_what(one)}" if several else one.label) for one in drawn]
    lines = sum(1 + name.count("\n") for name in names)
    figure, axes = canvas(0.19 * lines + 0.14 * len(names) + 0.9)
    of_label = styles(table)
    _explain_markers(axes)
    for y, one in enumerate(drawn):
        color, _, marker = of_label[one.label]
        for arm, interval in one.follows.items():
            at, fill = (y - 0.13, color) if arm == "edit" else (y + 0.17, "none")
            if interval.known:
                axes.plot(
                    [interval.low, interval.high], [at, at], color=color, solid_capstyle="butt",
                    linewidth=2.5 if arm == "edit" else 1.0,
                )  # fmt: skip
            axes.plot(interval.estimate, at, marker, color=color, markerfacecolor=fill, label=arm)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share of episodes that act\nby the new value, 95 % interval")
    legend(figure, columns=2)
    what = "" if several else f" Edited: {_what(drawn[0])}."
    return Figure(
        "Edits of memory that are followed",
        "Memory is moved so that a probe reads another value. Filled: the edit. Hollow: the "
        "control, a change as large where the probe does not read. Filled far right of hollow: the "
        f"agent goes by what is read.{what}",
        to_svg(figure, f"Share of episodes that follow edits of memory on {table.title}"),
    )


def _explain_markers(axes: Any) -> None:
    """What is filled and what is not, for the legend."""
    for name, fill in (("edit", "#888888"), ("control", "none")):
        axes.plot([], [], "o", color="#888888", markerfacecolor=fill, label=name)


def _what(one: Edited) -> str:
    return f"{one.target}, {one.after_s:g} s after it was shown"
