"""What an agent does after a moment of an episode, and which hidden value that goes with.

What is told again counts until the next telling: what is done after that goes by another fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem.errors import DrivememError
from drivemem.probes.targets import Target
from drivemem.probes.traces import Traces


@dataclass(frozen=True)
class Moments:
    """E decisions, each of an episode, or of the time between two tellings of one."""

    row: NDArray[np.int64]
    """(E,) its row among the traces."""
    episode: NDArray[np.int64]
    """(E,) number in the suite."""
    step: NDArray[np.int64]
    """(E,)."""
    value: NDArray[np.float64]
    """(E,) of the target there."""
    telling: NDArray[np.int64] | None = None
    """(E,) how often it had been told by then; None: no cue tells it."""

    def one_each(self, generator: np.random.Generator) -> Moments:
        """One of the moments of each episode, drawn at random."""
        order = generator.permutation(len(self.episode))
        _, first = np.unique(self.episode[order], return_index=True)
        kept = np.sort(order[first])
        told = None if self.telling is None else self.telling[kept]
        return Moments(self.row[kept], self.episode[kept], self.step[kept], self.value[kept], told)


def first_moments(traces: Traces, target: Target, after_s: float) -> Moments:
    """The first decision of each episode at which a target has been hidden for so long.

    Of what a cue tells, the first after each telling. Left out are decisions after which no other
    is made in the episode, or before it is told again.

    Args:
        traces: of a suite.
        target: of these traces.
        after_s: since it was last shown, s; 0: as soon as it is hidden.
    """
    hidden = np.isfinite(target.values) & (target.age_s > 0) & (target.age_s >= after_s - 1e-9)
    parts = [traces.episode] if target.telling is None else [traces.episode, target.telling]
    keys = np.stack(parts, axis=1)
    last = np.append((np.diff(keys, axis=0) != 0).any(axis=1), True)
    rows = np.flatnonzero(hidden)
    _, first = np.unique(keys[rows], axis=0, return_index=True)
    rows = rows[first]
    rows = rows[~last[rows]]
    told = None if target.telling is None else target.telling[rows]
    return Moments(rows, traces.episode[rows], traces.step[rows], target.values[rows], told)


class Span(NamedTuple):
    """Rows of one episode that count after a moment."""

    start: int
    """Of the moment; at or beyond `end` where the episode, or what was told, was over by then."""
    end: int
    """Behind the last decision before it is told again, or the episode's last."""
    path_end: int
    """Behind the row at which is seen where those decisions led."""


def spans(traces: Traces, moments: Moments) -> list[Span]:
    """What counts after each of E moments.

    Args:
        traces: of the suite, perhaps of another drive than the moments, alike up to them.
        moments: when.
    """
    found = []
    begins = np.searchsorted(traces.episode, moments.episode)
    overs = np.searchsorted(traces.episode, moments.episode, side="right")
    for number, (begin, over) in enumerate(zip(begins.tolist(), overs.tolist(), strict=True)):
        end = over
        if moments.telling is not None and traces.telling is not None:
            told = traces.telling[begin:over]  # rises through an episode
            end = begin + int(np.searchsorted(told, moments.telling[number], side="right"))
        found.append(Span(begin + int(moments.step[number]), end, min(end + 1, over)))
    return found


@dataclass(frozen=True)
class Behaviour:
    """What was done after each of E moments, as long as it counts."""

    episode: NDArray[np.int64]
    features: NDArray[np.float32]
    """(E, F): the ego's last y and heading, mean speed, decisions taken, and where actions are
    discrete, the share of each and which was the last."""
    mean_speed: NDArray[np.float64]
    """(E,) m/s."""
    next_row: NDArray[np.int64]
    """(E,) the row of the next decision."""


def behaviour_after(traces: Traces, moments: Moments) -> Behaviour:
    """What was done after a moment of each episode.

    Args:
        traces: of the suite, perhaps of another drive than the moments, alike up to them.
        moments: when.
    """
    kinds = 0 if traces.probs is None else traces.probs.shape[1]
    speeds, features = [], []
    following = []
    for first, end, path_end in spans(traces, moments):
        path = traces.hidden.ego[first:path_end]
        took = (len(path) - 1) * traces.decision_s
        speeds.append(np.hypot(*np.diff(path[:, :2], axis=0).T).sum() / took)
        actions = [] if kinds == 0 else [np.eye(kinds)[traces.actions[first + 1 : end]]]
        told = [part for one in actions for part in (one.mean(axis=0), one[-1])]
        features.append(np.concatenate([path[-1, 1:], [speeds[-1], len(path) - 1], *told]))
        following.append(first + 1)
    return Behaviour(
        moments.episode, np.array(features, dtype=np.float32), np.array(speeds),
        np.array(following, dtype=np.int64),
    )  # fmt: skip


_LEAF = 5
"""Episodes that a leaf of the tree holds at least."""


def kinds_told(did: Behaviour, kinds: NDArray[np.float64]) -> Any:
    """A decision tree that tells from what was done which kind an episode is of.

    Args:
        did: in E episodes.
        kinds: (E,) of them.

    Raises:
        DrivememError: fewer than two kinds, or too few episodes of one.
    """
    from sklearn.tree import DecisionTreeClassifier

    found, counts = np.unique(kinds, return_counts=True)
    if len(found) < 2 or counts.min() < _LEAF:
        told = ", ".join(f"{count} of {kind:g}" for kind, count in zip(found, counts, strict=True))
        raise DrivememError(
            f"behaviour cannot be told apart: of the episodes that go on then {told or 0}; "
            f"it takes {_LEAF} of two kinds each: give more --episodes or less --edit-after"
        )
    tree = DecisionTreeClassifier(min_samples_leaf=_LEAF, class_weight="balanced", random_state=0)
    return tree.fit(did.features, kinds)
