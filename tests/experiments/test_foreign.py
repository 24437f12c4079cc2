"""Submissions that are committed are whole, and of the suites that are driven now."""

from __future__ import annotations

from pathlib import Path

import pytest

import drivemem_envs
from drivemem.evaluation.suites import make_suite
from drivemem.submissions.files import read_submission

SUBMITTED = sorted(
    (Path(__file__).parents[2] / "experiments" / "foreign" / "submissions").iterdir()
)


@pytest.mark.parametrize("folder", SUBMITTED, ids=lambda folder: folder.name)
def test_a_committed_submission_is_of_the_suite_of_today(folder: Path) -> None:
    suite = read_submission(folder).manifest.suite
    scenario = drivemem_envs.scenario(suite["scenario"])
    assert suite["hash"] == make_suite(scenario, 500).hash()
    assert sum(file.stat().st_size for file in folder.iterdir()) < 100_000
