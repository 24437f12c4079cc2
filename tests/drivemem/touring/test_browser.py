"""The tour's page in a real browser: three drivers play, by mouse, keyboard and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

import drivemem
from tests.accessibility import assert_accessible, controls, tab_stops, unfold
from tests.browser import SIZES, THEMES, Browser, Keys, needs_browser

pytestmark = needs_browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drivemem.tour("exit-recall", tmp_path_factory.mktemp("tour") / "t.html").page


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
def test_three_drivers_are_drawn_and_nothing_is_cut_off(
    browser: Browser, page: Path, size: str, theme: str
) -> None:
    browser.errors()
    browser.look(size, theme)
    browser.open(page, "#step=20")
    assert browser.js("document.documentElement.dataset.theme") == theme
    assert browser.js("document.querySelectorAll('.stage canvas').length") == 3
    assert all(len(set(map(tuple, browser.canvas(i).reshape(-1, 3)))) > 5 for i in range(3))
    assert browser.js("document.documentElement.scrollWidth") == SIZES[size][0]
    assert "Here it does" in browser.text(".answer")
    assert browser.errors() == []


def test_it_plays_by_itself_and_the_keyboard_moves_it_or_the_page(
    browser: Browser, page: Path
) -> None:
    browser.look("phone", "light", motion="no-preference")
    browser.open(page)
    browser.wait("Number(document.getElementById('scrub').value) > 1")
    browser.keys(" ")
    stopped = browser.step()
    browser.keys(Keys.ARROW_RIGHT)
    assert browser.step() == stopped + 1
    episode = browser.text(".episode[aria-current] b")
    browser.keys(Keys.ARROW_DOWN)
    browser.wait("window.scrollY > 0")
    assert browser.text(".episode[aria-current] b") == episode
    assert browser.errors() == []


def test_every_reader_meets_the_whole_page(browser: Browser, page: Path) -> None:
    browser.look("desktop", "light")
    browser.open(page, "#step=20")
    wanted = controls(browser)
    assert {"play", "div Agents and how they drove"} <= set(wanted)
    assert tab_stops(browser) == wanted
    unfold(browser)
    assert_accessible(browser)
    assert browser.errors() == []
