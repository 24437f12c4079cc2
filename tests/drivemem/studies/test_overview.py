"""The figure of a whole study, from one row up."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

from drivemem.comparison import compare_runs
from drivemem.comparison.drawing import canvas, legend, styles
from drivemem.studies.findings import agent_order
from drivemem.studies.overview import overview_figure


def test_one_row_is_room_enough(write: Callable[..., Path]) -> None:
    comparison = compare_runs([write("none-s0", "SSCC")])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = overview_figure(comparison.tables)
    assert figure.startswith("<svg") and ">exit-recall-easy-v0</text>" in figure


def test_every_scenario_and_agent_is_named_once(write: Callable[..., Path]) -> None:
    runs = [
        write("none-s0", "SSCC"),
        write("gru-s0", "SSSC", memory="gru"),
        write("gru-s1", "SSSC", memory="gru", scenario="blind-merge", seed=1),
    ]
    figure = overview_figure(compare_runs(runs).tables)
    names = ("exit-recall-easy-v0", "blind-merge-easy-v0", "none", "gru")
    assert [figure.count(f">{name}</text>") for name in names] == [1, 1, 1, 1]


def test_agents_have_the_colours_of_the_report(write: Callable[..., Path]) -> None:
    """In the overview they are in another order than in the report: the best comes last."""
    runs = [write("none-s0", "SSCC"), write("gru-s0", "SSSC", memory="gru")]
    tables = compare_runs(runs).tables
    of_label = styles(*tables)
    assert len({style.color for style in of_label.values()}) == 2
    figure = overview_figure(tables)
    drawn = re.findall(r"fill: (#[0-9a-f]{6}|currentColor)", figure.split("legend_1")[1])
    expected = [of_label[label].color.lower() for label in agent_order(tables)]
    assert [color for color in drawn if color in expected] == expected


def test_no_legend_is_wider_than_its_figure() -> None:
    figure, axes = canvas(2.0)
    for name in ("none", "gru_taught distilled from none behind perfect_recall", "full"):
        axes.plot([0, 1], [0, 1], label=f"{name} (full sensors)")
    legend(figure, columns=3)
    (drawn,) = figure.legends
    assert len(drawn.get_texts()) == 3
    assert drawn.get_window_extent().width <= figure.bbox.width
