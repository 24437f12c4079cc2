"""What an agent does after a moment of an episode, and which hidden value that goes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.errors import DrivememError
from drivemem.probes.targets import Target
from drivemem.probes.traces import Traces


@dataclass(frozen=True)
class Moments:
    """One decision of each of E episodes."""

    row: NDArray[np.int64]
    """(E,) its row among the traces."""
    episode: NDArray[np.int64]
    """(E,) number in the suite."""
    step: NDArray[np.int64]
    """(E,)."""
    value: NDArray[np.float64]
    """(E,) of the target there."""


def first_moments(traces: Traces, target: Target, after_s: float) -> Moments:
    """The first decision of each episode at which a target has been hidden for so long.

    Episodes that end at that decision are left out: nothing more is done in them.

    Args:
        traces: of a suite.
        target: of these traces.
        after_s: since it was last shown, s; 0: as soon as it is hidden.
    """
    hidden = np.isfinite(target.values) & (target.age_s > 0) & (target.age_s >= after_s - 1e-9)
    last = np.append(np.diff(traces.episode) != 0, True)
    rows = np.flatnonzero(hidden)
    _, first = np.unique(traces.episode[rows], return_index=True)
    rows = rows[first]
    rows = rows[~last[rows]]
    return Moments(rows, traces.episode[rows], traces.step[rows], target.values[rows])


@dataclass(frozen=True)
class Behaviour:
    """What was done after a moment in each of E episodes."""

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
    start = np.searchsorted(traces.episode, moments.episode) + moments.step
    ends = np.searchsorted(traces.episode, moments.episode, side="right") - 1
    kinds = 0 if traces.probs is None else traces.probs.shape[1]
    speeds, features = [], []
    for first, end in zip(start, ends, strict=True):
        path = traces.hidden.ego[first : end + 1]
        took = (end - first) * traces.decision_s
        speeds.append(np.hypot(*np.diff(path[:, :2], axis=0).T).sum() / took)
        actions = [] if kinds == 0 else [np.eye(kinds)[traces.actions[first + 1 : end + 1]]]
        told = [part for one in actions for part in (one.mean(axis=0), one[-1])]
        features.append(np.concatenate([path[-1, 1:], [speeds[-1], end - first], *told]))
    return Behaviour(
        moments.episode, np.array(features, dtype=np.float32), np.array(speeds), start + 1
    )


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
