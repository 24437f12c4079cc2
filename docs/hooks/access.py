"""What the theme's templates and Markdown leave unsaid to screen readers.

What the theme makes only in the browser is mended there, by `docs/javascripts/access.js`.
"""

from __future__ import annotations

import re

SEARCH = '<div class="md-search" data-md-component="search" role="dialog"'
"""The search of the theme, a dialog without a name."""


def on_page_content(html: str, **_: object) -> str:
    """Cells without text head nothing."""
    return re.sub(r"<th\b([^>]*)></th>", r"<td\1></td>", html)


def on_post_page(output: str, **_: object) -> str:
    """Name the search."""
    return output.replace(SEARCH, f'{SEARCH} aria-label="Search"')
