"""The most that drivers without memory can reach, where a scenario proves it."""

from __future__ import annotations

from typing import Any, NamedTuple

from drivemem.comparison.drawing import INK
from drivemem.comparison.rows import SuiteTable
from drivemem_envs import registry


class Ceiling(NamedTuple):
    """A bound on the success of drivers without memory."""

    share: float
    """Of episodes."""
    fraction: str
    """The same, such as `1/3`."""
    reason: str
    """Why they can reach no more."""

    @property
    def words(self) -> str:
        """What the dotted line in a figure is."""
        return f"Dotted: the most that a driver without memory can reach, {self.fraction}."


def ceiling_of(table: SuiteTable) -> Ceiling | None:
    """The bound that a suite's scenario proves; None where it proves none, or was changed."""
    if table.variant or table.scenario not in registry.scenario_names():
        return None
    found = registry.scenario(table.scenario)
    if found.ceiling_success is None:
        return None
    return Ceiling(found.ceiling_success, found.proven_ceiling, found.ceiling)


def draw_ceiling(table: SuiteTable, line: Any) -> str:
    """Draw a suite's ceiling if it has one.

    Args:
        table: the suite's.
        line: `axvline` of a figure's axes where success runs to the right, else `axhline`.

    Returns:
        A sentence for the caption, with a space before it; nothing where there is no ceiling.
    """
    ceiling = ceiling_of(table)
    if ceiling is None:
        return ""
    line(ceiling.share, color=INK, linewidth=1.0, linestyle=":")
    return f" {ceiling.words}"
