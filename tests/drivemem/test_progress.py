"""What a long job prints where there is no terminal."""

from __future__ import annotations

import re

from drivemem.progress import Progress


def test_a_job_that_ends_beyond_its_total_has_no_time_left(capsys):
    with Progress("train", 100, "steps") as progress:
        progress.update(128)
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(r"128/100 steps, .* 0 s left", last)


def test_quiet_is_quiet(capsys):
    with Progress("train", 100, "steps", quiet=True) as progress:
        progress.update(100)
    assert capsys.readouterr().err == ""
