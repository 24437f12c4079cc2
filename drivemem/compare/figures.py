"""Figures of a report as inline SVG: they follow the page's text colour, light or dark."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np

from drivemem.compare.tables import OTHER, Row, SuiteTable
from drivemem.statistics import performance_profile

matplotlib.use("svg")
from matplotlib import pyplot as plt

# Okabe and Ito's palette: told apart by colour-blind readers.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
OUTCOME_COLOURS = {
    "success": "#009E73", "collision": "#D55E00", "off_road": "#CC79A7", "wrong_route": "#E69F00",
    "stuck": "#56B4E9", "timeout": "#999999",
}  # fmt: skip
_INK = "#123456"
"""Stands for the page's text colour until the SVG is written."""


def outcome_bars(table: SuiteTable) -> str:
    """How episodes ended, a stacked bar for each row."""
    rows = list(reversed(table.rows))
    figure, axes = _figure(0.32 * len(rows) + 1.2)
    left = np.zeros(len(rows))
    for outcome in ("success", "collision", *OTHER):
        share = np.array([row.outcomes[outcome] for row in rows])
        if share.any():
            colour = OUTCOME_COLOURS[outcome]
            axes.barh(
                range(len(rows)), share, left=left, color=colour, label=outcome.replace("_", " ")
            )
        left += share
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of episodes")
    figure.legend(ncols=4, loc="outside upper right", frameon=False, labelcolor=_INK)
    return _svg(figure, f"How episodes of {table.scenario} ended, by agent")


def success_intervals(table: SuiteTable) -> str:
    """Success with intervals, a point for each row."""
    rows = list(reversed(table.rows))
    figure, axes = _figure(0.32 * len(rows) + 0.7)
    for y, row in enumerate(rows):
        value, low, high = row.success
        colour = PALETTE[0] if row.kind in ("agent", "upper bound") else "#888888"
        if np.isfinite(low):
            axes.plot([low, high], [y, y], color=colour, linewidth=2)
        axes.plot(value, y, "o", color=colour)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("success, 95 % interval")
    return _svg(figure, f"Success on {table.scenario} with intervals, by agent")


def learning_curves(table: SuiteTable) -> str | None:
    """Success while training against decisions; mean and range over runs. None without data."""
    agents = [row for row in table.rows if row.kind in ("agent", "upper bound")]
    figure, axes = _figure(3.0)
    drawn = False
    for number, row in enumerate(agents):
        curves = [curve for one in row.members if len(curve := read_curve(one.run.metrics_file)[0])]
        values = [read_curve(one.run.metrics_file) for one in row.members]
        values = [value for value in values if len(value[0]) > 1]
        if not curves or not values:
            continue
        steps = np.linspace(0, min(value[0][-1] for value in values), 200)
        stacked = np.stack([np.interp(steps, *value) for value in values])
        colour = PALETTE[number % len(PALETTE)]
        axes.plot(steps, stacked.mean(axis=0), color=colour, label=row.label)
        if len(values) > 1:
            axes.fill_between(steps, stacked.min(0), stacked.max(0), color=colour, alpha=0.2)
        drawn = True
    if not drawn:
        plt.close(figure)
        return None
    axes.set_xlabel("decisions")
    axes.set_ylabel("success (last 100 episodes)")
    axes.set_ylim(-0.02, 1.02)
    axes.legend(frameon=False, labelcolor=_INK)
    return _svg(figure, f"Success during training on {table.scenario}")


def profiles(table: SuiteTable) -> str | None:
    """Performance profiles over runs; None where an agent has fewer than three runs."""
    agents = [row for row in table.rows if row.kind == "agent" and row.runs >= 3]
    if not agents:
        return None
    figure, axes = _figure(2.6)
    levels = np.linspace(0, 1, 101)
    for number, row in enumerate(agents):
        shares = performance_profile([one.column("success") for one in row.members], levels)
        axes.step(levels, shares, color=PALETTE[number % len(PALETTE)], label=row.label)
    axes.set_xlabel("success above")
    axes.set_ylabel("share of runs")
    axes.legend(frameon=False, labelcolor=_INK)
    return _svg(figure, f"Performance profiles on {table.scenario}")


def span_curve(table: SuiteTable) -> str | None:
    """Success against how many decisions are remembered; None without `span` lesions."""
    points: dict[str, list[tuple[float, Row]]] = {}
    for row in table.rows:
        match = re.fullmatch(r"(.*) / span:(\d+)", row.label)
        if match:
            points.setdefault(match[1], []).append((float(match[2]), row))
    if not any(len(found) > 1 for found in points.values()):
        return None
    figure, axes = _figure(2.6)
    for number, (label, found) in enumerate(points.items()):
        found.sort(key=lambda point: point[0])
        spans = [span for span, _ in found]
        axes.plot(
            spans, [row.success.estimate for _, row in found], "o-",
            color=PALETTE[number % len(PALETTE)], label=label,
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_xlabel("decisions remembered")
    axes.set_ylabel("success")
    axes.set_ylim(-0.02, 1.02)
    axes.legend(frameon=False, labelcolor=_INK)
    return _svg(figure, f"Success on {table.scenario} against the span of memory")


def read_curve(path: Any) -> tuple[list[float], list[float]]:
    """Decisions and success of a run's `metrics.jsonl`."""
    steps: list[float] = []
    values: list[float] = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry.get("rollout/success_rate") is not None:
                steps.append(entry["step"])
                values.append(entry["rollout/success_rate"])
    return steps, values


def _figure(height: float) -> tuple[Any, Any]:
    figure, axes = plt.subplots(figsize=(7.2, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    for spine in axes.spines.values():
        spine.set_color(_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    return figure, axes


def _svg(figure: Any, title: str) -> str:
    """The figure as an SVG element with an accessible name, its ink the page's."""
    buffer = io.StringIO()
    with plt.rc_context({"svg.fonttype": "none", "font.size": 10}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    text = re.sub(r'\s(width|height)="[\d.]+pt"', "", text, count=2)
    # Identifiers of several inline figures must not meet.
    prefix = re.sub(r"\W+", "-", title.lower())
    text = re.sub(r'id="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'(href="#|url\(#)([^")]+)', rf"\1{prefix}-\2", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{_plain(title)}"', 1)


def _plain(text: str) -> str:
    return re.sub(r"[<>&\"']", "", text)


def kinds(rows: Sequence[Row]) -> list[str]:
    """The kinds of row that occur, in the table's order."""
    return list(dict.fromkeys(row.kind for row in rows))
