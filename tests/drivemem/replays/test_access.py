"""The replay page for keyboards and screen readers: axe-core, the Tab key, and what is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.accessibility import assert_accessible, controls, tab_stops
from tests.browser import Browser, Keys, needs_browser

pytestmark = needs_browser


def focus(browser: Browser, selector: str) -> None:
    browser.driver.execute_script(f"document.querySelector({selector!r}).focus()")


def focused(browser: Browser) -> str:
    return str(browser.js("document.activeElement.id || document.activeElement.className"))


def pressed(browser: Browser, name: str) -> bool:
    return bool(browser.js(f"document.getElementById({name!r}).ariaPressed === 'true'"))


def test_axe_finds_nothing(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=24")
    assert_accessible(desktop)


def test_axe_finds_nothing_where_the_page_says_that_it_cannot_show_anything(
    browser: Browser, damaged_page: Path
) -> None:
    browser.visit(damaged_page)
    browser.wait("!document.getElementById('trouble').hidden")
    assert_accessible(browser)
    browser.errors()


def test_the_tab_key_comes_to_every_control_in_its_order(
    desktop: Browser, shared_page: Path
) -> None:
    desktop.open(shared_page, "#episode=0&step=24")
    wanted = controls(desktop)
    assert {"theme", "layer-truth", "zoom-in", "zoom-out", "zoom-fit", "back", "play", "forward",
            "scrub", "speed", "shortcuts"} <= set(wanted)  # fmt: skip
    assert tab_stops(desktop) == wanted


def test_every_control_does_its_work_from_the_keyboard(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=10")
    focus(desktop, "#theme")
    desktop.keys(Keys.ENTER)
    assert desktop.js("document.documentElement.dataset.theme") == "dark"
    for name in ("layer-truth", "layer-sees", "layer-remembers"):
        focus(desktop, f"#{name}")
        desktop.keys(Keys.SPACE)
        assert not pressed(desktop, name)
    for name, factor in (("zoom-in", 1.25), ("zoom-fit", 1.0), ("zoom-out", 0.8)):
        focus(desktop, f"#{name}")
        desktop.keys(Keys.ENTER)
        assert desktop.js("state.zoom") == factor
    for name, step in (("back", 9), ("forward", 10)):
        focus(desktop, f"#{name}")
        desktop.keys(Keys.ENTER)
        assert desktop.step() == step
    focus(desktop, "#scrub")
    desktop.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert desktop.step() == 12 and focused(desktop) == "scrub"
    focus(desktop, "#speed")
    desktop.keys(Keys.ARROW_DOWN)
    assert desktop.js("state.speed") == 2
    focus(desktop, "#play")
    desktop.keys(Keys.ENTER)
    assert desktop.js("state.playing") and focused(desktop) == "play"
    desktop.keys(Keys.SPACE)
    assert not desktop.js("state.playing")


def test_the_focus_stays_with_the_episode_that_was_chosen(
    desktop: Browser, shared_page: Path
) -> None:
    desktop.open(shared_page, "#episode=0&step=0")
    focus(desktop, ".filter[data-filter=all]")
    desktop.keys(Keys.ENTER)
    assert focused(desktop) == "filter"
    focus(desktop, ".episode:not([aria-current])")
    desktop.keys(Keys.ENTER)
    desktop.wait("location.hash.startsWith('#episode=1&')")
    assert desktop.js("document.activeElement.matches('.episode[aria-current=true]')")
    desktop.keys(Keys.ARROW_UP)
    desktop.wait("location.hash.startsWith('#episode=0&')")
    assert desktop.js("document.activeElement.matches('.episode[aria-current=true]')")


def test_keys_move_the_picture_as_the_pointer_does(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=5")
    before = desktop.canvas()
    desktop.keys("d", "s")
    assert min(desktop.js("state.pan")) > 0
    assert (desktop.canvas() != before).any()
    desktop.keys("a", "w")
    assert max(map(abs, desktop.js("state.pan"))) < 1e-9


def test_keys_of_one_character_can_be_turned_off(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=5")
    focus(desktop, "#shortcuts")
    desktop.keys(Keys.ENTER)
    assert not pressed(desktop, "shortcuts")
    desktop.keys("1", "t", "d", ".")
    assert pressed(desktop, "layer-truth") and desktop.step() == 5
    assert desktop.js("document.documentElement.dataset.theme") == "light"
    assert desktop.js("state.pan") == [0, 0]
    desktop.keys(Keys.ARROW_RIGHT)
    assert desktop.step() == 6
    desktop.keys(Keys.ENTER, "1")
    assert not pressed(desktop, "layer-truth")


def test_what_happens_is_announced_when_the_page_stands_still_and_once(
    desktop: Browser, shared_page: Path
) -> None:
    """Screen readers say what changes in a region that is live."""
    desktop.open(shared_page, "#episode=0&step=5")
    desktop.driver.execute_script(
        """window.said = [];
        new MutationObserver((changes) => {
          const live = changes.map(({ target }) => target.closest("[aria-live], output"));
          for (const one of new Set(live)) {
            if (one && one.ariaLive !== "off") window.said.push(one.id);
          }
        }).observe(document.body, { childList: true, subtree: true, characterData: true });"""
    )
    desktop.keys(Keys.ARROW_RIGHT)
    assert desktop.js("window.said") == ["now"]
    desktop.click("#play")
    desktop.wait("Number(document.getElementById('scrub').value) > 9")
    assert desktop.js("window.said") == ["now"], "nothing is said while it plays"
    desktop.click("#play")
    desktop.keys(Keys.HOME)
    assert desktop.js("window.said.slice(1)").count("now") in (1, 2)
    assert set(desktop.js("window.said")) == {"now"}


def test_pictures_say_what_they_show(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=12")
    labels = desktop.js("[...document.querySelectorAll('canvas')].map((one) => one.ariaLabel)")
    assert labels[0].startswith("constant:FASTER from above")
    (speed,) = [label for label in labels if label.startswith("speed")]
    side = "state.episode.sides[1].ego.speed"
    wanted = desktop.js(f"[Math.min(...{side}), Math.max(...{side}), {side}.at(-1)]")
    title, _, told = speed.split("; ")
    assert title == "speed, m/s over time"
    assert told.startswith("constant:SLOWER: ")
    numbers = [float(number) for number in re.findall(r"\d+\.?\d*", told)]
    assert numbers == pytest.approx(wanted, abs=0.06)
    (chosen,) = [label for label in labels if label.startswith("action probabilities")]
    assert "constant:SLOWER chooses SLOWER in 100 % of its decisions" in chosen
