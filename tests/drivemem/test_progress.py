"""What a long job prints where there is no terminal."""

from __future__ import annotations

import re

from drivemem.progress import Curve, Display, Progress, duration


def test_a_job_that_ends_beyond_its_total_has_no_time_left(capsys):
    with Progress("train", 100, "steps") as progress:
        progress.update(128)
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(r"128/100 steps, .* 0 s left", last)


def test_quiet_is_quiet(capsys):
    with Progress("train", 100, "steps", quiet=True) as progress:
        progress.update(100)
    assert capsys.readouterr().err == ""


def test_lines_come_when_they_are_due_and_events_do_not_delay_them(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr("drivemem.progress.time.monotonic", lambda: now)
    display, silent = Display(quiet=False, line_every_s=60.0), Display(True, line_every_s=60.0)
    due = []
    for now in (30.0, 61.0, 90.0, 122.0):  # noqa: B007  read by the clock
        display.line("an event")
        due.append(display.line_is_due())
        silent.line("nothing")
        assert not silent.line_is_due()
    assert due == [False, True, False, True]
    assert capsys.readouterr().err.splitlines() == ["an event"] * 4


def test_the_rate_leaves_out_what_was_done_first(monkeypatch):
    """A first update in which kernels are compiled says nothing of how fast it goes on."""
    now = 0.0
    monkeypatch.setattr("drivemem.progress.time.monotonic", lambda: now)
    progress = Progress("train", 1000, "steps", done=100, quiet=True)
    rates = []
    for now, done in ((0.0, 100), (90.0, 190), (91.0, 290), (92.0, 390)):  # noqa: B007
        progress.update(done)
        rates.append(progress.rate())
    assert rates == [0.0, 1.0, 100.0, 100.0]


def test_durations_are_read_as_on_a_clock():
    assert [duration(s) for s in (0, 59.6, 3661)] == ["0:00:00", "0:01:00", "1:01:01"]


def test_a_curve_rises_with_its_share_and_ends_where_the_job_is():
    curve = Curve(total=80, width=8)
    assert str(curve) == ""
    for done, share in ((0, 0.0), (10, 0.3), (25, 0.99), (40, 1.0)):
        curve.add(done, share)
    assert str(curve) == "▁▃██" + "█"[:1]
    curve.add(80, 0.5)  # the last decision is within the line
    assert str(curve) == "▁▃█" + "██" + "██" + "▅"


def test_what_is_not_known_yet_of_a_curve_is_empty():
    curve = Curve(total=100, width=4)
    curve.add(60, 0.0)
    curve.add(70, 1.0)  # the same place again
    assert str(curve) == "  █"
