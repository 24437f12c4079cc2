"""Errors that end a command with one line: what was seen, what is allowed, the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DrivememError(Exception):
    """A failure that the user can mend; the message says how."""


def one_line(error: BaseException) -> str:
    """What another library's error says, in one line: its first that is not empty."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return first or type(error).__name__


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`; did you mean 'gru'?`, or nothing where no known name is as near as `cutoff` of 1."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"; did you mean '{near[0]}'?" if near else ""
