"""Whether who has its memory edited does what it does when it is told so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivemem.probes.behaviour import Moments, spans
from drivemem.probes.traces import Traces

APART_M = 2.0
"""Paths that are never farther apart than half a lane are one act."""

Path = NDArray[np.float64]


@dataclass(frozen=True)
class Contrast:
    """What is done after each of E moments as it is, and where the cue told another value.

    Args:
        plain: of the suite, driven as it is.
        retold: of the same, told the value that edits shall bring about.
        moments: when edits are made.
    """

    plain: Traces
    retold: Traces
    moments: Moments

    @property
    def differs(self) -> NDArray[np.bool_]:
        """(E,) whether being told another value changes where the ego goes."""
        drives = (paths_after(one, self.moments) for one in (self.plain, self.retold))
        return np.array([len(_apart(*pair)) > 0 for pair in zip(*drives, strict=True)])

    def follows(self, traces: Traces) -> NDArray[np.bool_]:
        """(E,) whether a drive goes where it goes when told so.

        At the last decision at which the two are apart, and which this drive has too, it is nearer
        to where it is when told so. Who is told is ahead: an edit comes when the cue is gone.

        Args:
            traces: of the same suite, with memory edited or not.
        """
        drives = (paths_after(one, self.moments) for one in (self.plain, self.retold, traces))
        return np.array([_is_nearer(*paths) for paths in zip(*drives, strict=True)])


def paths_after(traces: Traces, moments: Moments) -> list[Path]:
    """Where the ego was at the decisions after each of E moments, (n, 2) m, as long as it counts.

    Args:
        traces: of a suite.
        moments: when; a path is empty where the episode, or what was told, was over by then.
    """
    return [
        traces.hidden.ego[span.start : span.path_end if span.start < span.end else span.start, :2]
        for span in spans(traces, moments)
    ]


def _is_nearer(own: Path, told: Path, path: Path) -> bool:
    """Whether a path is nearer to the one when told than to its own, the last time they differ."""
    decisions = _apart(own[: len(path)], told)
    if not len(decisions):
        return False
    here = decisions[-1]
    to_told, to_own = (np.hypot(*(path[here] - one[here])) for one in (told, own))
    return bool(to_told < to_own)


def _apart(first: Path, second: Path) -> NDArray[np.int64]:
    """The decisions, of those that both paths have, at which they are more than `APART_M` apart."""
    both = min(len(first), len(second))
    return np.flatnonzero(np.hypot(*(first[:both] - second[:both]).T) > APART_M)
