"""What a tour is made of: two agents of the zoo on the same episodes, and what memory holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from drivemem.catalogue.adding import CUT
from drivemem.catalogue.entries import Entry, Stated, catalogue, driven
from drivemem.comparison.collect import bare
from drivemem.episodes import read_table
from drivemem.errors import DrivememError, did_you_mean
from drivemem.lesions import INTACT
from drivemem.replays.load import EpisodeRow, Recording
from drivemem.replays.page import paired
from drivemem.schemas import PROBES
from drivemem.tables import Table


@dataclass(frozen=True)
class Material:
    """One scenario: who drives without memory, who with, and everybody else of the zoo."""

    scenario: str
    without: Entry
    with_memory: Entry
    entries: tuple[Entry, ...]

    @property
    def stated(self) -> tuple[Stated, Stated, Stated]:
        """How the three drivers of the page did: without memory, with it, with it cut."""
        own = self.with_memory.stated
        return self.without.stated[INTACT], own[INTACT], own[CUT]

    @property
    def gap(self) -> float:
        """By how much success with memory is above that without, intervals apart."""
        without, with_memory, _ = self.stated
        return with_memory.success.low - without.success.high

    @cached_property
    def recordings(self) -> tuple[Recording, Recording, Recording]:
        """Of the three drivers."""
        places = [(self.without, INTACT), (self.with_memory, INTACT), (self.with_memory, CUT)]
        first, second, third = (Recording(one.result("recordings", cut)) for one, cut in places)
        return first, second, third

    @cached_property
    def episodes(self) -> list[list[EpisodeRow]]:
        """Episodes that the three drivers have in common."""
        return paired(*self.recordings)

    @property
    def telling(self) -> int:
        """The number of the episode that shows best what memory is for."""

        def rank(rows: list[EpisodeRow]) -> int:
            without, with_memory, cut = (row.success for row in rows)
            return 4 * with_memory + 2 * (not without) + (not cut)

        return max(self.episodes, key=rank)[0].episode

    @property
    def scores(self) -> list[dict[str, Any]]:
        """How well probes read from memory what is hidden, a row each (`PROBES`)."""
        file = self.with_memory.result("probes") / "scores.parquet"
        return read_table(file, PROBES["scores"]) if file.is_file() else []

    def table(self) -> Table:
        """How all of the scenario's agents drove."""
        return driven(self.entries)


def material(scenario: str | None = None) -> Material:
    """What there is to show of a scenario.

    Args:
        scenario: its name; None: the one where memory shows best.

    Raises:
        DrivememError: the zoo has recorded nothing of it; the message says of what it has.
    """
    known = tours()
    if scenario is None and known:
        return max(known.values(), key=lambda one: one.gap)
    wanted = "" if scenario is None else bare(scenario)
    if wanted not in known:
        raise DrivememError(
            f"there is no tour of '{scenario}'{did_you_mean(wanted, known)} (there are: "
            f"{', '.join(known)})"
        )
    return known[wanted]


def tours() -> dict[str, Material]:
    """By scenario, where an agent with memory and one without recorded episodes."""
    by_scenario: dict[str, list[Entry]] = {}
    for one in catalogue():
        by_scenario.setdefault(bare(one.config.scenario), []).append(one)
    found = {}
    for scenario, entries in by_scenario.items():
        recorded = [one for one in entries if one.result("recordings").is_dir()]
        cut = [one for one in recorded if one.result("recordings", CUT).is_dir()]
        plain = [one for one in recorded if one not in cut]
        if plain and cut:
            found[scenario] = Material(scenario, plain[0], cut[0], tuple(entries))
    return found
