"""The pages of the scenarios are made from their docstrings; see docs/scenarios/make.py."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from drivemem_envs.names import LEVELS, SUITE

FOLDER = Path(__file__).parents[2] / "docs" / "scenarios"
HEADINGS = (
    "Task", "What is hidden", "What must be remembered", "Observation", "Actions", "Reward",
    "Outcome", "Ceiling", "Scenario parameters", "Source",
)  # fmt: skip


def maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_scenario_pages", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", SUITE)
def test_the_page_says_what_the_docstring_says(name):
    page = (FOLDER / f"{name}.md").read_text()
    assert page == maker().page(name), "run python docs/scenarios/make.py"
    for heading in HEADINGS:
        assert f"**{heading}.**" in page
    assert (FOLDER / f"{name}.png").stat().st_size > 400  # not a black frame


def test_the_page_has_the_gates_of_each_level(tmp_path, monkeypatch):
    module = maker()
    monkeypatch.setattr(module, "GATES", tmp_path)
    plain = module.page("exit-recall")
    (tmp_path / "exit-recall-hard.md").write_text("**Gates.** the hard ones\n")
    (tmp_path / "exit-recall-easy.md").write_text("**Gates.** the easy ones\n")
    assert module.page("exit-recall") == (
        plain + "\n**Gates.** the easy ones\n\n**Gates.** the hard ones\n"
    )


def test_gates_that_are_kept_are_those_of_a_level():
    known = {f"{name}-{level}" for name in SUITE for level in LEVELS}
    assert {path.stem for path in maker().GATES.glob("*.md")} <= known


def test_there_is_no_page_without_a_scenario():
    assert {path.stem for path in FOLDER.glob("*.md")} == set(SUITE)
