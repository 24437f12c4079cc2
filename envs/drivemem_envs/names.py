"""Names of scenarios: the suite, its levels, how they sort. Reading them imports nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

LEVELS = ("easy", "medium", "hard")
"""Levels of every scenario of the suite; a name without a level means the first."""

SUITE = (
    "exit-recall", "hidden-crossing", "yield-recall", "truck-overtake", "blind-merge",
    "signal-recall", "limit-recall", "occluded-intersection", "blackout-highway",
    "hidden-velocity-highway", "occluded-roundabout", "delayed-highway", "range-only-highway",
    "camera-highway", "camera-exit", "glare-exit", "glare-highway", "missed-exit",
    "two-way-trucks", "crossing-traffic",
    "route-instructions", "changing-limits", "driver-types",
)  # fmt: skip
"""drivemem's own scenarios. Each has a module with a constant for each level: EASY, …"""


class UnknownScenarioError(ValueError):
    """A name that no scenario has."""


def near_miss(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'idm'?` with the nearest of the names, or nothing if none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def by_level(name: str) -> tuple[str, int, str]:
    """A key that sorts names of scenarios, each one's levels together: stem, level, name.

    A name without a level means the first; names that nobody registered sort by themselves.
    """
    stem = re.sub(r"(-twin)?(-v\d+)?$", "", name)
    level = next((level for level in LEVELS if stem.endswith(f"-{level}")), LEVELS[0])
    return stem.removesuffix(f"-{level}"), LEVELS.index(level), name
