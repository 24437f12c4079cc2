"""Results of driving suites."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drivemem.evaluation.drivers import Identity
from drivemem.evaluation.suites import Suite
from drivemem.tables import Shown, Table

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("run", "lesion", "backend", "success", "collision", "other", "return", "speed m/s")


@dataclass
class Evaluation(Shown):
    """The result of one driver on one suite."""

    folder: Path
    identity: Identity
    suite: Suite
    backend: str
    rows: list[dict[str, Any]]
    recording: Path | None = None
    reused: bool = False
    """Driven before, by the same agent on the same episodes; nothing was driven anew."""
    stored: bool = True
    """Whether the folder holds these episodes: not where they were only watched, or recorded
    while an evaluation of more was kept."""

    @property
    def outcomes(self) -> Counter[str]:
        """How often each outcome came."""
        return Counter(row["outcome"] for row in self.rows)

    def rate(self, outcome: str) -> float:
        """Share of episodes with an outcome."""
        return self.outcomes[outcome] / len(self.rows)

    def mean(self, column: str) -> float:
        """Mean of a column over the episodes where it is defined."""
        values = np.array([row[column] for row in self.rows], dtype=np.float64)
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

    @property
    def title(self) -> str:
        """What was driven."""
        suite = self.suite
        return f"{suite.scenario.name}, suite {suite.name} ({len(self.rows)} episodes)"

    def figures(self) -> dict[str, Any]:
        """What the episodes came to."""
        success, collision = self.rate("success"), self.rate("collision")
        judged = self.suite.scenario.on_time_mps is not None
        return {
            "scenario": self.suite.scenario.name, "suite": self.suite.name,
            "episodes": len(self.rows), "run": self.identity.run,
            "driver": self.identity.driver, "lesion": self.identity.lesion,
            "backend": self.backend, "success": success, "collision": collision,
            "other": 1.0 - success - collision, "return": self.mean("return"),
            "mean_speed": self.mean("mean_speed"),
            **({"on_time": self.mean("on_time")} if judged else {}),
        }  # fmt: skip

    def as_tables(self) -> list[Table]:
        """One row."""
        return [_table([self])]

    def to_pandas(self) -> pd.DataFrame:
        """The episodes, a row each."""
        import pandas as pd

        return pd.DataFrame(self.rows)


class Evaluations(list[Evaluation], Shown):
    """Several evaluations, such as of one run with several lesions."""

    @property
    def summary(self) -> str:
        """All of it in one line."""
        episodes, kept = sum(len(one.rows) for one in self), sum(one.reused for one in self)
        number = f"{len(self)} evaluation{'s' * (len(self) != 1)}, {episodes} episodes"
        return number + (f"; {kept} of {len(self)} driven before" if kept else "")

    def as_tables(self) -> list[Table]:
        """A table for each suite, a row for each evaluation."""
        groups: dict[str, list[Evaluation]] = {}
        for one in self:
            groups.setdefault(one.title, []).append(one)
        return [_table(group) for group in groups.values()]

    def to_pandas(self) -> pd.DataFrame:
        """The episodes of all, a row each; `run` and `lesion` tell them apart."""
        import pandas as pd

        return pd.DataFrame([row for one in self for row in one.rows])


def _table(group: list[Evaluation]) -> Table:
    """Evaluations of one suite."""
    records = [one.figures() for one in group]
    rows = [
        (
            one["run"], one["lesion"], one["backend"], f"{one['success']:z.3f}",
            f"{one['collision']:z.3f}", f"{one['other']:z.3f}", f"{one['return']:z.3f}",
            f"{one['mean_speed']:.1f}",
            *([f"{one['on_time']:z.3f}"] if "on_time" in one else []),
        )
        for one in records
    ]  # fmt: skip
    columns = (*_COLUMNS, *(["on time"] if "on_time" in records[0] else []))
    return Table(columns, rows, title=group[0].title, records=records)
