"""What the zoo states of its agents: who they are, how they were trained, how they drove."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from drivemem import zoo
from drivemem.comparison.collect import bare
from drivemem.comparison.formats import interval_text
from drivemem.comparison.statistics import Interval, wilson
from drivemem.config import TrainConfig
from drivemem.distillation.teachers import described
from drivemem.episodes import read_episodes
from drivemem.lesions import INTACT, folder_name
from drivemem.runs import Run
from drivemem.tables import Shown, Table

SUITE = "test"
"""Whose episodes the zoo's agents are judged by."""


@dataclass(frozen=True)
class Stated:
    """How episodes of the test suite ended that an agent drove when it was added."""

    lesion: str
    successes: int
    collisions: int
    episodes: int

    @property
    def success(self) -> Interval:
        """Share of successes with Wilson's 95 % interval over episodes."""
        return wilson(self.successes, self.episodes)

    @property
    def collision(self) -> float:
        """Share of collisions."""
        return self.collisions / self.episodes


@dataclass(frozen=True)
class Entry(Shown):
    """An agent of the zoo, in the package's own folder."""

    name: str
    run: Run

    @property
    def place(self) -> str:
        """What commands take for it."""
        return zoo.PREFIX + self.name

    @cached_property
    def config(self) -> TrainConfig:
        """How it was trained."""
        return self.run.config()

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What else it depends on."""
        return self.run.manifest()

    @property
    def agent(self) -> str:
        """Its memory and what it sees, in a few words."""
        return described(self.config)

    @property
    def size(self) -> int:
        """Of its weights and their description, bytes."""
        return sum(file.stat().st_size for file in self.run.model.iterdir())

    @cached_property
    def stated(self) -> dict[str, Stated]:
        """How it drove, by lesion, intact first."""
        found: dict[str, Stated] = {}
        for file in sorted((self.run.folder / "evaluations").glob(f"{SUITE}-*/episodes.parquet")):
            rows = read_episodes(file)
            lesion = str(rows[0]["lesion"])
            successes, collisions = (
                sum(bool(row[key]) for row in rows) for key in ("success", "collision")
            )
            found[lesion] = Stated(lesion, successes, collisions, len(rows))
        return found

    @property
    def is_of_today(self) -> bool:
        """Whether its scenario is still the one that it was trained and evaluated in."""
        return bool(self.config.changed_scenario().hash() == self.manifest.get("scenario_hash"))

    @property
    def command(self) -> str:
        """What trains it anew, at the git revision of the manifest."""
        return shlex.join(self.manifest["command"])

    def result(self, kind: str, lesion: str = INTACT) -> Path:
        """Where its evaluations, recordings or probes of the suite are, if it has them."""
        return self.run.folder / kind / f"{SUITE}-{folder_name(lesion)}"

    def as_tables(self) -> list[Table]:
        """Where it comes from, and how it drove."""
        versions = self.manifest.get("versions", {})
        facts = {
            "agent": self.agent,
            "scenario": bare(self.config.scenario),
            "scenario hash": f"{self.manifest.get('scenario_hash', '')[:16]} "
            + ("(today's)" if self.is_of_today else "(another version than today's)"),
            "trained by": self.command,
            "seed": str(self.config.seed),
            "decisions": f"{self.manifest.get('steps', self.config.steps):,}",
            "written": str(self.manifest.get("written")),
            "git revision": str(self.manifest.get("git"))[:12],
            "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
            "parameters": f"{self.manifest.get('parameters', 0):,}",
            "memory state": f"{self.manifest.get('memory_state_bytes', 0):,} bytes",
            "files": self.run.folder.as_posix(),
        }
        return [
            Table(("", ""), list(facts.items()), title=self.place, records=[facts]),
            _driven([self], f"{self.place}: how it drove"),
        ]


class Catalogue(list[Entry], Shown):
    """Several agents of the zoo."""

    def as_tables(self) -> list[Table]:
        """A row each."""
        records = [_record(one) for one in self]
        rows = [
            (
                one["name"], one["scenario"], one["agent"], f"{one['size'] / 1e3:.0f} kB",
                interval_text(entry.stated[INTACT].success), str(one["episodes"]),
            )
            for one, entry in zip(records, self, strict=True)
        ]  # fmt: skip
        columns = ("name", "scenario", "memory", "size", "success [95 %]", "episodes")
        return [Table(columns, rows, title="trained agents", records=records)]


def entry(name: str | Path) -> Entry:
    """An agent of the zoo.

    Args:
        name: `SCENARIO/AGENT`, with or without `zoo:`.

    Raises:
        DrivememError: there is none of this name.
    """
    known = zoo.named(name)
    return Entry(known, Run(zoo.agents()[known]))


def catalogue() -> Catalogue:
    """All agents of the zoo."""
    return Catalogue(Entry(name, Run(folder)) for name, folder in zoo.agents().items())


def driven(entries: Iterable[Entry]) -> Table:
    """How agents drove, and how they did with a lesion: a row each."""
    return _driven(list(entries), "")


def _driven(entries: list[Entry], title: str) -> Table:
    stated = [(one, found) for one in entries for found in one.stated.values()]
    columns = ("agent", "lesion", "success [95 %]", "collision", "episodes")
    rows = [
        (
            one.agent, found.lesion, interval_text(found.success), f"{found.collision:z.3f}",
            str(found.episodes),
        )
        for one, found in stated
    ]  # fmt: skip
    return Table(columns, rows, title=title, records=[_figures(*pair) for pair in stated])


def _figures(one: Entry, found: Stated) -> dict[str, Any]:
    success = found.success
    return {
        "name": one.place, "lesion": found.lesion, "success": success.estimate,
        "success_low": success.low, "success_high": success.high, "collision": found.collision,
        "episodes": found.episodes,
    }  # fmt: skip


def _record(one: Entry) -> dict[str, Any]:
    about = {"scenario": bare(one.config.scenario), "agent": one.agent, "size": one.size}
    return {**_figures(one, one.stated[INTACT]), **about}
