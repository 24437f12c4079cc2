"""Errors that end a command with one line: what was seen, what is allowed, the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class DrivememError(Exception):
    """A failure that the user can mend; the message says how."""


class UsageError(DrivememError):
    """A command that was given too few words, too many, or some that do not go together."""


@contextmanager
def one_line(*kinds: type[Exception]) -> Iterator[None]:
    """Make errors of the libraries below, of these kinds, a `DrivememError` of one line."""
    try:
        yield
    except kinds as error:
        raise DrivememError(first_line(error)) from error


def first_line(error: BaseException) -> str:
    """What another library's error says, in one line: its first that is not empty."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return first or type(error).__name__


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`; did you mean 'gru'?`, or nothing where no known name is as near as `cutoff` of 1."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"; did you mean '{near[0]}'?" if near else ""
