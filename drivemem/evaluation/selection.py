"""Which episodes of an evaluation to record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drivemem.episodes import read_episodes
from drivemem.errors import DrivememError
from drivemem.evaluation.suites import Suite
from drivemem.runs import open_run, read_json

_DISAGREEMENTS = "disagreements:"


@dataclass(frozen=True)
class Selection:
    """Episodes to record: the first ones, perhaps only those that end in a certain way."""

    limit: int
    """How many of the suite's first episodes to watch."""
    failures: bool = False
    """Keep only those that did not succeed."""
    others: tuple[bool, ...] | None = None
    """Keep only those whose success differs from this, by number in the suite."""

    def watches(self, number: int) -> bool:
        """Whether an episode must be watched as it is driven."""
        return number < self.limit and (self.others is None or number < len(self.others))

    def keeps(self, number: int, success: bool) -> bool:
        """Whether a watched episode is kept once it has ended."""
        if not self.watches(number) or (self.failures and success):
            return False
        return self.others is None or self.others[number] != success


def select(record: str | int, suite: Suite) -> Selection:
    """Read what a user asks to record.

    Args:
        record: a number of episodes, `all`, `failures`, or `disagreements:RUN` (episodes that
            one driver ends well and the other does not).
        suite: what will be driven.

    Raises:
        DrivememError: none of these, or the other run has not driven this suite.
    """
    episodes = len(suite.seeds)
    if record in ("all", "failures"):
        return Selection(episodes, failures=record == "failures")
    if isinstance(record, str) and record.startswith(_DISAGREEMENTS):
        return Selection(episodes, others=_successes(record.removeprefix(_DISAGREEMENTS), suite))
    return Selection(min(record_number(record), episodes))


def record_number(record: str | int) -> int:
    """A number of episodes to record.

    Raises:
        DrivememError: it is none, nor another thing that `select` knows.
    """
    if record in ("all", "failures") or str(record).startswith(_DISAGREEMENTS):
        return 0
    try:
        number = int(record)
    except ValueError:
        number = -1
    if number < 0:
        raise DrivememError(
            f"record is '{record}': give a number of episodes, at least 0, or 'all', 'failures' or "
            "'disagreements:RUN'"
        )
    return number


def _successes(other: str, suite: Suite) -> tuple[bool, ...]:
    """How another run ended the episodes of a suite, its memory intact."""
    run = open_run(Path(other))
    found: list[tuple[bool, Path]] = []
    for folder in sorted((run.folder / "evaluations").glob("*")):
        if not (folder / "episodes.parquet").is_file():
            continue
        stored = read_json(folder / "suite.json")
        same = stored.get("scenario") == suite.scenario.name
        same &= stored.get("config") == suite.scenario.config
        if same and stored.get("seeds") == list(suite.seeds):
            found.append((folder.name == f"{suite.name}-intact", folder))
    if not found:
        raise DrivememError(
            f"{run.folder} has not driven these {len(suite.seeds)} episodes of "
            f"{suite.scenario.name}: `drivemem evaluate {run.folder}` with the same --episodes "
            "and --suite first"
        )
    rows = read_episodes(max(found)[1] / "episodes.parquet")
    rows.sort(key=lambda row: int(row["episode"]))
    if [row["seed"] for row in rows] != list(suite.seeds):
        raise DrivememError(f"{max(found)[1]} is incomplete: evaluate {run.folder} again")
    return tuple(bool(row["success"]) for row in rows)
