"""An episode to watch beside the picture of every scenario: the replay page of its oracle driver.

The environment variable DRIVEMEM_SITE_REPLAYS says for which scenarios: all (the default), none, or
names with commas between them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

SCENARIOS, REPLAYS = "scenarios", "replays"
"""Folders of the site: the scenarios' pages, and the episodes."""
WHICH = "DRIVEMEM_SITE_REPLAYS"
DRIVER = "oracle"
PICTURE = re.compile(r"^!\[.*\]\(.*\)$", re.MULTILINE)
_folders: list[TemporaryDirectory[str]] = []


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Drive and add an episode of each scenario that has a page."""
    pages = [PurePosixPath(file.src_uri) for file in files.documentation_pages()]
    names = _asked([page.stem for page in pages if page.parts[:-1] == (SCENARIOS,)])
    folder = TemporaryDirectory()
    _folders.append(folder)
    for name in names:
        place = _episode(name, Path(folder.name))
        files.append(File.generated(config, f"{REPLAYS}/{name}.html", abs_src_path=str(place)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Name the episode below the scenario's picture."""
    here = PurePosixPath(page.file.src_uri)
    replay = f"{REPLAYS}/{here.stem}.html"
    if here.parts[:-1] != (SCENARIOS,) or files.get_file_from_path(replay) is None:
        return markdown
    told = f"[Watch an episode](../{replay}) of the {DRIVER} driver, which is told the truth."
    return PICTURE.sub(lambda picture: f"{picture[0]}\n\n{told}", markdown, count=1)


def on_post_build(config: MkDocsConfig) -> None:
    """Remove what the episodes were made in."""
    while _folders:
        _folders.pop().cleanup()


def _asked(names: list[str]) -> list[str]:
    """Those of the scenarios that get an episode."""
    which = os.environ.get(WHICH, "all")
    if which in ("all", "none"):
        return names if which == "all" else []
    asked = which.split(",")
    unknown = sorted({*asked} - {*names})
    if unknown:
        raise PluginError(
            f"{WHICH}={which}: no page of a scenario is called {', '.join(unknown)}; give all, "
            f"none, or some of {', '.join(names)} with commas between them"
        )
    return asked


def _episode(scenario: str, folder: Path) -> Path:
    """The replay page of the first episode of a scenario's test suite at its easiest level."""
    import drivemem

    run = folder / scenario
    drivemem.evaluate(
        driver=DRIVER,
        scenario=scenario,
        episodes=1,
        record="1",
        num_envs=1,
        out=str(run),
        quiet=True,
    )
    page = folder / f"{scenario}.html"
    drivemem.replay(run, page=page)
    return page
