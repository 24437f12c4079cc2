"""Errors that end a command with one line: what was seen, what is allowed, the way out."""

from __future__ import annotations


class DrivememError(Exception):
    """A failure that the user can mend; the message says how."""
