"""The check of pages itself finds faults, says in which looks, and sees a lost focus."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.accessibility import assert_accessible, controls, faults, tab_stops
from tests.browser import Browser, needs_browser

pytestmark = needs_browser

PAGE = """<!doctype html><html lang="en"><head><title>a page</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
@media (prefers-color-scheme: dark) { body { background: #000; color: #333; } }
@media (max-width: 500px) { button span { display: none; } }
</style></head><body><main><h1>Page</h1><p id="told">told</p>%s</main></body></html>"""


def opened(browser: Browser, folder: Path, body: str) -> Browser:
    page = folder / "page.html"
    page.write_text(PAGE % body, encoding="utf-8")
    browser.look("desktop", "light")
    browser.visit(page)
    return browser


def test_faults_say_rule_place_looks_and_remedy(browser: Browser, tmp_path: Path) -> None:
    body = '<button id="it"><span>name</span></button><img id="bare" src="data:,">'
    found = faults(opened(browser, tmp_path, body))
    bare = next(fault for fault in found if fault.startswith("image-alt (critical): #bare"))
    assert "seen: desktop light, desktop dark, phone light, phone dark" in bare
    assert "Element does not have an alt attribute" in bare
    pale = next(fault for fault in found if fault.startswith("color-contrast (serious): #told"))
    assert pale.endswith("seen: desktop dark, phone dark")
    unnamed = next(fault for fault in found if fault.startswith("button-name (critical): #it"))
    assert unnamed.endswith("seen: phone light, phone dark")
    with pytest.raises(AssertionError, match=r"faults:\n\n.*\(.*\): "):
        assert_accessible(browser)
    browser.errors()


def test_a_focus_that_is_not_seen_or_never_leaves_is_found(
    browser: Browser, tmp_path: Path
) -> None:
    fine = opened(browser, tmp_path, '<button id="a">a</button><a id="b" href="#told">b</a>')
    assert tab_stops(fine) == controls(fine) == ["a", "b"]
    with pytest.raises(AssertionError, match="a has the focus and does not show it"):
        tab_stops(opened(browser, tmp_path, '<button id="a" style="outline: none">a</button>'))
    trap = '<button id="a" onblur="setTimeout(() => this.focus())">a</button>'
    with pytest.raises(AssertionError, match="the focus never leaves the page"):
        tab_stops(opened(browser, tmp_path, trap), most=5)
