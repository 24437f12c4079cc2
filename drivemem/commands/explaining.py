"""`drivemem distill RUN --to machine|tree`."""

from __future__ import annotations


def explain(words: list[str]) -> int:
    """Make a run readable and print what came of it."""
    raise NotImplementedError
