"""The documentation as a site: strictly built, with all that is public, without a network."""

from __future__ import annotations

import importlib.util
import re
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest

from drivemem.cli import COMMANDS
from tests.conftest import WATCHED
from tests.test_public_names import NAMES

pytest.importorskip("mkdocs", reason="the site needs the extra `docs`: pip install '.[docs]'")

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "sensors"
KILOBYTES = 60


def module_of(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"docs_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_public_object_has_its_entry(site: Path) -> None:
    pages = {package: (site / f"reference/{package}.html").read_text() for package, _ in NAMES}
    missing = [f"{p}.{name}" for p, name in NAMES if f'id="{p}.{name}"' not in pages[p]]
    assert not missing


def test_settings_that_are_taken_as_keywords_are_shown(site: Path) -> None:
    from drivemem.config import TrainConfig

    page = (site / "reference/drivemem.html").read_text()
    entry = page.partition('id="drivemem.train"')[2].partition('id="drivemem.tune"')[0]
    assert len(TrainConfig.model_fields) > 30
    assert not [name for name in TrainConfig.model_fields if f">{name}<" not in entry]


def test_every_command_shows_its_help(site: Path) -> None:
    page = unescape(re.sub(r"<[^>]+>", "", (site / "commands.html").read_text()))
    for name in COMMANDS:
        assert f"usage: drivemem {name}" in page
    assert "--num-envs INT" in page and "--lesion" in page and "--dry-run" in page


def test_scenarios_show_an_episode(site: Path) -> None:
    assert {path.stem for path in (site / "replays").iterdir()} == {*WATCHED}
    for name in WATCHED:
        page = (site / f"scenarios/{name}.html").read_text()
        assert f'href="../replays/{name}.html"' in page
        replay = (site / f"replays/{name}.html").read_text()
        assert "<title>" in replay and "The replay cannot be shown" in replay
    assert "replays/" not in (site / "scenarios/blind-merge.html").read_text()


def test_an_episode_of_no_scenario_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = module_of(ROOT / "docs" / "hooks" / "replays.py")
    monkeypatch.setenv("DRIVEMEM_SITE_REPLAYS", "glare-exit,glare-exut")
    with pytest.raises(hook.PluginError, match="called glare-exut; give all, none, or some of gla"):
        hook._asked(["glare-exit"])
    monkeypatch.setenv("DRIVEMEM_SITE_REPLAYS", "all")
    assert hook._asked(["glare-exit"]) == ["glare-exit"]


def test_every_memory_has_its_equations_and_settings(site: Path) -> None:
    from drivemem_agents.memory import memory_class, memory_names

    page = (site / "reference/memories.html").read_text()
    for name in memory_names():
        entry = page.partition(f'<h2 id="{name}">')[2].partition("<h2")[0]
        assert "Parameters" in entry, name
        assert not [s for s in memory_class(name).Settings.model_fields if s not in entry], name


def test_the_readme_is_the_home_page_and_studies_lead_to_their_results(site: Path) -> None:
    home = (site / "index.html").read_text()
    assert "Does memory make a better driver when part of the road is hidden?" in home
    assert 'href="experiments/occlusion_gap/results/RESULTS.html"' in home
    assert (site / "experiments/occlusion_gap/results/overview.svg").is_file()


def test_no_link_is_broken_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = {path: path.read_text() for path in site.rglob("*.html")}
    assert len(pages) > 70
    broken, foreign = [], []
    for path, text in pages.items():
        foreign += re.findall(r'<(?:script|img|link rel="stylesheet")[^>]+="https?:[^"]*"', text)
        if path.name == "404.html":
            continue  # its links are those of a server's root
        for target in re.findall(r'(?:href|src)="([^"]*)"', text):
            place, _, anchor = unquote(unescape(target)).partition("#")
            if re.match(r"[a-z]+:", place):
                continue
            there = (path.parent / place).resolve() if place else path
            known = pages.get(there, "")
            if not there.exists() or (anchor and known and f'id="{anchor}"' not in unescape(known)):
                broken.append(f"{path.relative_to(site)}: {target}")
    assert not foreign
    assert not broken


def test_what_is_no_page_is_plain_text_or_leads_to_the_repository() -> None:
    from mkdocs.structure.files import Files

    links = module_of(ROOT / "docs" / "hooks" / "links.py")
    page = SimpleNamespace(file=SimpleNamespace(src_uri="memories.md"))
    text = "[memory](../agents/drivemem_agents/memory), `[no](../link)` [nowhere](../missing.md)"

    def turned(address: str | None) -> str:
        config = SimpleNamespace(repo_url=address)
        turned: str = links.on_page_markdown(text, page=page, config=config, files=Files([]))
        return turned

    place = "agents/drivemem_agents/memory"
    assert turned(None).startswith(f"memory (`{place}`), ")
    assert turned("https://a.b/c/").startswith(f"[memory](https://a.b/c/blob/HEAD/{place}), ")
    assert turned(None).endswith("[nowhere](../missing.md)")  # refused by the strict build


def test_every_limit_of_sensors_has_a_small_picture() -> None:
    limits = module_of(PICTURES / "make.py").LIMITS
    page = (ROOT / "docs" / "sensors.md").read_text()
    for name in limits:
        assert f"(sensors/{name}.png)" in page
        assert 0 < (PICTURES / f"{name}.png").stat().st_size < 1024 * KILOBYTES
    assert len(list(PICTURES.glob("*.png"))) == len(limits)
