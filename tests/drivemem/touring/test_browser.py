"""The tour's page in a real browser: three drivers play, by mouse, keyboard and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import drivemem
from tests.drivemem.replays import test_browser as replays

pytestmark = replays.pytestmark


@pytest.fixture(scope="module")
def browser() -> Iterator[replays.Browser]:
    started = replays.Browser()
    yield started
    started.driver.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drivemem.tour("exit-recall", tmp_path_factory.mktemp("tour") / "t.html").page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_three_drivers_are_drawn_and_nothing_is_cut_off(
    browser: replays.Browser, page: Path, size: str, theme: str
) -> None:
    browser.errors()
    browser.look(size, theme)
    browser.open(page, "#step=20")
    assert browser.js("document.documentElement.dataset.theme") == theme
    assert browser.js("document.querySelectorAll('.stage canvas').length") == 3
    assert all(len(set(map(tuple, browser.canvas(i).reshape(-1, 3)))) > 5 for i in range(3))
    assert browser.js("document.documentElement.scrollWidth") == replays.SIZES[size][0]
    assert "Here it does" in browser.text(".answer")
    assert browser.errors() == []


def test_it_plays_by_itself_and_the_keyboard_moves_it_or_the_page(
    browser: replays.Browser, page: Path
) -> None:
    from selenium.webdriver.common.keys import Keys

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
