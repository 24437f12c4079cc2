"""What a picture of an episode is about: the actors that matter, and the ground they need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem.replays.load import Trace

NEAR_M = 60.0
"""Actors that go out of sight farther away than this matter to nobody."""
REACH_M = 100.0
"""As far from the ego as an actor that matters is kept in the picture, m."""
MOST = 3
"""With more actors out of sight than this, the nearest stands for all."""
LONG_M = 7.5
"""Longer cars are called trucks, m."""


class Box(NamedTuple):
    """A rectangle of ground, m."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def is_wide(self) -> bool:
        """Whether the way is so long and straight that pictures go above each other."""
        width, height = self.right - self.left, self.bottom - self.top
        return width > 60.0 and width > 4.0 * height


def contact(trace: Trace) -> int | None:
    """Id of the actor that the ego hit: the nearest one that crashed, else the nearest."""
    truth = trace.decisions[-1]
    others = np.flatnonzero((truth["id"] != 0) & (truth["kind"] != 2))
    if not len(others):
        return None
    order = np.lexsort((distances(truth)[others], ~truth["crashed"][others].astype(bool)))
    nearest = int(others[order[0]])
    reach = float(truth["length"][0] + truth["length"][nearest])
    return int(truth["id"][nearest]) if distances(truth)[nearest] <= reach else None


def focus(traces: Sequence[Trace]) -> tuple[int, ...]:
    """Ids of the actors that the episode of one or two drivers is about.

    Those that somebody hits; else those that are lost from sight nearby.
    """
    hit = [contact(trace) for trace in traces if trace.row.outcome == "collision"]
    found = sorted({actor for actor in hit if actor is not None})
    if found:
        return tuple(found)
    nearest: dict[int, float] = {}
    for trace in traces:
        for truth in trace.decisions:
            apart = distances(truth)
            lost = ~truth["perceived"].astype(bool) & np.isfinite(truth["age_s"])
            for row in np.flatnonzero(lost & (truth["kind"] == 0) & (apart <= NEAR_M)):
                actor = int(truth["id"][row])
                nearest[actor] = min(nearest.get(actor, np.inf), float(apart[row]))
    order = sorted(nearest, key=lambda actor: nearest[actor])
    return tuple(sorted(order)) if len(order) <= MOST else tuple(order[:1])


def box(traces: Sequence[Trace], actors: Sequence[int]) -> Box:
    """The ground that shows the whole way of each driver, and what matters until it is nearest."""
    places: list[NDArray[np.float64]] = []
    for trace in traces:
        for actor in (0, *actors):
            column = trace.actors
            rows = np.flatnonzero(column["id"] == actor)
            spots = np.stack([column["x"][rows], column["y"][rows]], axis=1)
            if actor != 0 and len(rows):
                me = np.flatnonzero(column["id"] == 0)[column["step"][rows]]
                apart = np.hypot(*(spots - np.stack([column["x"][me], column["y"][me]], axis=1)).T)
                soon = np.arange(len(rows)) <= np.argmin(apart)
                spots = spots[soon & (apart <= REACH_M)]
            places.append(spots)
    points = np.concatenate(places)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return Box(float(left), float(top), float(right), float(bottom))


def name_of(trace: Trace, actor: int) -> str:
    """What to call an actor."""
    rows = np.flatnonzero(trace.actors["id"] == actor)
    if not len(rows) or trace.actors["kind"][rows[0]] != 0:
        return "an obstacle"
    kind = "truck" if trace.actors["length"][rows[0]] > LONG_M else "car"
    return f"{kind} {actor}"


def distances(truth: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """(A,) m from the ego, the first row."""
    apart: NDArray[np.float64] = np.hypot(truth["x"] - truth["x"][0], truth["y"] - truth["y"][0])
    return apart
