"""What is written nowhere but in the code: public names, memories, and the help of every command.

A page says where they come by a line such as `<!-- public names of drivemem -->`.
"""

from __future__ import annotations

import inspect
import io
import os
import re
import textwrap
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import griffe

AGENTS = Path(__file__).resolve().parents[2] / "agents"
"""Where the package of memories lies."""
WIDTH = 80
"""Columns of a command's help."""
BARE = """\
    options:
      members: false
      show_root_heading: false
      show_root_toc_entry: false
      show_signature: false"""
"""Of a docstring without heading, signature and members."""


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put what the code says where a page asks for it."""
    for line, written in LINES.items():
        markdown = re.sub(line, lambda found, by=written: by(*found.groups()), markdown)
    return markdown


def public_names(package: str) -> str:
    """A heading and a reference for everything that a package exports."""
    return "\n\n".join(f"::: {package}.{name}" for name in import_module(package).__all__)


def memories() -> str:
    """Equations, sources and settings of every memory that is registered by name."""
    from drivemem_agents.memory import MEMORIES

    source = griffe.load("drivemem_agents", search_paths=[AGENTS])
    parts = []
    for name in MEMORIES.names():
        memory = MEMORIES.get(name)
        equations = f"::: {memory.__module__}.{memory.__qualname__}\n{BARE}"
        parts.append(f"## {name}\n\n{equations}\n\n{_settings(memory.Settings, source)}")
    return "\n\n".join(parts)


def commands() -> str:
    """A heading and the help of every command, as its parser prints it."""
    from drivemem.cli import COMMANDS

    told = [f"## drivemem {name}\n\n```text\n{help_of(name)}\n```" for name in COMMANDS]
    return "\n\n".join(told)


def help_of(command: str) -> str:
    """What `drivemem COMMAND --help` prints, in 80 columns and without colours."""
    from drivemem.cli import run_command

    printed = io.StringIO()
    with (
        patch.dict(os.environ, {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "TERM": "dumb"}),
        redirect_stdout(printed),
        suppress(SystemExit),
    ):
        run_command(command, ["--help"])
    lines = printed.getvalue().strip().splitlines()
    return "\n".join(textwrap.fill(line, WIDTH) if len(line) > WIDTH else line for line in lines)


def _settings(settings: Any, source: Any) -> str:
    """A table of a memory's settings; what each is stands under its field."""
    module, fields = settings.__module__.removeprefix("drivemem_agents."), settings.model_fields
    told = source[f"{module}.{settings.__qualname__}"].all_members
    rows = [
        f"| `{name}` | {inspect.formatannotation(field.annotation).replace('|', 'or')} "
        f"| `{field.default}` | {' '.join(told[name].docstring.value.split())} |"
        for name, field in fields.items()
    ]
    return "\n".join(["| setting | type | default | what it is |", "|---|---|---|---|", *rows])


LINES: dict[str, Callable[..., str]] = {
    r"<!-- public names of (\w+) -->": public_names,
    r"<!-- every memory -->": memories,
    r"<!-- help of every command -->": commands,
}
