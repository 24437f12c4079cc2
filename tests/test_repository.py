"""The repository tells the truth about itself: its rooms, its version, what it ships."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import drivemem

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = [
    ROOT / path for path in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
]


def test_every_room_has_a_line_and_every_line_a_room() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    told = re.findall(r"^\| `([\w/]+)` \|", page.partition("## Style")[0], re.MULTILINE)
    there = [init.parent for package in PACKAGES for init in package.rglob("__init__.py")]
    assert sorted(told) == sorted(room.relative_to(ROOT).as_posix() for room in there)


def test_files_that_contributors_are_sent_to_exist() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    places = re.findall(r"`((?:drivemem|envs|agents|tests|experiments|docs)/[\w/.-]+)`", page)
    assert len(places) > 30
    for place in places:
        if "NAME" not in place:
            assert (ROOT / place).exists(), place


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_packages_are_typed(package: Path) -> None:
    assert (package / "py.typed").is_file()


def test_the_citation_is_of_this_version() -> None:
    text = (ROOT / "CITATION.cff").read_text()
    said = dict(re.findall(r"^(\w+): (.+)$", text, re.MULTILINE))
    project = PROJECT["project"]
    assert said["version"] == drivemem.__version__ and said["license"] == project["license"]
    assert f"name: {project['authors'][0]['name']}" in text
