"""What commands print: lines and tables for people, or the same figures as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar

from rich.console import Console

from drivemem.tables import Table, as_json

_collected: ContextVar[list[Table] | None] = ContextVar("collected", default=None)
"""Tables to be printed as JSON; None: people read along."""


def console(stderr: bool = False) -> Console:
    """Where commands print for people; text is printed as it is, nothing in it is markup."""
    # Off a terminal rich assumes 80 columns and wraps tables to uselessness.
    width = None if (sys.stderr if stderr else sys.stdout).isatty() else 140
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


def show(*tables: Table) -> None:
    """Print tables, or keep them for the JSON."""
    if not keep(*tables):
        for table in tables:
            console().print(table.to_rich())


def keep(*tables: Table) -> bool:
    """Keep tables for the JSON, of results that people are told in another form.

    Returns:
        Whether JSON was asked for.
    """
    collected = _collected.get()
    if collected is None:
        return False
    collected.extend(tables)
    return True


@contextmanager
def printed_as_json() -> Iterator[None]:
    """What is shown inside is printed as one JSON object; all else goes to standard error."""
    tables: list[Table] = []
    token = _collected.set(tables)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _collected.reset(token)
        if tables or sys.exc_info()[0] is None:
            print(json.dumps(as_json(tables), indent=2))
