"""Scores with their intervals as bars of characters, for a terminal."""

from __future__ import annotations

from drivemem.comparison.ceilings import ceiling_of
from drivemem.comparison.rows import SuiteTable
from drivemem.comparison.statistics import Interval

WIDTH = 51
"""Characters from 0 to 1: one for each fiftieth, so that quarters fall between two."""
_MOST_LABEL, _TAIL = 48, 20
"""Characters of a label, and how many of its end stay where it is longer: lesions stand there."""
_POINT, _LINE, _LOW, _HIGH, _CEILING = "●", "─", "├", "┤", "┊"


def bars(table: SuiteTable) -> list[str]:
    """A line for each row: what it is called, and where its score lies between 0 and 1.

    Nothing where there is but one row, of which a bar says no more than the number.
    """
    if len(table.rows) < 2:
        return []
    ceiling = ceiling_of(table)
    at = None if ceiling is None else _place(ceiling.share)
    room = min(max(len(row.label) for row in table.rows), _MOST_LABEL)
    lines = [f"{_cut(row.label, room)}  {bar(row.score, at)}" for row in table.rows]
    scale = f"0{table.judged.noun:^{WIDTH - 2}}1"
    told = "" if ceiling is None else f"  {_CEILING} ceiling without memory, {ceiling.fraction}"
    return [*lines, f"{' ' * room}  {scale}{told}"]


def bar(score: Interval, ceiling: int | None = None) -> str:
    """A score from 0 to 1 with its interval, if that is known.

    Args:
        score: what is drawn.
        ceiling: the character at which a bound stands.
    """
    characters = [" "] * WIDTH
    if score.known:
        low, high = _place(score.low), _place(score.high)
        characters[low : high + 1] = [_LINE] * (high + 1 - low)
        characters[low], characters[high] = _LOW, _HIGH
    if ceiling is not None and characters[ceiling] in (" ", _LINE):
        characters[ceiling] = _CEILING
    characters[_place(score.estimate)] = _POINT
    return "".join(characters)


def _place(share: float) -> int:
    return round(min(max(share, 0.0), 1.0) * (WIDTH - 1))


def _cut(label: str, room: int) -> str:
    if len(label) > room:
        label = f"{label[: room - _TAIL - 1]}…{label[-_TAIL:]}"
    return f"{label:<{room}}"
