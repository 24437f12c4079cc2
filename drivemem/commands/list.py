"""`drivemem list`."""

from __future__ import annotations

from drivemem.errors import UsageError


def run(words: list[str]) -> int:
    """Print the tables asked for."""
    from drivemem.listing import KINDS, tables

    if words and words[0] in ("-h", "--help"):
        print(f"usage: drivemem list [{'|'.join(KINDS)}]")
        return 0
    if len(words) > 1:
        raise UsageError("give one kind, or none for all")
    from drivemem.progress import console

    for table in tables(words[0] if words else None):
        console().print(table)
    return 0
