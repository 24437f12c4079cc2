"""Pages from outside docs/, and links that lead there.

Links are written as they work in the repository: docs/gates.md from the README, ../experiments/...
from a page of docs/. So a page is written once, and read on the forge and on the site. Pages that
the navigation names and docs/ lacks are taken from the repository, and the README is the home page.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
HOME, FRONT = "index.md", "README.md"
"""The home page of the site, and what it is in the repository."""
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
LIST = re.compile(r"^((?![-*] )\S.*)\n(?=[-*] )", re.MULTILINE)
"""The line before a list, which needs no empty line between the two on a forge."""
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README as the home page, pages that the navigation names, and their pictures."""
    files.append(File.generated(config, HOME, abs_src_path=str(ROOT / FRONT)))
    named = [place for place in _pages(config.nav) if files.get_file_from_path(place) is None]
    for place in named:
        _add(files, config, place)
        for picture, _, target, _ in LINK.findall((ROOT / place).read_text(encoding="utf-8")):
            if picture:
                _add(files, config, _resolved(place, target))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between places of the repository into links between pages of the site."""
    here = page.file.src_uri

    def turned(link: re.Match[str]) -> str:
        picture, text, target, anchor = link.groups(default="")
        if re.match(r"[a-z]+:", target):
            return link[0]
        place = _resolved(_in_repository(here), target)
        there = _in_site(place)
        found = files.get_file_from_path(there)
        if found is not None and found.inclusion.is_included():
            way = os.path.relpath(there, PurePosixPath(here).parent)
            return f"{picture}[{text}]({PurePosixPath(way)}{anchor})"
        if not (ROOT / place).exists():
            return link[0]  # which the strict build refuses
        if config.repo_url:
            return f"[{text}]({config.repo_url.rstrip('/')}/blob/HEAD/{place}{anchor})"
        return text if place in text else f"{text} (`{place}`)"

    def as_forges_read(part: str) -> str:
        return LIST.sub(r"\1\n\n", LINK.sub(turned, part))

    parts = FENCE.split(markdown)
    return "".join(part if FENCE.match(part) else as_forges_read(part) for part in parts)


def _pages(nav: Any) -> list[str]:
    """The pages that a navigation names, in order."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav or []
    return [page for part in parts for page in _pages(part)]


def _add(files: Files, config: MkDocsConfig, place: str) -> None:
    """Add a file of the repository, by its path there."""
    if files.get_file_from_path(place) is None and (ROOT / place).is_file():
        files.append(File(place, str(ROOT), config.site_dir, config.use_directory_urls))


def _resolved(page: str, target: str) -> str:
    """Where a link leads: a path in the repository.

    Args:
        page: where it stands, a path in the repository.
        target: what it says.
    """
    return PurePosixPath(os.path.normpath(PurePosixPath(page).parent / target)).as_posix()


def _in_repository(uri: str) -> str:
    """The path in the repository of a page of the site."""
    if uri == HOME:
        return FRONT
    return f"docs/{uri}" if (ROOT / "docs" / uri).exists() else uri


def _in_site(place: str) -> str:
    """The page of the site that shows a file of the repository, whether there is one or not."""
    return HOME if place == FRONT else place.removeprefix("docs/")
