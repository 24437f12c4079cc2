"""The short form of the campaigns in `tests/campaigns`; `make campaign` runs the long one.

It forks, so `make test` gives it a process of its own: where other tests have left threads behind,
such as DuckDB's, a forked child can wait for ever.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.campaigns import endurance, files, keeping, limits, settings, signals
from tests.campaigns.apart import apart
from tests.campaigns.draws import as_options, as_pairs, is_huge, toml
from tests.campaigns.figures import Tally, table

COUNTS = {
    "training": 10, "sensors": 8, "observations": 8, "dials": 16, "memories": 12,
    "encoders": 8, "agents": 12, "study files": 6, "presets": 6, "evaluations": 4,
}  # fmt: skip

FAILING = {
    "preset.toml": "a file that is cut between two lines is sound TOML",
    "begun/metrics.jsonl": "a curve that was cut is said, and goes on without what is lost",
}
"""What fails today, and why."""


def known(name: str, *more: object) -> object:
    """A parameter, expected to fail where it does so today."""
    marks = [pytest.mark.xfail(strict=False, reason=FAILING[name])] if name in FAILING else []
    return pytest.param(*more, name, marks=marks)


pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif("PYTEST_XDIST_WORKER" in os.environ, reason="it forks: give it `-n 0`"),
]


def sound(tally: Tally) -> None:
    assert tally.inputs
    assert not tally.faults, tally.report()


# ---- the judge itself ----------------------------------------------------------------------


def test_the_judge_tells_endings_apart() -> None:
    def multiline() -> None:
        raise ValueError("one\ntwo")

    def pydantic_heading() -> None:
        raise ValueError("1 validation error for Sensors")

    def refusal() -> None:
        raise ValueError("size is 0; give at least 1")

    def fault() -> None:
        raise KeyError("x")

    assert apart(lambda: 3).value == 3
    assert apart(refusal, library=True).how == "refused"
    assert apart(refusal).how == "traceback", "the product has its own error"
    for work in (multiline, pydantic_heading, fault):
        assert apart(work, library=True).how == "traceback"
    assert apart(lambda: json.loads("{"), library=True).how == "traceback"
    assert apart(lambda: os.kill(os.getpid(), signal.SIGKILL)).how == "died"
    assert apart(lambda: time.sleep(60), seconds=0.2).how == "hung"
    assert apart(lambda: bytearray(16 << 30)).how == "traceback"


def test_files_written_elsewhere_are_seen(tmp_path: Path) -> None:
    root = tmp_path / "a" / "project"
    (root / "evaluations" / "..escaped-intact").mkdir(parents=True)
    assert files._strayed(tmp_path, root) == []
    (tmp_path / "a" / "other").mkdir()
    (root / "escaped").mkdir()
    assert files._strayed(tmp_path, root) == ["a/other", "a/project/escaped"]


def test_drawn_values_become_words() -> None:
    assert as_pairs({"a": 1, "b": "x"}) == ["a=1", "b=x"]
    assert as_options({"n_steps": 4, "sampled": True, "sensors": {"range_m": 2.0}}) == [
        "--n-steps", "4", "--sampled", "--sensors.range-m", "2.0",
    ]  # fmt: skip
    assert toml({"a": [1, True, "b\n"]}) == '{"a" = [1, true, "b\\n"]}'
    assert is_huge({"a": [10**12]}) and not is_huge({"a": [10]})


def test_figures_count_kinds_of_faults() -> None:
    tally = Tally("files", "x")
    tally.add("right")
    for number in range(3):
        tally.add_fault("KeyError", number, "seen")
    assert tally.inputs == 4
    assert tally.to_json()["faults"] == [
        {"kind": "KeyError", "input": "0", "seen": "seen", "count": 3}
    ]
    assert "| files | x | 4 | 1 | 0 | 0 | 3 |" in table([tally])


# ---- the campaigns -------------------------------------------------------------------------


@pytest.mark.parametrize("subject", [known(subject) for subject in COUNTS])
def test_settings_are_refused_in_one_line_or_work(subject: str) -> None:
    sound(settings.run(subject, COUNTS[subject]))


@pytest.mark.parametrize(
    ("kind", "name"), [known(name, kind) for kind, names in files.FILES.items() for name in names]
)
def test_damaged_files_are_refused_in_one_line_or_do_not_matter(kind: str, name: str) -> None:
    (tally,) = files.run(kind, flips=4, most=1, only=[name])
    sound(tally)


@pytest.mark.parametrize(("points", "job"), [known("train", 4), known("evaluate --record", 2)])
def test_killed_and_begun_again_gives_the_same(points: int, job: str) -> None:
    sound(signals.run(job, points))


@pytest.mark.slow
def test_a_killed_study_goes_on() -> None:
    sound(signals.run("study", 3))


@pytest.mark.parametrize("job", ["train", "evaluate --record"])
def test_a_full_disk_is_said_in_one_line_and_mended(job: str) -> None:
    sound(limits.file_size(job, most=4))


@pytest.mark.slow
def test_a_full_file_system_is_said_in_one_line_and_mended() -> None:
    if not limits.can_mount():
        pytest.skip("this user may not mount a file system")
    sound(limits.full_disk("train", most=3))


@pytest.mark.parametrize("subject", [known(subject) for subject in keeping.SUBJECTS])
def test_what_is_there_stays(subject: str) -> None:
    is_long = subject == "a user's files"
    sound(keeping.among_files(["train", "save"]) if is_long else keeping.SUBJECTS[subject]())


def test_no_home_folder_is_needed() -> None:
    sound(limits.homes(["HOME not set"]))


@pytest.mark.slow
def test_a_damaged_cache_is_compiled_again() -> None:
    sound(limits.homes(["damaged cache"]))


def test_the_clock_may_go_back() -> None:
    sound(limits.clocks([files.resume, files.evaluate]))


def test_nothing_grows_with_use() -> None:
    sound(endurance.run("200 times made and closed", scale=0.08))
