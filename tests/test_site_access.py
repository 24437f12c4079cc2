"""The site for keyboards and screen readers: axe-core on a page of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.accessibility import assert_accessible
from tests.browser import Browser, needs_browser

pytest.importorskip("mkdocs", reason="the site needs the extra `docs`: pip install '.[docs]'")
pytestmark = needs_browser

PAGES = (
    "index", "scenarios/exit-recall", "sensors", "memories", "tutorials/first-comparison",
    "commands", "reference/drivemem_envs", "experiments/occlusion_gap/results/RESULTS",
)  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_every_reader_meets_the_whole_page(browser: Browser, site: Path, name: str) -> None:
    browser.look("desktop", "light")
    browser.visit(site / f"{name}.html")
    assert browser.js("document.querySelectorAll('h1').length") == 1
    assert_accessible(browser)
