"""What a figure shows, in words, for readers who do not see it: values by what they belong to."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.container import BarContainer
from matplotlib.ticker import FixedLocator
from numpy.typing import NDArray

MOST_POINTS = 6
"""Of a curve; of a longer one, as many that are evenly spaced."""


def description(axes: Any) -> str:
    """What stands in a figure's axes.

    Args:
        axes: in which all that is to be told has a label, or is a text in a cell of a grid.

    Returns:
        Sentences such as `success against decisions remembered. gru: 0.33 at 1, 0.98 at 16.`
    """
    rows = _names(axes.yaxis)
    lines = _marks(axes, rows) if rows else _curves(axes)
    parts = [*lines, *_bars(axes, rows), *_cells(axes, rows)]
    across, up = _line(axes.get_xlabel()), _line(axes.get_ylabel())
    about = f"{up} against {across}" if up else across
    return " ".join(f"{part}." for part in [about, *parts] if part)


def _names(axis: Any) -> list[str]:
    """What an axis calls its places 0, 1, …; none where it chooses its ticks itself."""
    if not isinstance(axis.get_major_locator(), FixedLocator):
        return []
    ticks = axis.get_major_formatter().format_ticks(axis.get_majorticklocs())
    return [_line(name) for name in ticks]


def _line(text: str) -> str:
    return " ".join(text.split())


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _named_lines(axes: Any) -> list[tuple[str, NDArray[np.float64]]]:
    """Labels of lines and their points (n, 2)."""
    found = []
    for line in axes.lines:
        points = np.column_stack([line.get_xdata(), line.get_ydata()]).astype(float)
        points = points[np.isfinite(points).all(axis=1)]
        if len(points) and not line.get_label().startswith("_"):
            found.append((_line(line.get_label()), points))
    return found


def _curves(axes: Any) -> list[str]:
    """Of each line some of its points."""
    told, columns = [], _names(axes.xaxis)
    if list(axes.get_xticks()) != list(range(len(columns))):
        columns = []  # ticks of quantities
    for label, points in _named_lines(axes):
        few = np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).round().astype(int)
        each = (
            f"{columns[round(x)]} {_number(y)}" if columns else f"{_number(y)} at {_number(x)}"
            for x, y in points[few]
        )  # fmt: skip
        told.append(f"{label}: {', '.join(each)}")
    return told


def _marks(axes: Any, rows: list[str]) -> list[str]:
    """Of each row how far across its marks stand."""
    told: dict[str, list[str]] = {}
    for label, points in _named_lines(axes):
        x, y = points.mean(axis=0)
        row = rows[round(y)]
        told.setdefault(row, []).append(_number(x) if label == row else f"{label} {_number(x)}")
    return [f"{row}: {', '.join(each)}" for row, each in told.items()]


def _bars(axes: Any, rows: list[str]) -> list[str]:
    """Of each row of stacked bars the shares that it has."""
    stacks = [found for found in axes.containers if isinstance(found, BarContainer)]
    told = []
    for place, row in enumerate(rows if stacks else []):
        shares = [(stack.get_label(), stack.patches[place].get_width()) for stack in stacks]
        each = (f"{name} {_number(share)}" for name, share in shares if share > 0)
        told.append(f"{row}: {', '.join(each)}")
    return told


def _cells(axes: Any, rows: list[str]) -> list[str]:
    """Of each row of a grid what stands in its cells."""
    columns = _names(axes.xaxis)
    told: dict[str, list[str]] = {}
    for text in axes.texts if rows and columns else []:
        x, y = (round(place) for place in text.get_position())
        told.setdefault(rows[y], []).append(f"{columns[x]} {text.get_text()}")
    return [f"{row}: {', '.join(each)}" for row, each in told.items()]
