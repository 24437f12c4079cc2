"""The replay page in a real browser: what it shows, and what answers to mouse and keys."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drivemem.episodes import write_table
from drivemem.replays.load import find_recording
from drivemem.replays.page import write_page
from drivemem.schemas import PROBES
from tests.browser import SIZES, THEMES, Browser, Keys, needs_browser

pytestmark = needs_browser
STORED = Path(__file__).parent / "screenshots"
UPDATE = "DRIVEMEM_UPDATE_SCREENSHOTS"


def test_a_deep_link_opens_its_episode_and_step(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=12")
    assert desktop.step() == 12
    assert desktop.text(".episode[aria-current]").startswith("Episode 0")
    assert desktop.js("location.hash") == "#episode=0&step=12"
    assert desktop.text("#clock") == "2.4 of 13.2 s"
    assert desktop.text("h1") == "walled-intersection-v0"
    assert [e.text for e in desktop.driver.find_elements("css selector", "h2")] == [
        "constant:FASTER",
        "constant:SLOWER",
    ]


def test_links_that_lead_nowhere_open_something(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=99&step=1e9")
    assert desktop.step() == int(desktop.js("document.getElementById('scrub').max"))
    desktop.open(shared_page, "#step=x&episode=<b>")
    assert desktop.step() == 0


def test_it_plays_and_pauses(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=0")
    before = desktop.canvas()
    desktop.click("#play")
    assert desktop.js("document.getElementById('play').getAttribute('aria-label')") == "Pause"
    desktop.wait("Number(document.getElementById('scrub').value) >= 3")
    desktop.click("#play")
    stopped = desktop.step()
    for _ in range(10):  # twenty frames that would have moved it
        desktop.settle()
    assert desktop.step() == stopped >= 3
    assert (desktop.canvas() != before).any()


def test_it_stops_at_the_end_and_begins_again(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=64")
    desktop.click("#play")
    desktop.wait("document.getElementById('play').getAttribute('aria-label') === 'Play'")
    assert desktop.step() == int(desktop.js("document.getElementById('scrub').max")) == 66
    desktop.click("#play")
    desktop.wait("Number(document.getElementById('scrub').value) < 30")
    desktop.click("#play")


def test_a_page_without_a_deep_link_plays_by_itself(browser: Browser, shared_page: Path) -> None:
    browser.look("desktop", "light", motion="no-preference")
    browser.open(shared_page)
    browser.wait("Number(document.getElementById('scrub').value) > 1")
    browser.look("desktop", "light", motion="reduce")
    browser.open(shared_page)
    assert browser.step() == 0
    assert browser.errors() == []


def test_the_keyboard_does_everything(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=10")
    desktop.keys(Keys.ARROW_RIGHT)
    assert desktop.step() == 11
    desktop.keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert desktop.step() == 9
    desktop.driver.execute_script(
        "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', shiftKey: true}))"
    )
    desktop.settle()
    assert desktop.step() == 14  # a second is 5 decisions
    desktop.keys(Keys.HOME)
    assert desktop.step() == 0
    desktop.keys(".")
    first_mark = desktop.step()
    assert first_mark > 0
    desktop.keys(Keys.END, ",")
    assert first_mark <= desktop.step() < 66
    desktop.keys("3")
    assert desktop.js("document.getElementById('layer-remembers').ariaPressed") == "false"
    desktop.keys(Keys.ARROW_DOWN)
    desktop.wait("location.hash.startsWith('#episode=1&')")
    desktop.keys(Keys.SPACE)
    desktop.wait("Number(document.getElementById('scrub').value) > 1")
    desktop.keys(Keys.SPACE)
    desktop.keys("t")
    assert desktop.js("document.documentElement.dataset.theme") == "dark"


def test_scrubbing_the_slider_and_the_plots(desktop: Browser, shared_page: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    desktop.open(shared_page, "#episode=0&step=0")
    desktop.driver.execute_script(
        "const s = document.getElementById('scrub'); s.value = 20;"
        "s.dispatchEvent(new Event('input'))"
    )
    desktop.settle()
    assert desktop.text("#clock").startswith("4.0 of")
    plot = desktop.driver.find_element("css selector", ".plot canvas")
    ActionChains(desktop.driver).move_to_element(plot).click().perform()
    desktop.settle()
    left, right, width = 36, 6, plot.size["width"]  # beside the axes
    assert desktop.step() == pytest.approx((width / 2 - left) / (width - left - right) * 66, abs=1)
    desktop.click(".mark.end")
    assert desktop.step() == 27


def test_the_marks_of_an_episode_are_explained(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page)
    marks = desktop.driver.find_elements("css selector", "#marks .mark:not(.end)")
    kinds = {mark.get_attribute("class").split()[1] for mark in marks}
    signs = desktop.driver.find_elements("css selector", "#signs span")
    told = {
        sign.find_element("css selector", ".mark").get_attribute("class").split()[1]: sign.text
        for sign in signs
    }
    assert kinds and set(told) == kinds and all(told.values())


def test_layers_change_the_picture(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=12")
    pictures = [desktop.canvas()]
    for layer in ("remembers", "truth", "sees"):
        desktop.click(f"#layer-{layer}")
        pictures.append(desktop.canvas())
    changed = [(a != b).any() for a, b in pairwise(pictures)]
    assert changed[1] and changed[2]  # at this step nothing was seen and lost yet
    assert pictures[3].mean() > pictures[2].mean()  # no shadows


@pytest.mark.parametrize("tracker", ["hold_last", "perfect_recall"])
def test_behind_perfect_recall_what_is_hidden_is_drawn_where_it_is(
    tracker: str, desktop: Browser, recorder: Callable[..., Path], tmp_path: Path
) -> None:
    recording = recorder(tmp_path / tracker, "constant:FASTER", [5], tracker=tracker)
    target = write_page(find_recording(recording), tmp_path / "page.html")
    desktop.open(target, "#episode=0&step=0")
    away = desktop.js(
        """(() => {
          const side = state.scenes[0].side, found = [];
          for (let step = 0; step <= side.last; step++) {
            for (const { track, ghost } of side.actors(step)) {
              const there = track.at(step, side.dt);
              if (ghost) found.push(Math.hypot(ghost.x - there.x, ghost.y - there.y));
            }
          }
          return found;
        })()"""
    )
    assert away
    assert (max(away) == 0.0) == (tracker == "perfect_recall")


def test_what_was_last_seen_is_drawn(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=1&step=0")
    lost = desktop.js(
        """(() => {
          const scene = state.scenes[0], view = viewOf(scene);
          for (let step = 0; step <= scene.side.last; step++) {
            for (const { ghost } of scene.side.actors(step)) {
              if (ghost && Math.abs(ghost.x - view.x) * view.scale < scene.width / 2 - 20
                  && Math.abs(ghost.y - view.y) * view.scale < scene.height / 2 - 20) return step;
            }
          }
        })()"""
    )
    desktop.open(shared_page, f"#episode=1&step={lost}")
    before = desktop.canvas()
    desktop.click("#layer-remembers")
    assert (desktop.canvas() != before).any()


def test_filters_show_the_episodes_they_name(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=0")
    filters = {e.text: e for e in desktop.driver.find_elements("css selector", ".filter")}
    assert set(filters) == {"all 2", "differ 2", "collision 1", "stuck 2", "success 1"}
    filters["success 1"].click()
    shown = [e.text for e in desktop.driver.find_elements("css selector", ".episode b")]
    assert shown == ["Episode 1"]
    desktop.click(".episode")
    desktop.wait("location.hash.startsWith('#episode=1&')")


def test_the_words_say_what_the_picture_shows(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=12")
    lines = desktop.text("#now").splitlines()
    assert lines[0].startswith("constant:FASTER: ") and "chooses FASTER (80 %)" in lines[0]
    assert lines[1].startswith("constant:SLOWER: ") and "chooses SLOWER" in lines[1]
    assert desktop.js("document.getElementById('now').ariaLive") == "polite"
    assert desktop.js("document.getElementById('scrub').getAttribute('aria-valuetext')") == (
        "2.4 seconds, decision 12 of 66"
    )


def test_zoom_and_pan(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=5")
    before = desktop.canvas()
    desktop.click("#zoom-in")
    assert (desktop.canvas() != before).any()
    desktop.keys("0")
    assert np.abs(desktop.canvas() - before).max() < 16  # curves may be smoothed differently


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_wider_than_the_screen(browser: Browser, shared_page: Path, size: str) -> None:
    browser.look(size, "light")
    browser.open(shared_page, "#episode=0&step=5")
    assert browser.js("document.documentElement.scrollWidth") == SIZES[size][0]
    below = "document.getElementById('stages').getBoundingClientRect().top"
    assert browser.js(f"document.querySelector('.top').getBoundingClientRect().bottom <= {below}")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
def test_it_looks_as_it_did(browser: Browser, shared_page: Path, size: str, theme: str) -> None:
    """Against stored pictures of a quarter of the size, which forgive other fonts."""
    browser.look(size, theme)
    browser.open(shared_page, "#episode=0&step=24")
    shot = browser.screenshot()
    small = shot.resize((shot.width // 4, shot.height // 4), Image.Resampling.BOX)
    stored = STORED / f"{size}-{theme}.png"
    if os.environ.get(UPDATE):
        small.quantize(64).save(stored, optimize=True)
    wanted = np.asarray(Image.open(stored).convert("RGB"), dtype=float)
    assert small.size == (wanted.shape[1], wanted.shape[0])
    difference = np.abs(np.asarray(small, dtype=float) - wanted).mean()
    assert difference < 6.0, f"looks different; look, then store with {UPDATE}=1"


def test_a_hostile_recording_cannot_run_anything(
    browser: Browser, recorder: Callable[..., Path], tmp_path: Path
) -> None:
    hostile = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
    folder = recorder(
        tmp_path / "r", "constant:FASTER", [6], outcome=hostile, run=hostile, driver=hostile
    )
    browser.look("desktop", "light")
    browser.errors()
    browser.open(write_page(find_recording(folder), tmp_path / "p.html"), "#episode=0&step=27")
    assert browser.js("window.hacked === undefined")
    assert browser.text("h2") == hostile
    assert browser.js("document.querySelectorAll('img, script').length") == 2
    assert browser.errors() == []


def test_damaged_data_is_said_not_hidden(browser: Browser, damaged_page: Path) -> None:
    browser.look("desktop", "light")
    browser.visit(damaged_page)
    browser.wait("!document.getElementById('trouble').hidden")
    assert "cannot be shown" in browser.text("#trouble")
    browser.errors()


def test_layers_are_named_by_what_they_draw(
    desktop: Browser, shared_page: Path, recorder: Callable[..., Path], tmp_path: Path
) -> None:
    desktop.open(shared_page, "#episode=0&step=12")
    assert desktop.text("#remembered") == "where last seen"
    assert not desktop.driver.find_element("id", "layer-shown").is_displayed()
    told = recorder(tmp_path / "told", "constant:FASTER", [6], tracker="perfect_recall")
    desktop.open(write_page(find_recording(told), tmp_path / "told.html"), "#episode=0&step=12")
    assert desktop.text("#remembered") == "where perfect recall shows it"


def test_what_a_driver_is_shown_is_a_layer(desktop: Browser, tmp_path: Path) -> None:
    from drivemem import evaluate
    from tests.drivemem.replays import test_shown

    test_shown.register()
    (done,) = evaluate(
        driver="constant:IDLE", scenario=test_shown.NAME, episodes=1, record="1",
        out=tmp_path / "run", quiet=True, num_workers=1,
    )  # fmt: skip
    assert done.recording is not None
    desktop.open(
        write_page(find_recording(done.recording), tmp_path / "p.html"), "#episode=0&step=3"
    )
    assert desktop.driver.find_element("id", "layer-shown").is_displayed()
    with_views = desktop.canvas()
    desktop.keys("4")
    assert desktop.js("document.getElementById('layer-shown').ariaPressed") == "false"
    assert (desktop.canvas() != with_views).any(axis=2).sum() > 500


@pytest.fixture(scope="module")
def at_exits(recorder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in exit-recall with a probe that reads the sign rightly, and in the end wrongly."""
    run = tmp_path_factory.mktemp("exits") / "run"
    folder = recorder(run / "recordings" / "test-intact", "constant:IDLE", [6], "exit-recall-v0")
    loaded = find_recording(folder)
    trace = loaded.trace(loaded.episodes[0])
    sign = json.loads(trace.steps["cue"][0]).index(1.0)
    rows = [
        {
            "episode": 0, "seed": 6, "step": step, "id": 0, "part": 0, "target": "latent",
            "kinds": True, "value": sign, "decoded": sign if step < 20 else (sign + 1) % 3,
            "confidence": 0.97 if step < 20 else 0.5, "x": truth["x"][0], "y": truth["y"][0],
        }
        for step, truth in enumerate(trace.decisions[:-1])
    ]  # fmt: skip
    write_table(run / "probes" / "test-intact" / "latents.parquet", PROBES["latents"], rows)
    return write_page(loaded, run / "page.html")


