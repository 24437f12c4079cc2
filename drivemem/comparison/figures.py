"""Figures of one suite: how episodes ended, success, learning, profiles, improvement.

Every one can be computed again from the run folders by a query of docs/queries.md.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from drivemem.comparison.ceilings import draw_ceiling
from drivemem.comparison.drawing import (
    INK,
    Figure,
    canvas,
    legend,
    name_rows,
    row_height,
    styles,
    to_svg,
)
from drivemem.comparison.front import front_figure
from drivemem.comparison.measures import swept_lesions
from drivemem.comparison.rows import OTHER, Row, SuiteTable
from drivemem.comparison.statistics import performance_profile, student_band
from drivemem.errors import DrivememError
from drivemem.lesions import split_dose
from drivemem.runs import read_metrics

OUTCOME_COLOURS = {
    "success": "#009E73", "collision": "#D55E00", "off_road": "#CC79A7", "wrong_route": "#E69F00",
    "violation": "#F0E442", "stuck": "#56B4E9", "timeout": "#999999",
}  # fmt: skip
_HATCHES = {
    "collision": "xxx",
    "off_road": "...",
    "wrong_route": "///",
    "violation": "ooo",
    "stuck": "\\\\\\",
}
"""Outcomes are told apart without colour too, as in a black-and-white print."""


def suite_figures(table: SuiteTable) -> list[Figure]:
    """All figures that a suite has data for."""
    from drivemem.comparison.curves import lesion_figures, size_figure

    found = [
        score_intervals(table), outcome_bars(table), front_figure(table), learning_curves(table),
        profiles(table), improvements(table), *lesion_figures(table), size_figure(table),
    ]  # fmt: skip
    return [figure for figure in found if figure is not None]


def _shown(table: SuiteTable) -> list[Row]:
    """Rows less the lesions that have a curve of their own."""
    curves = {(curve.label, name) for name, of in swept_lesions(table).items() for curve in of}
    return [
        row
        for row in table.rows
        if row.dose is None or (row.intact, split_dose(row.lesion)[0]) not in curves
    ]


def outcome_bars(table: SuiteTable) -> Figure:
    """How episodes ended, a stacked bar for each row."""
    rows = _shown(table)
    figure, axes = canvas(row_height(rows) + 0.7)
    left = np.zeros(len(rows))
    for outcome in ("success", "collision", *OTHER):
        share = np.array([row.outcomes[outcome] for row in rows])
        if share.any():
            axes.barh(
                range(len(share)), share, left=left, color=OUTCOME_COLOURS[outcome], height=0.7,
                label=outcome.replace("_", " "), hatch=_HATCHES.get(outcome), edgecolor="white",
                linewidth=0.5,
            )  # fmt: skip
        left += share
    name_rows(axes, rows)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of episodes")
    legend(figure, columns=3)
    return Figure(
        "How episodes ended",
        "Every episode has exactly one outcome. Mean of the runs' shares.",
        to_svg(figure, f"How episodes of {table.title} ended, by agent"),
    )


def score_intervals(table: SuiteTable) -> Figure:
    """Success, or on time, with intervals, a point for each row, and the runs."""
    rows = _shown(table)
    figure, axes = canvas(row_height(rows) + 0.7)
    of_label = styles(table)
    for y, row in enumerate(rows):
        value, low, high = row.score
        trained = row.is_trained
        colour = of_label[row.label].color if trained else "#888888"
        if row.score.known:
            axes.plot([low, high], [y, y], color=colour, linewidth=2.5, solid_capstyle="butt")
        marker = of_label[row.label].marker if trained else "o"
        axes.plot(value, y, marker, color=colour, label=row.label)
        if row.runs > 1:
            means = [run.mean() for run in row.scores]
            axes.plot(means, [y + 0.28] * row.runs, "|", color=INK, markersize=4)
    name_rows(axes, rows)
    axes.set_xlim(-0.02, 1.02)
    noun = table.judged.noun
    axes.set_xlabel(f"{noun}, 95 % interval")
    told = draw_ceiling(table, axes.axvline)
    return Figure(
        noun.capitalize(),
        f"Point: mean over runs. Bar: 95 % interval. Ticks below: the runs.{told}",
        to_svg(figure, f"{noun.capitalize()} on {table.title} with intervals, by agent"),
    )


def learning_curves(table: SuiteTable) -> Figure | None:
    """Success while training against decisions; mean and interval over runs. None without data."""
    figure, axes = canvas(2.6)
    of_label = styles(table)
    for row in table.rows:
        curves = [read_curve(one.run.metrics_file) for one in row.members]
        curves = [curve for curve in curves if len(curve[0]) > 1]
        if not row.is_trained or not curves:
            continue
        first, last = max(c[0][0] for c in curves), min(c[0][-1] for c in curves)
        steps = np.linspace(min(first, last), last, 200)
        stacked = np.stack([np.interp(steps, *curve) for curve in curves])
        color, dash, _ = of_label[row.label]
        axes.plot(steps, stacked.mean(axis=0), color=color, linestyle=dash, label=row.label)
        if len(curves) > 1:
            low, high = np.clip(student_band(stacked), 0, 1)
            axes.fill_between(steps, low, high, color=color, alpha=0.15, linewidth=0)
    if not axes.lines:
        return None
    axes.set_xlabel("decisions trained")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.locator_params(axis="x", nbins=5)
    axes.set_ylabel("success, last 100 episodes")
    axes.set_ylim(-0.02, 1.02)
    told = draw_ceiling(table, axes.axhline)
    legend(figure, columns=1)
    return Figure(
        "Learning",
        "Success on training episodes, actions sampled. Band: 95 % interval of the mean over "
        f"runs at each point (none for a single run).{told}",
        to_svg(figure, f"Success during training on {table.title}"),
    )


def profiles(table: SuiteTable) -> Figure | None:
    """Performance profiles over runs; None where every agent has fewer than three runs."""
    agents = [row for row in table.rows if row.kind == "agent" and row.runs >= 3]
    if not agents:
        return None
    figure, axes = canvas(2.4)
    of_label = styles(table)
    levels = np.linspace(0, 1, 201)
    for row in agents:
        color, dash, _ = of_label[row.label]
        shares = performance_profile(row.scores, levels)
        axes.step(levels, shares, where="post", color=color, linestyle=dash, label=row.label)
    axes.set_xlabel(f"{table.judged.noun} above")
    axes.set_ylabel("share of runs")
    told = draw_ceiling(table, axes.axvline)
    legend(figure, columns=1)
    return Figure(
        "Performance profiles",
        f"The share of training runs that {table.judged.verb} in more than so many episodes: a "
        f"curve further to the right is better, a steep one means that runs are alike.{told}",
        to_svg(figure, f"Performance profiles on {table.title}"),
    )


def improvements(table: SuiteTable) -> Figure | None:
    """Probability of improvement over the baseline; None with single runs only."""
    rows = [r for r in table.rows if r.improvement is not None and r.improvement.known]
    if not rows:
        return None
    figure, axes = canvas(row_height(rows) + 0.7)
    of_label = styles(table)
    axes.axvline(0.5, color=INK, linewidth=0.8, linestyle="--")
    for y, row in enumerate(rows):
        if row.improvement is not None:
            value, low, high = row.improvement
            color, _, marker = of_label[row.label]
            axes.plot([low, high], [y, y], color=color, linewidth=2.5, solid_capstyle="butt")
            axes.plot(value, y, marker, color=color, label=row.label)
    name_rows(axes, rows)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("probability of improvement")
    return Figure(
        "Probability of improvement",
        f"How likely more episodes of a training run {table.judged.verb} than of a run of the "
        f"{table.baseline.noun}; 0.5: no difference. 95 % interval over runs.",
        to_svg(figure, f"Probability of improvement on {table.title}"),
    )


def read_curve(path: Path) -> tuple[list[float], list[float]]:
    """Decisions and success of a run's `metrics.jsonl`; none where it is missing or damaged."""
    steps: list[float] = []
    values: list[float] = []
    with contextlib.suppress(DrivememError):
        for entry in read_metrics(path):
            if isinstance(entry.get("rollout/success_rate"), int | float):
                steps.append(entry["step"])
                values.append(entry["rollout/success_rate"])
    return steps, values
