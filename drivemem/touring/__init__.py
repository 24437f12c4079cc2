"""A minute without training: a page that shows what memory does, from what the zoo recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drivemem.runs import RUNS
from drivemem.tables import Shown, Table
from drivemem.touring.material import Material, material
from drivemem.touring.page import page_text

__all__ = ["Tour", "tour"]


@dataclass(frozen=True)
class Tour(Shown):
    """A page, and what it shows."""

    page: Path
    material: Material

    def as_tables(self) -> list[Table]:
        """How the scenario's agents of the zoo drove."""
        return [self.material.table()]


def tour(scenario: str | None = None, out: str | Path | None = None) -> Tour:
    """Write a page that shows one scenario with memory, without, and with its memory cut.

    Nothing is driven: episodes and figures are those that the zoo keeps.

    Args:
        scenario: one of which the zoo has recorded episodes; None: where memory shows best.
        out: the page; default `runs/tour/<scenario>.html`.

    Raises:
        DrivememError: the zoo shows no such scenario, or the page cannot be written.
    """
    from drivemem.replays.page import save

    found = material(scenario)
    page = RUNS / "tour" / f"{found.scenario}.html" if out is None else Path(out)
    return Tour(save(page_text(found), page), found)
