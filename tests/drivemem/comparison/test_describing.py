"""Figures in words: what can be read off a figure stands in its description."""

from __future__ import annotations

import numpy as np

from drivemem.comparison.describing import MOST_POINTS, description
from drivemem.comparison.drawing import canvas, to_svg


def test_of_curves_some_points_are_told_the_first_and_the_last_among_them() -> None:
    _, axes = canvas(2.0)
    axes.plot(np.arange(1001) * 10, np.linspace(0, 1, 1001), label="gru")
    axes.plot([1, 2, 3], [0.5, np.nan, 0.25], label="none")
    axes.plot([1, 1], [0.1, 0.9])  # an interval, which has no name
    axes.set_xlabel("decisions")
    axes.set_ylabel("success")
    about, gru, none = description(axes).split(". ")
    assert about == "success against decisions"
    assert gru.startswith("gru: 0 at 0, 0.2 at 2,000, ") and gru.endswith("1 at 10,000")
    assert gru.count(" at ") == MOST_POINTS
    assert none == "none: 0.5 at 1, 0.25 at 3."


def test_where_rows_have_names_marks_are_told_by_row() -> None:
    _, axes = canvas(2.0)
    axes.set_xlabel("success")
    for y, label in enumerate(("a long\nlabel", "b")):
        axes.plot(0.25 + y / 2, y - 0.2, "o", label=label.replace("\n", " "))
        axes.plot([0.5, 0.5], [y - 0.4, y + 0.4], label="ceiling")
    axes.set_yticks([0, 1], ["a long\nlabel", "b"])
    assert description(axes) == "success. a long label: 0.25, ceiling 0.5. b: 0.75, ceiling 0.5."


def test_stacked_bars_tell_what_there_is() -> None:
    _, axes = canvas(2.0)
    axes.set_xlabel("share of episodes")
    axes.barh([0, 1], [0.75, 1.0], label="success")
    axes.barh([0, 1], [0.25, 0.0], left=[0.75, 1.0], label="collision")
    axes.set_yticks([0, 1], ["none", "gru"])
    assert description(axes) == (
        "share of episodes. none: success 0.75, collision 0.25. gru: success 1."
    )


def test_grids_tell_their_cells() -> None:
    _, axes = canvas(2.0)
    axes.set_xlabel("age, s")
    for y in range(2):
        for x in range(2):
            axes.text(x, y, f"0.{y}{x}", ha="center")
    axes.set_xticks([0, 1], ["now", "> 1"])
    axes.set_yticks([0, 1], ["memory", "observation"])
    told = "age, s. memory: now 0.00, > 1 0.01. observation: now 0.10, > 1 0.11."
    assert description(axes) == told


def test_what_is_told_is_text_and_belongs_to_one_figure() -> None:
    figure, axes = canvas(2.0)
    axes.plot([0, 1], [0, 1], label="<script>")
    svg = to_svg(figure, "A figure")
    assert 'aria-label="A figure" aria-describedby="a-figure-told"' in svg
    assert '<desc id="a-figure-told">&lt;script&gt;: 0 at 0, 1 at 1.</desc>' in svg
