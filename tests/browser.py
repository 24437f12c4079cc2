"""A real browser for tests of pages: Debian's chromium, driven by selenium.

Tests that use it ask for the fixture `browser` of `tests/conftest.py`, one for the whole session,
and take `needs_browser` as their module's `pytestmark`.
"""

from __future__ import annotations

import io
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_DRIVER = shutil.which("chromedriver")
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
THEMES = ("light", "dark")

try:
    from selenium import webdriver
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys
except ImportError:
    Keys = None
    needs_browser = [pytest.mark.skip(reason="selenium is not installed")]
else:
    needs_browser = [
        pytest.mark.skipif(
            _CHROMIUM is None or _DRIVER is None,
            reason="chromium and chromedriver are not installed",
        )
    ]


class Browser:
    """A headless browser with a page in it."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(_CHROMIUM)
        for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage",
                         "hide-scrollbars", "force-color-profile=srgb"):  # fmt: skip
            options.add_argument(f"--{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(_DRIVER)
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_script_timeout(180)  # axe-core on a busy machine

    def look(self, size: str, theme: str, motion: str = "reduce") -> None:
        """Take a size of `SIZES`, and what a user prefers of themes and motion."""
        width, height = SIZES[size]
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"},
        )
        features = {"prefers-color-scheme": theme, "prefers-reduced-motion": motion}
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": name, "value": value} for name, value in features.items()]},
        )

    def visit(self, page: Path, fragment: str = "") -> None:
        """Load a file, whatever it is."""
        self.driver.get("about:blank")
        self.driver.get(f"{page.as_uri()}{fragment}")
        # `get` may come back at once, with the empty page still there.
        self.wait("location.protocol === 'file:' && document.readyState === 'complete'")

    def open(self, page: Path, fragment: str = "") -> None:
        """Load a page with a player, which says when it is drawn."""
        self.visit(page, fragment)
        self.wait("document.documentElement.dataset.ready === 'true'")
        self.settle()

    def js(self, script: str) -> Any:
        return self.driver.execute_script(f"return {script}")

    def wait(self, condition: str) -> None:
        for _ in range(200):
            if self.js(condition):
                return
            time.sleep(0.05)
        raise AssertionError(f"never came true: {condition}\n{self.errors()}")

    def settle(self) -> None:
        """Two animation frames: what was asked for is drawn."""
        self.driver.execute_async_script(
            "const done = arguments[0];"
            "requestAnimationFrame(() => requestAnimationFrame(() => done()))"
        )

    def keys(self, *keys: str) -> None:
        """Press keys, where the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()
        self.settle()

    def click(self, selector: str) -> None:
        self.driver.find_element("css selector", selector).click()
        self.settle()

    def text(self, selector: str) -> str:
        return str(self.driver.find_element("css selector", selector).text)

    def step(self) -> int:
        return int(self.js("document.getElementById('scrub').value"))

    def canvas(self, number: int = 0) -> Any:
        image = self.driver.find_elements("css selector", ".stage canvas")[number].screenshot_as_png
        return np.asarray(Image.open(io.BytesIO(image)).convert("RGB"), dtype=int)

    def screenshot(self) -> Image.Image:
        shot = Image.open(io.BytesIO(self.driver.get_screenshot_as_png()))
        return shot.convert("RGB")

    def errors(self) -> list[str]:
        """What the console was told since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]
