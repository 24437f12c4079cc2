"""Drawing for reports: inline SVG in the page's text colour, light or dark, for any palette eye."""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import matplotlib
from matplotlib.figure import Figure as Canvas

from drivemem.comparison.describing import description
from drivemem.comparison.rows import Row, SuiteTable

DASHES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P")
INK = "#123456"
"""Stands for the page's text colour until the SVG is written."""
# Okabe and Ito's palette, told apart by colour-blind readers; less its yellow, too pale on white.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", INK)
WIDTH = 5.4
"""Inches; narrow, so that the letters are still read when a phone scales the figure down."""

_SETTINGS: Any = {"svg.fonttype": "none", "font.size": 10, "text.parse_math": False}


class Figure(NamedTuple):
    """A figure of the report."""

    title: str
    caption: str
    svg: str


class Style(NamedTuple):
    """How one agent is drawn in every figure of a suite."""

    color: str
    linestyle: str
    marker: str


def styles(*tables: SuiteTable) -> dict[str, Style]:
    """A style for each row's label, the same in all suites; a lesion has that of its agent."""
    given = [label for table in tables for label in table.labels]
    labels = list(dict.fromkeys([*given, *drawn_labels(tables)]))
    return {
        label: Style(
            PALETTE[number % len(PALETTE)], DASHES[number // len(PALETTE) % len(DASHES)],
            MARKERS[number % len(MARKERS)],
        )
        for number, label in enumerate(labels)
    }  # fmt: skip


def drawn_labels(tables: Sequence[SuiteTable]) -> list[str]:
    """Labels of what is drawn in a colour of its own: what was trained, then all others."""
    rows = [row for table in tables for row in table.rows]
    trained = [row.label for row in rows if row.is_trained]
    # A lesion's agent may not have been driven intact through this suite.
    intact = [row.intact for row in rows]
    return list(dict.fromkeys([*trained, *intact, *(row.label for row in rows)]))


def canvas(height: float) -> tuple[Any, Any]:
    """An empty figure and its axes, in ink, on no ground.

    Args:
        height: in inches.
    """
    with matplotlib.rc_context(_SETTINGS):
        figure = Canvas(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots()
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    for spine in axes.spines.values():
        spine.set_color(INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    return figure, axes


def in_lines(label: str) -> str:
    """A row's label in lines short enough for the margin."""
    return "\n".join(textwrap.wrap(label, 26)) or " "


def name_rows(axes: Any, rows: Sequence[Row]) -> None:
    """Label the y axis with the rows, from the top."""
    axes.set_yticks(range(len(rows)), [in_lines(row.label) for row in rows], parse_math=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)


def row_height(rows: Sequence[Row]) -> float:
    """Inches that the rows of a figure need."""
    lines = sum(1 + in_lines(row.label).count("\n") for row in rows)
    return 0.19 * lines + 0.14 * len(rows)


def legend(figure: Any, columns: int = 2) -> None:
    """A legend below the axes; the figure grows by its height.

    Args:
        figure: from `canvas`.
        columns: at most; fewer where so many are wider than the figure, which would cut them off.
    """
    handles, labels = figure.axes[0].get_legend_handles_labels()
    first: dict[str, Any] = {}
    for label, handle in zip(labels, handles, strict=True):
        first.setdefault(label, handle)
    found = _legend(figure, first, columns)
    while columns > 1 and found.get_window_extent().width > figure.bbox.width:
        found.remove()
        columns -= 1
        found = _legend(figure, first, columns)
    figure.set_figheight(figure.get_figheight() + 0.19 * math.ceil(len(first) / columns))


def _legend(figure: Any, handles: dict[str, Any], columns: int) -> Any:
    """A legend of labels and their handles in so many columns."""
    found = figure.legend(
        [handles[name] for name in handles],
        [textwrap.shorten(name, 44, placeholder=" …") for name in handles],
        ncols=columns, loc="outside lower left", frameon=False, labelcolor=INK, fontsize=9,
    )  # fmt: skip
    for text in found.get_texts():
        text.set_parse_math(False)
    return found


def to_svg(figure: Any, title: str) -> str:
    """The figure as an SVG element that says what it shows, its ink the page's.

    Args:
        figure: from `canvas`.
        title: unique in the page, for identifiers of inline figures must not meet.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": title}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r'\s(width|height)="[\d.]+pt"', "", text, count=2)
    # Between tags is text that a label may have brought: only what is inside them is renamed.
    prefix = re.sub(r"\W+", "-", title.lower())
    text = re.sub(r"<[^>]+>", lambda tag: _prefixed(tag[0], prefix), text)
    named = f'role="img" aria-label="{_plain(title)}" aria-describedby="{prefix}-told"'
    told = f'<desc id="{prefix}-told">{escape(description(figure.axes[0]))}</desc>'
    return re.sub(r"<svg([^>]*)>", lambda tag: f"<svg {named}{tag[1]}>{told}", text, count=1)


def _prefixed(tag: str, prefix: str) -> str:
    tag = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', tag)
    return re.sub(r'(href="#|url\(#)([^")]+)', rf"\1{prefix}-\2", tag)


def _plain(text: str) -> str:
    return re.sub(r"[<>&\"']", "", text)
