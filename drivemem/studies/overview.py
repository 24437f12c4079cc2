"""One figure of a whole study: success of every agent on every scenario, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

from drivemem.comparison.ceilings import ceiling_of
from drivemem.comparison.drawing import DASHES, INK, canvas, legend, styles, to_svg
from drivemem.comparison.rows import SuiteTable
from drivemem.studies.findings import agent_order

_GROUND, _TEXT = "#ffffff", "#1b1f24"


def overview_figure(tables: Sequence[SuiteTable]) -> str:
    """The figure as an SVG file of its own, on white, each agent drawn as in the report.

    Args:
        tables: one for each scenario.
    """
    order, of_label = agent_order(tables), styles(*tables)
    spread = 0.8 / max(len(order), 1)
    figure, axes = canvas(0.8 + len(tables) * (0.16 + 0.09 * len(order)))
    for number, label in enumerate(order):
        color, _, marker = of_label[label]
        for y, table in enumerate(tables):
            row = next((row for row in table.rows if row.label == label), None)
            if row is None:
                continue
            at = y - 0.4 + spread * (number + 0.5)
            if row.score.known and row.runs > 1:
                axes.plot(row.score[1:], [at, at], DASHES[0], color=color, linewidth=1.5)
            axes.plot(
                row.score.estimate, at, marker, color=color, markersize=4, linestyle="", label=label
            )
    name = "ceiling without memory"
    for y, table in enumerate(tables):
        ceiling = ceiling_of(table)
        if ceiling is not None:
            axes.plot([ceiling.share] * 2, [y - 0.45, y + 0.45], ":", color=INK, label=name)
    for y in range(1, len(tables)):
        axes.axhline(y - 0.5, color="#cccccc", linewidth=0.5)
    axes.set_yticks(range(len(tables)), [table.judged_title for table in tables], parse_math=False)
    axes.set_ylim(len(tables) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("success on unseen episodes\n(mean, 95 % interval over training runs)")
    legend(figure, columns=3)
    figure.patch.set_alpha(1)
    figure.patch.set_facecolor(_GROUND)
    svg = to_svg(figure, "Success of every agent on every scenario")
    namespace = 'xmlns="http://www.w3.org/2000/svg"'
    svg = svg if namespace in svg else svg.replace("<svg", f"<svg {namespace}", 1)
    return svg.replace("currentColor", _TEXT)
