"""Registries: names to things, ours and other packages'."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from drivemem_agents import registry
from drivemem_agents.encoders import ENCODERS
from drivemem_agents.memory import MEMORIES
from drivemem_agents.registry import Registry, near_miss


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Registry[object]:
    """Two things of ours, and three that other packages offer."""
    points = [
        EntryPoint("far", "textwrap:dedent", "drivemem.tools"),
        EntryPoint("gone", "no_such_module:thing", "drivemem.tools"),
        EntryPoint("near", "textwrap:fill", "drivemem.tools"),
    ]
    asked = {"drivemem.tools": points}
    monkeypatch.setattr(registry, "entry_points", lambda group: asked[group])
    found: Registry[object] = Registry("tool", "drivemem.tools")

    @found.register("near")
    def near() -> None:
        """Is at hand.

        And more.
        """

    found.register("plain")(object())
    return found


def test_names_are_listed_without_importing_what_they_select(tools):
    assert tools.names() == ["far", "gone", "near", "plain"]


def test_what_another_package_offers_is_imported_when_asked_for(tools):
    import textwrap

    assert tools.get("far") is textwrap.dedent
    assert tools.get("far") is textwrap.dedent
    assert tools.summary("far").startswith("Remove any common leading whitespace")


def test_broken_taken_and_unknown_names_are_refused(tools):
    with pytest.raises(ValueError, match="'gone' cannot be imported from no_such_module:thing"):
        tools.get("gone")
    with pytest.raises(ValueError, match=r"tool 'near' is already registered by .*near"):
        tools.get("near")
    with pytest.raises(ValueError, match="'plain' is already registered by object; choose another"):
        tools.register("plain")(object())
    with pytest.raises(ValueError, match=r"unknown tool 'plan'; did you mean 'plain'\? \(one of"):
        tools.get("plan")


def test_the_same_thing_may_be_registered_twice():
    own: Registry[object] = Registry("tool")
    thing = object()
    assert own.register("a")(thing) is own.register("a")(thing) is own.get("a")


def test_memories_and_encoders_use_it_and_say_what_they_are():
    assert (MEMORIES.group, ENCODERS.group) == ("drivemem.memories", "drivemem.encoders")
    for known in (MEMORIES, ENCODERS):
        assert all(known.summary(name).endswith((".", ":")) for name in known.names())


def test_near_misses():
    assert near_miss("grru", ["gru", "lstm"]) == "; did you mean 'gru'?"
    assert near_miss("xyz", ["gru", "lstm"]) == ""


def test_importing_it_imports_no_torch():
    code = "import sys, drivemem_agents.registry; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
