"""Tables show text to the letter, and give the figures behind it."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from drivemem.output import console, printed_as_json, show
from drivemem.tables import Shown, Table, as_json

HOSTILE = "[bold]x[/nothing] :smile: <script>alert(1)</script> [x; h]"


class Result(Shown):
    def as_tables(self) -> list[Table]:
        records = [{"name": HOSTILE, "value": np.float64(0.25)}, {"name": "b", "value": math.nan}]
        rows = [(HOSTILE, "0.250"), ("b", "")]
        return [Table(("name", HOSTILE), rows, title=HOSTILE, caption=HOSTILE, records=records)]


def test_nothing_is_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    (table,) = Result().as_tables()
    text = io.StringIO()
    Console(file=text, width=300).print(table.to_rich())
    assert text.getvalue().count(HOSTILE) == 4
    console().print(HOSTILE, soft_wrap=True)
    assert capsys.readouterr().out == f"{HOSTILE}\n"


def test_notebooks_get_escaped_html() -> None:
    html = Result()._repr_html_()
    assert "<script>" not in html and html.count("&lt;script&gt;") == 4
    assert html.startswith("<table><caption>[bold]x") and "<td>0.250</td>" in html


def test_columns_without_names_have_no_head() -> None:
    table = Table(("", ""), [("steps", "1,000")])
    text = io.StringIO()
    Console(file=text, width=80).print(table.to_rich())
    assert [line.strip("│ ").split() for line in text.getvalue().splitlines()[1:-1]] == [
        ["steps", "│", "1,000"]
    ]
    assert "<thead>" not in table.to_html() and "<thead>" in Result().as_tables()[0].to_html()


def test_readers_of_the_page_hear_what_a_figure_is_of() -> None:
    html = Table(("agent", "success"), [("gru", "0.9")]).to_html()
    assert '<th scope="col">success</th>' in html
    assert '<th scope="row">gru</th><td>0.9</td>' in html


def test_figures_are_plain_numbers_in_full_precision() -> None:
    (table,) = Result().as_tables()
    assert table.figures() == [{"name": HOSTILE, "value": 0.25}, {"name": "b", "value": None}]
    assert Table(("a",), [("1",)]).figures() == [{"a": "1"}]
    odd = {"path": Path("a"), "row": np.arange(2), "inner": {1: (math.inf, True)}}
    (shown,) = Table((), (), records=[odd]).figures()
    assert shown == {"path": "a", "row": [0, 1], "inner": {"1": [None, True]}}
    frame = Result().to_pandas()
    assert isinstance(frame, pd.DataFrame) and list(frame["name"]) == [HOSTILE, "b"]
    assert frame["value"][0] == 0.25 and frame["value"].isna()[1]


def test_as_json_nothing_else_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    tables = Result().as_tables()
    with printed_as_json():
        print("a line")
        console().print("another")
        show(*tables)
    shown = capsys.readouterr()
    assert json.loads(shown.out) == as_json(tables)
    assert "a line" in shown.err and "another" in shown.err
    show(*tables)
    assert "0.250" in capsys.readouterr().out
    with pytest.raises(ValueError), printed_as_json():
        raise ValueError
    assert capsys.readouterr().out == ""
