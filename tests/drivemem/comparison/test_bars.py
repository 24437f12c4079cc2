"""Bars in a terminal stand where the numbers do."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from drivemem.comparison import compare_runs
from drivemem.comparison.bars import WIDTH, bar, bars
from drivemem.comparison.statistics import Interval


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_a_point_stands_at_its_share(share: float) -> None:
    drawn = bar(Interval(share, -math.inf, math.inf))
    assert len(drawn) == WIDTH and drawn.count("●") == 1 == len(drawn.split())
    assert drawn.index("●") == pytest.approx(share * (WIDTH - 1), abs=0.5)


def test_an_interval_reaches_from_low_to_high_across_a_ceiling() -> None:
    drawn = bar(Interval(0.5, 0.2, 0.8), ceiling=round(0.34 * (WIDTH - 1)))
    assert [drawn.index(sign) for sign in "├┊●┤"] == [10, 17, 25, 40]
    assert set(drawn[10:41]) == set("├─┊●┤") and not drawn[:10].strip()
    assert bar(Interval(1.0, 0.99, 1.0)).strip() == "●"  # too short for its ends


def test_every_row_has_a_bar_and_a_proven_ceiling_is_named(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    long = "a name that is too long for the margin of a terminal"
    write("none", "SSCC")
    write("gru", "SSSC", memory="gru")
    write("long", "SCCC", memory=long)
    (table,) = compare_runs([tmp_path / "runs"]).tables
    lines = bars(table)
    assert len(lines) == len(table.rows) + 1
    for row, line in zip(table.rows, lines, strict=False):
        label, drawn = line[:-WIDTH].rstrip(), line[-WIDTH:]
        head, _, tail = label.partition("…")
        assert row.label.startswith(head) and row.label.endswith(tail)
        assert drawn.index("●") == round(row.score.estimate * (WIDTH - 1))
    assert lines[-1].endswith("┊ ceiling without memory, 1/3") and "success" in lines[-1]
    assert any("…" in line for line in lines)


def test_a_row_alone_needs_no_bar(write: Callable[..., Path], tmp_path: Path) -> None:
    write("none", "SSCC")
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert bars(table) == []
