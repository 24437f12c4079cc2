"""What comparison tables hold: rows, differences between them, notes; every fact is a field."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from drivemem.comparison.baseline import MEMORYLESS, Baseline, is_only_for_measuring
from drivemem.comparison.collect import StoredEvaluation
from drivemem.comparison.statistics import MIN_RUNS, Interval
from drivemem.lesions import INTACT, LesionInfo, lesion_info, split_dose

KINDS = {
    "upper bound": "upper bound: nothing hidden",
    "agent": "agents",
    "submitted": "agents submitted from elsewhere: what they are is what their submissions say",
    "sampled": "the same agents, actions drawn in place of the most likely",
    "lesion": "the same agents with memory cut",
    "reference": "reference drivers, not trained",
}
"""Kinds of rows in the order of tables, and what a table calls them."""
OTHER = ("timeout", "stuck", "wrong_route", "violation", "off_road")
"""Outcomes that tables sum up as one."""


class Judged(StrEnum):
    """The column of episodes by which drivers are judged: on time, where the scenario says when."""

    SUCCESS = "success"
    ON_TIME = "on_time"

    @property
    def noun(self) -> str:
        """Success, or on time."""
        return self.value.replace("_", " ")

    @property
    def verb(self) -> str:
        """What so many of the episodes do."""
        return "succeed" if self is Judged.SUCCESS else "are on time"


class About(StrEnum):
    """What a note for the reader is about."""

    GAP = "gap"
    BASELINE = "baseline"
    UNLIKE = "unlike"
    TRACKER = "tracker"
    FEW_RUNS = "few runs"
    FRONT = "front"
    SUBMITTED = "submitted"


@dataclass(frozen=True)
class Note:
    """Something that the reader of a table must know."""

    about: About
    text: str


class Call(StrEnum):
    """What a difference allows to say."""

    BETTER = "significantly better"
    WORSE = "significantly worse"
    UNSHOWN = "no difference shown"
    TOO_FEW = "too few runs to call"


@dataclass(frozen=True)
class Difference:
    """Score of one row less that of another on the same episodes."""

    estimate: float
    interval: Interval
    p: float
    """Of the test over runs; of single runs, over their episodes."""
    runs: int
    """Of the trained side with fewer."""
    single: bool
    """Whether both sides are single runs, of whose other runs nothing is known."""
    adjusted: float
    """p, corrected for the number of comparisons."""

    @property
    def call(self) -> Call:
        """What it allows to say; both the interval and the test must agree."""
        if self.runs < MIN_RUNS:
            return Call.TOO_FEW
        if self.adjusted < 0.05 and self.interval.low > 0:
            return Call.BETTER
        if self.adjusted < 0.05 and self.interval.high < 0:
            return Call.WORSE
        return Call.UNSHOWN

    @property
    def words(self) -> str:
        """The difference, and what it allows to say: the one place that puts it into words."""
        if self.single:
            return (
                f"{self.estimate:+z.3f} on the same episodes (McNemar {p_words(self.adjusted)}; "
                "single runs)"
            )
        extent = f"{self.estimate:+z.3f} [{self.interval.low:+z.3f}, {self.interval.high:+z.3f}]"
        if self.call is Call.TOO_FEW:
            runs = f"{self.runs} run{'s' if self.runs > 1 else ''}"
            return f"{extent}: {runs}: too few to call (at least {MIN_RUNS})"
        unsure = self.call is Call.UNSHOWN and self.adjusted < 0.05
        but = " over runs, but the interval holds 0" if unsure else ""
        return f"{extent}: {self.call} ({p_words(self.adjusted)}{but})"


def p_words(p: float) -> str:
    """A p-value for readers: below 1e-4 the tests' assumptions, not the data, make the digits."""
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


@dataclass
class Row:
    """One agent or reference driver on one suite."""

    label: str
    kind: str
    """One of `KINDS`."""
    intact: str
    """Label of the row of the same agent with nothing cut: its own where nothing is."""
    driver: str
    """Name of the memory, or of the reference driver."""
    lesion: str
    """What was cut, such as `span:4`; `intact` if nothing."""
    tracker: str
    runs: int
    episodes: int
    success: Interval
    collision: float
    other: float
    mean_return: float
    mean_speed: float
    outcomes: dict[str, float]
    members: list[StoredEvaluation]
    metrics: dict[str, float | None]
    judged: Judged
    """What its score is."""
    score: Interval
    """Share of episodes that succeed or are on time, by which it is compared with others."""
    travel_s: Interval | None
    """How long successful episodes take, s; None where none succeeded."""
    middle: Interval | None = None
    """Interquartile mean of success over runs; None below four runs, where it is the mean."""
    gap_closed: Interval | None = None
    improvement: Interval | None = None
    """Probability that a run's score is above that of one of the baseline."""
    apart: str = ""
    """Why it is not compared with the baseline, such as `3,000 decisions, not 100,000`."""
    versus: Difference | None = None
    """Against the baseline."""
    versus_intact: Difference | None = None
    """A lesion against the same runs without it."""

    @property
    def scores(self) -> list[NDArray[np.float64]]:
        """By run, whether each episode succeeded or was on time."""
        return [one.column(self.judged) for one in self.members]

    @property
    def on_time(self) -> Interval | None:
        """Share of episodes on time; None where the scenario states no speed."""
        return self.score if self.judged is Judged.ON_TIME else None

    @property
    def is_trained(self) -> bool:
        """Whether it is an agent as it was trained: nothing cut, nothing drawn."""
        return self.kind in ("agent", "submitted", "upper bound")

    @property
    def cut(self) -> LesionInfo | None:
        """What is registered of its lesion; None if it has none, or one unknown here."""
        return lesion_info(self.lesion)

    @property
    def dose(self) -> float | None:
        """How much was cut; None if nothing was, or the lesion is not one of doses."""
        if self.lesion == INTACT or self.cut is None or not self.cut.axis:
            return None
        return split_dose(self.lesion)[1]


