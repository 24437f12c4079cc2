"""The figure of a whole study, from one row up."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from drivemem.comparison import compare_runs
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
