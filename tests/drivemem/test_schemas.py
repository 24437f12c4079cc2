"""Columns are declared once: writers, readers, reports and the page of files agree with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivemem.replays.load import REQUIRED
from drivemem.schemas import (
    ACTORS,
    EPISODE_COLUMNS,
    EPISODES,
    LATER,
    MEASURES,
    RECORDED,
    STEPS,
    Column,
)
from drivemem_envs.metrics import METRICS, metric_names

PAGE = Path(__file__).parents[2] / "docs" / "files.md"
TABLES = {"episodes": RECORDED, "steps": STEPS, "actors": ACTORS}


@pytest.mark.parametrize("columns", TABLES.values(), ids=TABLES)
def test_the_page_of_files_shows_every_column(columns: dict[str, Column]) -> None:
    lines = ["| column | type | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {one.kind} | {one.meaning} |" for name, one in columns.items()]
    assert "\n".join(lines) in PAGE.read_text(encoding="utf-8")


def test_every_metric_is_a_column_and_replays_do_without() -> None:
    assert set(metric_names()) <= set(EPISODE_COLUMNS)
    assert not any(EPISODES[name].needed for name in metric_names())


def test_what_files_may_lack_came_later() -> None:
    """Those of other packages, and `on_time`; what lacks anything else is no table of ours."""
    own = {each.name for each in METRICS}
    assert set(metric_names()) - own == LATER


def test_what_a_report_measures_are_numbers() -> None:
    assert set(MEASURES) - {"duration_s"} <= set(metric_names())
    assert not any(EPISODES[name].kind == "VARCHAR" for name in MEASURES)


def test_what_replays_need_is_declared() -> None:
    assert {name: set(columns) for name, columns in REQUIRED.items()} == {
        name: {key for key, column in columns.items() if column.needed}
        for name, columns in TABLES.items()
    }


@pytest.mark.parametrize("columns", TABLES.values(), ids=TABLES)
def test_every_column_has_a_meaning(columns: dict[str, Column]) -> None:
    assert all(one.meaning and "|" not in one.meaning for one in columns.values())