@dataclass
class SuiteTable:
    """All rows of one suite."""

    scenario: str
    suite_hash: str
    episodes: int
    rows: list[Row]
    notes: list[Note]
    baseline: Baseline
    """Whom others are compared with, as it was asked for."""
    gap: Interval | None = None
    """Occlusion gap: the score with full sensors less the baseline's."""
    headroom: Interval | None = None
    """Recall headroom: the baseline's score behind perfect recall less that without."""
    unseen: Interval | None = None
    """Unseen gap: the score with full sensors less that behind perfect recall."""
    top: Row | None = None
    """The row against which shares of the gap are taken; None: there are none."""
    base: Row | None = None
    """The row that this is here; None if there is none."""
    chosen: str = ""
    """Why it is this one."""
    variant: str = ""
    """What tells this suite from others of the scenario, such as `cue_window_s=2.0`."""
    labels: tuple[str, ...] = ()
    """Of the agents of all suites that are shown with it, so that each is drawn alike in all."""

    @property
    def title(self) -> str:
        """The scenario, and what tells this suite from others of it."""
        return f"{self.scenario}, {self.variant}" if self.variant else self.scenario

    @property
    def judged(self) -> Judged:
        """By what its rows are compared."""
        return self.rows[0].judged

    @property
    def judged_title(self) -> str:
        """The title, with what scores are where that is not success."""
        return self.title + ("" if self.judged is Judged.SUCCESS else f" ({self.judged.noun})")

    @property
    def times_differ(self) -> bool:
        """Whether some drivers reach the goal sooner than others, by more than a hundredth."""
        times = [row.travel_s.estimate for row in self.rows if row.travel_s is not None]
        return bool(times) and max(times) - min(times) > 0.01 * max(times)

    def note(self, about: About, text: str) -> None:
        """Add a note for the reader."""
        self.notes.append(Note(about, text))

    def is_baseline(self, row: Row) -> bool:
        """Whether a row is the baseline, or an agent of its memory, behind a tracker or not."""
        if self.baseline.kind == "memory":
            ours = row.is_trained and row.kind != "submitted"
            return ours and row.driver == self.baseline.value
        return row is self.base

    def is_engineered(self, row: Row) -> bool:
        """Whether a tracker remembers for it, and it learned to remember nothing itself."""
        memory = self.baseline.value if self.baseline.kind == "memory" else MEMORYLESS
        if is_only_for_measuring(row.tracker):
            return False
        return row.tracker != "none" and (row.kind == "reference" or row.driver == memory)

    def rivals(self) -> list[Row]:
        """Agents that may be compared with the baseline: no variants of it, such as a tracker's."""
        return [
            row
            for row in self.rows
            if row.kind == "agent"
            and not row.apart
            and not self.is_baseline(row)
            and not is_only_for_measuring(row.tracker)
        ]

    def best(self) -> Row | None:
        """The rival with the highest score; None if there is none."""
        return max(self.rivals(), key=lambda row: row.score.estimate, default=None)

    def headline(self) -> str:
        """The comparison in one sentence."""
        base, best = self.base, self.best()
        if base is None:
            return f"{self.title}: no {self.baseline.noun} to compare with."
        if best is None:
            return f"{self.title}: no agent to compare with {base.label}."
        memoryless = base.driver == MEMORYLESS
        having = f"with memory ({best.label})" if memoryless else f"with {best.label}"
        lacking = "without" if memoryless else f"with {base.label}"
        sentence = (
            f"{self.title}: {having} {best.score.estimate:.0%} of episodes {self.judged.verb}, "
            f"{lacking} {base.score.estimate:.0%}"
        )
        if best.gap_closed is not None and best.gap_closed.known:
            measured = self.top is not None and self.top.kind == "agent"
            top = "perfect recall" if measured else "full sensors"
            sentence += f", which closes {best.gap_closed.estimate:.0%} of the gap to {top}"
        sentence += self._cut(best)
        runs = f"{best.runs} training run{'s' if best.runs > 1 else ''}"
        if base.kind != "reference":
            with_it = " with memory" if memoryless else f" of {best.label}"
            without = "without" if memoryless else f"of {base.label}"
            runs += " each" if best.runs == base.runs else f"{with_it}, {base.runs} {without}"
        count = len(self.rivals())
        of = "agents with memory" if memoryless else "agents"
        chosen = f"the best of {count} {of}; " if count > 1 else ""
        return f"{sentence} ({chosen}{runs})."

    def _cut(self, best: Row) -> str:
        """What cutting its working memory does to an agent, in words."""
        cut = [row for row in self.rows if row.kind == "lesion" and row.intact == best.label]
        cut = [row for row in cut if row.cut is not None and row.cut.part != "weights"]
        if not cut:
            return ""
        # Of all cuts the plainest is told: no memory at all; else the one that costs most.
        told = min(cut, key=lambda row: (row.lesion != "reset_every:1", row.score.estimate))
        return f"; the same agent under {told.lesion} {told.score.estimate:.0%}"
