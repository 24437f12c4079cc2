"""Errors that end a command with one line: what was seen, what is allowed, the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DrivememError(Exception):
    """A failure that the user can mend; the message says how."""


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`; did you mean 'gru'?`, or nothing where no known name is as near as `cutoff` of 1."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"; did you mean '{near[0]}'?" if near else ""
