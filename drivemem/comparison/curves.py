"""Figures of the measures of memory: lesions by dose, delays, size, transfer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from drivemem.comparison.ceilings import draw_ceiling
from drivemem.comparison.drawing import INK, Figure, Style, canvas, legend, styles, to_svg
from drivemem.comparison.measures import Curve, memory_sizes, retention_curves, swept_lesions
from drivemem.comparison.rows import Judged, SuiteTable
from drivemem.comparison.tables import conditions
from drivemem.lesions import lesions, split_lesion
from drivemem_envs import registry


def lesion_figures(table: SuiteTable) -> list[Figure]:
    """A dose-response figure for each lesion that was given in several doses."""
    figures = []
    for lesion, curves in swept_lesions(table).items():
        info = lesions()[split_lesion(lesion)[0]]
        figure, axes = canvas(2.6)
        _draw(axes, curves, styles(table), logarithmic=info.scale == "logarithmic")
        _label(axes, table.judged)
        axes.set_xlabel(f"{info.axis}{_in_seconds(table, info.axis)}")
        told = draw_ceiling(table, axes.axhline)
        legend(figure, columns=1)
        figures.append(
            Figure(
                info.title,
                f"Lesion {lesion}: the same weights on the same episodes. Thin line: the agent "
                f"intact. 95 % intervals.{told}",
                to_svg(figure, f"Success on {table.title} against {info.axis}"),
            )
        )
    return figures


def retention_figures(tables: Sequence[SuiteTable]) -> list[Figure]:
    """Success against a dial or a limit of the sensors, over the suites of a scenario."""
    figures = []
    for name, curves in retention_curves(tables).items():
        figure, axes = canvas(2.6)
        _draw(axes, curves, styles(*tables), logarithmic=False)
        scenario = name.partition(": ")[0]
        _label(axes, next(table.judged for table in tables if table.scenario == scenario))
        axes.set_xlabel(name.partition(": ")[2])
        legend(figure, columns=1)
        figures.append(
            Figure(
                f"Retention, {name}",
                "Success as more must be remembered. 95 % intervals.",
                to_svg(figure, f"Success against {name}"),
            )
        )
    return figures


def size_figure(table: SuiteTable) -> Figure | None:
    """Success against bytes of memory state; None with fewer than three sizes."""
    sizes = memory_sizes(table)
    if len({size.state_bytes for size in sizes}) < 3:
        return None
    figure, axes = canvas(2.6)
    of_label = styles(table)
    for size in sizes:
        color, _, marker = of_label[size.label]
        if size.score.known:
            axes.plot([size.state_bytes] * 2, size.score[1:], color=color, linewidth=1.5)
        axes.plot(size.state_bytes, size.score.estimate, marker, color=color, label=size.label)
    axes.set_xscale("symlog", base=2, linthresh=32)
    axes.set_xlim(left=-4)
    axes.set_xticks([0, *(4**k for k in range(3, 10) if 4**k <= 2 * sizes[-1].state_bytes)])
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("memory state, bytes")
    _label(axes, table.judged)
    told = draw_ceiling(table, axes.axhline)
    legend(figure, columns=2)
    return Figure(
        "What memory costs",
        "Bytes of memory state that an agent carries from decision to decision, and its success."
        f"{told}",
        to_svg(figure, f"Success on {table.title} against bytes of memory state"),
    )


def _in_seconds(table: SuiteTable, axis: str) -> str:
    """How long a decision of a suite's scenario is, for an axis that counts them."""
    counts = "decision" in axis or "frame" in axis
    if not counts or table.scenario not in registry.scenario_names():
        return ""
    per_s = conditions(table).get("policy_frequency")
    decision_s = 1.0 / per_s if per_s else registry.scenario(table.scenario).decision_s
    return f" ({'a frame' if 'frame' in axis else 'a decision'}: {decision_s:.2g} s)"


def _draw(axes: Any, curves: list[Curve], of_label: dict[str, Style], logarithmic: bool) -> None:
    most = max(p.x for curve in curves for p in curve.points if math.isfinite(p.x))
    for curve in curves:
        points = [point for point in curve.points if math.isfinite(point.x)]
        color, dash, marker = of_label[curve.label]
        xs = [point.x for point in points]
        estimates = [point.score.estimate for point in points]
        for point in points:
            if point.score.known:
                axes.plot([point.x] * 2, point.score[1:], color=color, linewidth=1, alpha=0.7)
        axes.plot(xs, estimates, dash, marker=marker, color=color, label=curve.label)
        if curve.intact is not None:
            axes.axhline(curve.intact.estimate, color=color, linewidth=0.8, alpha=0.8)
    if logarithmic and most > 4:
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted({p.x for c in curves for p in c.points if math.isfinite(p.x)}))
        axes.minorticks_off()
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _label(axes: Any, judged: Judged) -> None:
    """The y axis of a share."""
    axes.set_ylabel(judged.noun, color=INK)
    axes.set_ylim(-0.02, 1.02)
