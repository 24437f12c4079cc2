"""What keyboards and screen readers meet on a page: axe-core's rules, the way of the Tab key."""

from __future__ import annotations

from importlib.resources import files
from itertools import product

import pytest

from tests.browser import SIZES, THEMES, Browser, Keys

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")
_RUN = """
const done = arguments[arguments.length - 1], [tags] = arguments;
axe.run({ runOnly: tags, resultTypes: ["violations"], preload: false })
  .then((found) => done(found.violations), (error) => done(String(error)));
"""
_NAME = """
const nameOf = (one) => one.id || `${one.tagName.toLowerCase()} ${
  (one.ariaLabel || one.textContent).trim().slice(0, 60)}`;
"""
_FOCUSED = f"""{_NAME}
const one = document.activeElement, style = getComputedStyle(one);
return one === document.body ? null : {{
  what: nameOf(one), shown: one.checkVisibility(),
  ringed: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
}};
"""
_CONTROLS = f"""{_NAME}
return [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex]")]
  .filter((one) => one.tabIndex >= 0 && one.checkVisibility()).map(nameOf);
"""


def faults(browser: Browser) -> list[str]:
    """What axe-core finds on the page that is open, wide and narrow, light and dark.

    Args:
        browser: with the page in it.

    Returns:
        A text for each fault: rule, how bad, where, in which looks, what to do.
    """
    axe = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
    # Through the debugger, which no page's content security policy keeps out.
    source = files(axe).joinpath("axe.min.js").read_text(encoding="utf-8")
    browser.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": f"{source};0"})
    found: dict[tuple[str, str], list[str]] = {}
    told: dict[tuple[str, str], str] = {}
    for size, theme in product(SIZES, THEMES):
        browser.look(size, theme)
        browser.settle()
        for key, text in _violations(browser):
            found.setdefault(key, []).append(f"{size} {theme}")
            told.setdefault(key, text)
    return [f"{told[key]}\n  seen: {', '.join(looks)}" for key, looks in found.items()]


def _violations(browser: Browser) -> list[tuple[tuple[str, str], str]]:
    result = browser.driver.execute_async_script(_RUN, list(TAGS))
    assert isinstance(result, list), f"axe-core failed: {result}"
    return [
        (
            (rule["id"], str(node["target"])),
            f"{rule['id']} ({node['impact']}): {' '.join(map(str, node['target']))}\n"
            f"  {node['html'][:160]}\n"
            f"  {node['failureSummary'].replace(chr(10), chr(10) + '  ')}\n"
            f"  {rule['helpUrl']}",
        )
        for rule in result
        for node in rule["nodes"]
    ]


def unfold(browser: Browser) -> None:
    """Open all that is folded on the page."""
    browser.driver.execute_script(
        "document.querySelectorAll('details').forEach((one) => (one.open = true))"
    )


def assert_accessible(browser: Browser) -> None:
    """Fail with a readable list if axe-core finds anything on the page that is open."""
    found = faults(browser)
    assert not found, f"{len(found)} faults:\n\n" + "\n\n".join(found)


def tab_stops(browser: Browser, most: int = 200) -> list[str]:
    """What the Tab key comes to, from the top of the page to its end, each seen to be focused.

    Args:
        browser: with the page in it; nothing of it has the focus.
        most: stops after which the page is said to hold the focus forever.

    Returns:
        Elements by their id, or their tag and the beginning of their text.
    """
    stops: list[str] = []
    for _ in range(most):
        browser.keys(Keys.TAB)
        focused = browser.driver.execute_script(_FOCUSED)
        if focused is None:
            return stops
        assert focused["shown"], f"{focused['what']} has the focus and is not to be seen"
        assert focused["ringed"], f"{focused['what']} has the focus and does not show it"
        stops.append(focused["what"])
    raise AssertionError(f"the focus never leaves the page: {stops[-20:]}")


def controls(browser: Browser) -> list[str]:
    """All that can be used on the page that is open, in its order, named as by `tab_stops`."""
    found = browser.driver.execute_script(_CONTROLS)
    assert isinstance(found, list)
    return found
