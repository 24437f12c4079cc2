"""The tour's page: what it says is what the zoo states, and nothing in it is foreign."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import drivemem
from drivemem.cli import run_command
from drivemem.comparison.formats import interval_text
from drivemem.errors import DrivememError
from drivemem.touring.material import material, tours
from drivemem.touring.page import _filled, _read
from tests.drivemem.replays.test_page import data_of

SCENARIOS = list(tours())
HOSTILE = "<script>window.hacked = 1</script>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drivemem.tour("exit-recall", tmp_path_factory.mktemp("tour") / "deep" / "t.html").page


def test_the_page_says_what_the_zoo_states(page: Path) -> None:
    text, found = page.read_text(), material("exit-recall")
    for one in found.stated:
        assert text.count(interval_text(one.success)) >= 2  # a bar and a row of the table
    for one in found.entries:
        assert one.place in text and one.command in text


def test_the_three_drivers_meet_one_episode_that_tells_them_apart(page: Path) -> None:
    about = data_of(page)["about"]
    assert [one["lesion"] for one in about["drivers"]] == ["intact", "intact", "reset_every:1"]
    assert about["drivers"][0]["label"] == "without memory"
    start = next(one for one in about["episodes"] if one["episode"] == about["start"])
    assert start["outcomes"] == ["wrong_route", "success", "wrong_route"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_tour_is_one_small_file(scenario: str, tmp_path: Path) -> None:
    made = drivemem.tour(scenario, tmp_path / "t.html").page
    text = made.read_text()
    assert made.stat().st_size < 3_000_000
    assert "http://" not in text and "https://" not in text and "default-src" in text
    assert [path.name for path in tmp_path.iterdir()] == ["t.html"]


def test_every_tour_asks_in_plain_words() -> None:
    assert set(tomllib.loads(_read("words.toml"))) == set(SCENARIOS)


def test_without_a_name_it_is_where_memory_shows_best() -> None:
    gaps = {name: one.gap for name, one in tours().items()}
    assert material().scenario == max(gaps, key=lambda name: gaps[name])


def test_what_is_filled_in_is_escaped() -> None:
    made = _filled("before.html", question=HOSTILE, answer=HOSTILE, bars=[])
    assert HOSTILE not in made and made.count("&lt;script&gt;") == 2


@pytest.mark.parametrize(
    ("wanted", "says"), [("exit-recal", "did you mean 'exit-recall'"), ("no", "there are: ")]
)
def test_scenarios_that_the_zoo_does_not_show(wanted: str, says: str) -> None:
    with pytest.raises(DrivememError, match=says):
        drivemem.tour(wanted)


def test_the_command_says_where_the_page_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("drivemem.evaluation.watching.has_display", lambda: True)
    assert run_command("tour", ["exit-recall", "--no-open"]) == 0
    assert "page: runs/tour/exit-recall.html" in capsys.readouterr().out and not opened
    assert run_command("tour", ["exit-recall"]) == 0
    assert opened == [(tmp_path / "runs/tour/exit-recall.html").as_uri()]
