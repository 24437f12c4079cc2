"""What each gate asks, and whether what arms reached passes it: arithmetic alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from drivemem.comparison.rows import Judged
from drivemem.comparison.statistics import Floats, Interval, bootstrap_function, wilson

ORACLE_LEAST = 0.95
LEARNABLE_WITHIN = 0.03
"""By how much a run with full sensors may stay below the oracle."""
SPREAD_MOST = 0.05
"""Between its best run and its worst."""
HEADROOM_LEAST = 0.15
TIME_LEAST = 0.15
"""Share of the travel time that perfect recall must save where it adds no headroom."""
EQUAL_SAFETY = 0.02
"""Two agents are equally safe if one collides in at most so many more of its episodes."""
LEFT_LEAST = 1 / 3
"""Of the headroom, what a shortcut must leave."""
_ROUNDING = 1e-9

ORACLE, FULL, NONE, RECALL = "oracle", "full", "none", "perfect_recall"
TAUGHT = "none_taught"
"""Arms that gates know by name: all others are shortcuts."""
SHORTCUTS = "shortcuts"
"""Stands for all of those."""


@dataclass(frozen=True)
class Arm:
    """What one agent or driver reached, a number for each of its n training runs."""

    name: str
    scores: tuple[float, ...]
    """Share of episodes that succeed, or are on time."""
    collisions: tuple[float, ...]
    """Share of episodes that end in a collision."""
    times: tuple[float, ...]
    """Travel time in any unit; nan where no episode of the run succeeded."""
    episodes: int
    """Of each run."""

    @property
    def score(self) -> float:
        """Mean over runs."""
        return float(np.mean(self.scores))

    @property
    def collision(self) -> float:
        """Mean over runs."""
        return float(np.mean(self.collisions))


class Verdict(StrEnum):
    """What came of a gate."""

    PASS = "pass"
    FAIL = "fail"
    NOT_RUN = "not run"


class Finding(NamedTuple):
    """What a gate found."""

    verdict: Verdict
    words: str
    """The figures behind it, in words."""
    figures: dict[str, Interval]
    """The same by name."""


Arms = Mapping[str, Arm]


@dataclass(frozen=True)
class Gate:
    """One gate."""

    name: str
    asks: str
    needs: tuple[str, ...]
    """Arms that it compares."""
    judge: Callable[[Arms, Judged], Finding]


def judge_oracle(arms: Arms, judged: Judged) -> Finding:
    """Whether the driver that is told the truth does the task."""
    oracle = arms[ORACLE]
    score = wilson(round(oracle.score * oracle.episodes), oracle.episodes)
    words = f"{oracle.name}: {judged.noun} {score.estimate:.3f} [{score.low:.3f}, {score.high:.3f}]"
    fine = score.estimate >= ORACLE_LEAST - _ROUNDING
    return Finding(_passes(fine), words, {ORACLE: score})


def judge_learnable(arms: Arms, judged: Judged) -> Finding:
    """Whether every run with full sensors comes near the oracle, and all near each other."""
    scores = arms[FULL].scores
    oracle = arms.get(ORACLE)
    aim = ORACLE_LEAST if oracle is None else oracle.score
    near = [score for score in scores if score >= aim - LEARNABLE_WITHIN - _ROUNDING]
    spread = max(scores) - min(scores)
    whose = "the least of an oracle, for none drove" if oracle is None else f"that of {oracle.name}"
    words = (
        f"{len(near)} of {len(scores)} runs within {LEARNABLE_WITHIN:g} of {aim:.3f}, {whose}: "
        f"{judged.noun} {' '.join(f'{score:.3f}' for score in scores)}; spread {spread:.3f}"
    )
    fine = len(near) == len(scores) and spread <= SPREAD_MOST + _ROUNDING
    figures = {"full_worst": _alone(min(scores)), "aim": _alone(aim), "spread": _alone(spread)}
    return Finding(_passes(fine), words, figures)


def judge_headroom(arms: Arms, judged: Judged) -> Finding:
    """Whether remembering what was perceived could give enough: score, or time at equal safety."""
    none = memoryless(arms)
    gain, saved = _gain(arms[RECALL], none), _saved(arms[RECALL], none)
    by = headroom_by(arms)
    safe = _is_as_safe(arms[RECALL], none)
    time = "no travel times to compare, for some runs never succeed,"
    if not math.isnan(saved.estimate):
        time = f"travel time saved {_extent(saved)}"
    words = (
        f"{judged.noun} {arms[RECALL].score:.3f} against {none.score:.3f} of {none.name}: "
        f"{_extent(gain)}; {time} at collisions of "
        f"{arms[RECALL].collision:.3f} against {none.collision:.3f}"
        f"{'' if safe else ' (not as safe)'}"
    )
    if by is not None:
        words += f"; passes by {judged.noun if by is _gain else 'travel time'}"
    unsure = [
        one for one, least in ((gain, HEADROOM_LEAST), (saved, TIME_LEAST))
        if one.estimate >= least and not _is_sure(one)
    ]  # fmt: skip
    if by is None and unsure:
        words += "; large enough, but not surely above 0: give more seeds"
    return Finding(_passes(by is not None), words, {"headroom": gain, "time_saved": saved})


def judge_shortcuts(arms: Arms, judged: Judged) -> Finding:
    """Whether frame stack and trackers leave enough of the headroom for memory to close."""
    by = headroom_by(arms) or _gain
    none = memoryless(arms)
    top = by(arms[RECALL], none).estimate
    if not top > 0:
        return Finding(Verdict.NOT_RUN, "there is no headroom of which they could leave a part", {})
    figures = {}
    for name in shortcuts(arms):
        if by is _saved and not _is_as_safe(arms[name], none):
            figures[name] = _alone(0.0)  # who saves time by crashing has found no shortcut
        else:
            figures[name] = _share(arms[name], arms[RECALL], none, by)
    most = 1 - LEFT_LEAST
    words = ", ".join(f"{name} {one.estimate:.2f}{_limits(one)}" for name, one in figures.items())
    fine = all(one.estimate <= most + _ROUNDING for one in figures.values())
    of = judged.noun if by is _gain else "travel time"
    return Finding(
        _passes(fine), f"share of the headroom in {of} that each closes: {words}", figures
    )


GATES = (
    Gate(
        "oracle", f"a driver that is told the truth reaches {ORACLE_LEAST:g}", (ORACLE,),
        judge_oracle,
    ),
    Gate(
        "learnable",
        f"every memoryless run with full sensors comes within {LEARNABLE_WITHIN:g} of the oracle, "
        f"all within {SPREAD_MOST:g} of each other",
        (ORACLE, FULL),
        judge_learnable,
    ),
    Gate(
        "headroom",
        f"perfect recall adds {HEADROOM_LEAST:g}, or saves {TIME_LEAST:.0%} of the travel time at "
        f"equal safety (at most {EQUAL_SAFETY:g} more collisions), against the better of two "
        "agents without memory, one of which it teaches",
        (NONE, RECALL, TAUGHT),
        judge_headroom,
    ),
    Gate(
        "shortcuts",
        "a frame stack and every tracker that a car could have leave a third of the headroom",
        (NONE, RECALL, TAUGHT, SHORTCUTS),
        judge_shortcuts,
    ),
)  # fmt: skip
"""In the order in which they are tried."""


def shortcuts(arms: Arms) -> list[str]:
    """Arms that remember without having learned to."""
    return [name for name in arms if name not in (ORACLE, FULL, NONE, RECALL, TAUGHT)]


def memoryless(arms: Arms) -> Arm:
    """The better of the agents without memory: trained alone, or taught by the one that recalls.

    What an agent does not find out by itself is no matter of memory: trained alone some give up
    what would pay, such as overtaking, and leave a headroom that teaching closes.
    """
    return max((arms[name] for name in (NONE, TAUGHT) if name in arms), key=lambda arm: arm.score)


def headroom_by(arms: Arms) -> Callable[[Arm, Arm], Interval] | None:
    """In what perfect recall is enough better than nothing; None: in nothing."""
    recall, none = arms[RECALL], memoryless(arms)
    gain, saved = _gain(recall, none), _saved(recall, none)
    if gain.estimate >= HEADROOM_LEAST - _ROUNDING and _is_sure(gain):
        return _gain
    enough = saved.estimate >= TIME_LEAST - _ROUNDING and _is_sure(saved)
    return _saved if enough and _is_as_safe(recall, none) else None


def _gain(one: Arm, other: Arm) -> Interval:
    """Score of one less that of the other."""
    return _over_runs([one.scores, other.scores], lambda a, b: a - b)


def _saved(one: Arm, other: Arm) -> Interval:
    """Share of the other's travel time that one saves."""
    return _over_runs([one.times, other.times], lambda a, b: 1.0 - a / b)