@pytest.mark.parametrize("step", [2, 24])
def test_the_exit_that_was_named_is_marked_while_the_sign_is_shown_and_later(
    desktop: Browser, at_exits: Path, step: int
) -> None:
    desktop.open(at_exits, f"#episode=0&step={step}")
    (named,) = desktop.js("state.scenes[0].side.namedAt(step())")
    exit_named = f"exit {named[1] + 1}"
    assert f"named: {exit_named}" in desktop.text("#now")
    assert exit_named in desktop.text(".caption")
    marked = desktop.canvas()
    desktop.js("(state.scenes[0].side.named = [], redraw())")
    desktop.settle()
    unmarked = desktop.canvas()
    greys = np.abs(marked.mean(axis=2) - unmarked.mean(axis=2))
    assert (greys > 60).sum() > 200, "it is told without colour"
    desktop.js("(state.episode.places = null, redraw())")
    desktop.settle()
    assert (desktop.canvas() != unmarked).any(axis=2).sum() > 200, "all exits wear numbers"


def test_what_memory_holds_of_the_sign_is_said(desktop: Browser, at_exits: Path) -> None:
    desktop.open(at_exits, "#episode=0&step=10")
    number = desktop.js("state.scenes[0].side.namedAt(10)")[0][1]
    sign = f"sign: exit {number + 1}"
    assert desktop.text(".read") == f"{sign}; memory says: exit {number + 1} (0.97)"
    desktop.open(at_exits, "#episode=0&step=24")
    other = (number + 1) % 3 + 1
    assert desktop.text(".read") == f"{sign}; memory says: exit {other} (0.50), wrong"


def test_without_a_probe_nothing_is_said_of_memory(desktop: Browser, shared_page: Path) -> None:
    desktop.open(shared_page, "#episode=0&step=10")
    assert desktop.driver.find_elements("css selector", ".read") == []
