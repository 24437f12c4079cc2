"""`drivemem zoo`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from drivemem.commands.parsing import read_options
from drivemem.errors import DrivememError, UsageError

if TYPE_CHECKING:
    from drivemem.catalogue.entries import Entry


@dataclass
class Options:
    """Trained agents that come with the package: zoo:SCENARIO/AGENT stands wherever a run does.

    list: all of them; show NAME: where one comes from, and how it drove; add RUN --as NAME: put a
    run's agent into the package, which needs a checkout.
    """

    what: Annotated[Literal["list", "show", "add"], tyro.conf.Positional] = "list"
    """list, show or add."""
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME|RUN")] = ""
    """Of an agent, such as exit-recall/gru; for add, the folder of a finished run."""
    called: Annotated[str, tyro.conf.arg(name="as")] = ""
    """For add: what it is called, SCENARIO/AGENT."""
    episodes: int = 500
    """For add: how many of the test suite it is judged by."""
    record: int = 0
    """For add: how many of them are recorded, for tour and replay."""


def run(words: list[str]) -> int:
    """List, show or add."""
    options = read_options(Options, "zoo", words)
    if (options.what == "list") == bool(options.name):
        raise UsageError("say `list`, `show NAME` or `add RUN --as SCENARIO/AGENT`")
    if (options.what == "add") != bool(options.called):
        raise UsageError("--as SCENARIO/AGENT names what is added: `add RUN --as SCENARIO/AGENT`")
    from drivemem.catalogue.entries import catalogue, entry
    from drivemem.output import console, show

    if options.what == "list":
        show(*catalogue().as_tables())
        console().print("take one in place of a run: drivemem evaluate zoo:NAME; or: drivemem tour")
        return 0
    found = _add(options) if options.what == "add" else entry(options.name)
    show(*found.as_tables())
    return 0


def _add(options: Options) -> Entry:
    from drivemem import zoo
    from drivemem.catalogue.adding import add

    if not (zoo.ROOT.parents[2] / "pyproject.toml").is_file():
        raise DrivememError("zoo add writes into the package: install a checkout (`make install`)")
    return add(options.name, options.called, episodes=options.episodes, record=options.record)