def _share(one: Arm, top: Arm, base: Arm, by: Callable[[Arm, Arm], Interval]) -> Interval:
    """Share of the headroom that one closes."""
    if by is _saved:
        return _over_runs(
            [one.times, top.times, base.times], lambda x, a, b: (1 - x / b) / (1 - a / b)
        )
    return _over_runs([one.scores, top.scores, base.scores], lambda x, a, b: (x - b) / (a - b))


def _over_runs(groups: list[tuple[float, ...]], function: Callable[..., Floats]) -> Interval:
    """A function of means over runs, with its interval; nan where a run has no value."""
    if not np.isfinite([value for group in groups for value in group]).all():
        return Interval(math.nan, -math.inf, math.inf)
    runs = [np.array(group)[:, None] for group in groups]
    return bootstrap_function(runs, np.random.default_rng(0), function)


def _is_as_safe(one: Arm, other: Arm) -> bool:
    return one.collision <= other.collision + EQUAL_SAFETY + _ROUNDING


def _is_sure(interval: Interval) -> bool:
    """Whether it is above 0; of single runs, which have no interval, nothing more is known."""
    return not interval.known or interval.low > 0


def _passes(fine: bool) -> Verdict:
    return Verdict.PASS if fine else Verdict.FAIL


def _alone(value: float) -> Interval:
    return Interval(value, -math.inf, math.inf)


def _extent(interval: Interval) -> str:
    return f"{interval.estimate:+z.3f}{_limits(interval)}"


def _limits(interval: Interval) -> str:
    return f" [{interval.low:+z.3f}, {interval.high:+z.3f}]" if interval.known else ""
