"""The front of pace against collisions, and agents that are judged by being on time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from drivemem.comparison import compare_runs
from drivemem.comparison.figures import suite_figures
from drivemem.comparison.formats import cells, header
from drivemem.comparison.front import front
from drivemem.comparison.rows import About, Judged, SuiteTable
from drivemem.studies.findings import cards, headline_table

pytestmark = pytest.mark.filterwarnings("error")

Write = Callable[..., Path]


def compared(folder: Path) -> SuiteTable:
    (table,) = compare_runs([folder / "runs"]).tables
    return table


def test_the_front_by_mean_speed(write: Write, tmp_path: Path) -> None:
    """Slow and safe, fast and risky are on it; slower and riskier than another is not."""
    for seed in (0, 1):
        write(f"none-s{seed}", "SSSSSSSSSC", seed=seed, mean_speed=25.0)
        write(f"gru-s{seed}", "SSSSSSSSCC", memory="gru", seed=seed, mean_speed=29.0 + seed)
        write(f"lstm-s{seed}", "SSSSSSSCCC", memory="lstm", seed=seed, mean_speed=28.0)
        write(f"full-s{seed}", "SSSSSSSSSS", seed=seed, full=True, mean_speed=30.0)
    table = compared(tmp_path)
    found = front(table)
    assert found is not None and not found.by_time
    assert [point.row.label for point in found.best()] == ["none", "gru"]
    points = {point.row.label: point for point in found.points}
    assert set(points) == {"none", "gru", "lstm", "none (full sensors)"}
    assert points["gru"].pace.estimate == 29.5 and points["gru"].pace.known
    assert points["gru"].collision.estimate == pytest.approx(0.2)
    (note,) = (note.text for note in table.notes if note.about is About.FRONT)
    assert note.startswith(
        "Front of mean speed against collisions, from slow to fast: none (25.0 m/s, 10.0% "
        "collisions), gru (29.5 m/s, 20.0% collisions);"
    )
    assert "Pace and collisions" in [figure.title for figure in suite_figures(table)]


def test_the_front_by_travel_time_of_successful_episodes(write: Write, tmp_path: Path) -> None:
    write("none", "SSCC", duration_s=[10.0, 12.0, 1.0, 1.0])
    write("gru", "SSSC", memory="gru", duration_s=[8.0, 9.0, 10.0, 2.0])
    write("lstm", "CCCC", memory="lstm", duration_s=3.0)
    table = compared(tmp_path)
    found = front(table)
    assert found is not None and found.by_time
    assert {point.row.label: point.pace.estimate for point in found.points} == {
        "none": 11.0, "gru": 9.0,
    }  # fmt: skip
    assert [point.row.label for point in found.best()] == ["gru"]
    assert "travel time s" in header(table)
    place = header(table).index("travel time s")
    assert {row.label: cells(table, row)[place] for row in table.rows} == {
        "gru": "9.0", "none": "11.0", "lstm": "",
    }  # fmt: skip
    assert "travel time s" in cards([table])


def test_without_a_difference_of_pace_there_is_no_front(study: Path) -> None:
    (table,) = compare_runs([study]).tables
    assert front(table) is None
    assert not [note for note in table.notes if note.about is About.FRONT]
    assert not {"travel time s", "on time [95 %]"} & set(header(table))


def test_where_a_speed_is_stated_agents_are_judged_by_being_on_time(
    write: Write, tmp_path: Path
) -> None:
    """The memoryless agent survives more often, and creeps: it is not the better one."""
    for seed in range(5):
        late = [1.0] + [0.0] * 9
        timely = [1.0] * (7 + seed % 2) + [0.0] * (3 - seed % 2)
        write(f"none-s{seed}", "SSSSSSSSSC", seed=seed, on_time=late)
        write(f"full-s{seed}", "SSSSSSSSSC", seed=seed, full=True, on_time=[1.0] * 9 + [0.0])
        write(f"gru-s{seed}", "SSSSSSSSCC", memory="gru", seed=seed, on_time=timely)
    table = compared(tmp_path)
    assert table.judged is Judged.ON_TIME
    rows = {row.label: row for row in table.rows}
    assert rows["none"].success.estimate > rows["gru"].success.estimate
    assert rows["none"].on_time is not None and rows["none"].on_time.estimate == 0.1
    assert table.gap is not None and table.gap.estimate == pytest.approx(0.8)
    closed = rows["gru"].gap_closed
    assert closed is not None and closed.estimate == pytest.approx((0.74 - 0.1) / 0.8)
    assert rows["gru"].versus is not None and rows["gru"].versus.estimate == pytest.approx(0.64)
    assert table.headline().startswith(
        "exit-recall-easy-v0: with memory (gru) 74% of episodes are on time, without 10%"
    )
    assert header(table)[3] == "on time [95 %]"
    assert "On time" in [figure.title for figure in suite_figures(table)]
    assert any(
        line.startswith("| exit-recall-easy-v0 (on time) |") for line in headline_table([table])
    )
    assert "| on time |" in cards([table])


def test_runs_from_before_the_speed_was_stated_are_judged_by_success(
    write: Write, tmp_path: Path
) -> None:
    write("none", "SSCC")
    write("gru", "SSSC", memory="gru", on_time=[1.0, 0.0, 1.0, 0.0])
    table = compared(tmp_path)
    assert table.judged is Judged.SUCCESS
    assert all(row.on_time is None for row in table.rows)
