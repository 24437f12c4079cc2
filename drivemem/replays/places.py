"""Which place on the road a cue named, at every decision: exits, a junction's branches, lanes.

The world says which lanes its cue names (`CueMeaning.junctions`); what was shown and where the ego
was is recorded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.replays.captions import signs
from drivemem.replays.load import Trace
from drivemem.replays.simulate import told_by

Place = tuple[int, int]
"""Number of a junction and of a name."""


def pack_places(network: Any, trace: Trace) -> dict[str, Any] | None:
    """The lanes of every junction by their number on the road; None where names are no places.

    Args:
        network: highway-env's road network of the episode.
        trace: what was recorded.
    """
    meaning = told_by(trace.row).meaning
    if not meaning.junctions:
        return None
    indices = [
        (start, end, number)
        for start, ends in network.graph.items()
        for end, lanes in ends.items()
        for number in range(len(lanes))
    ]
    rows = {index: row for row, index in enumerate(indices)}
    return {
        "names": list(meaning.names),
        "lanes": [[rows[lane] for lane in lanes] for lanes in meaning.junctions],
    }


def named_places(network: Any, trace: Trace) -> list[list[Place]]:
    """What the last cue named, at decisions 0, 1, …; [] before any was shown.

    A cue that goes on being shown names the junction that was next when it was first shown. One
    name alone holds at all times.

    Args:
        network: highway-env's road network of the episode.
        trace: what was recorded.
    """
    meaning, count = told_by(trace.row).meaning, len(trace.decisions)
    if not meaning.junctions:
        return [[] for _ in range(count)]
    if len(meaning.names) == 1:
        return [[(junction, 0) for junction in range(len(meaning.junctions))]] * count
    passed = _passed(network, trace)
    named: list[list[Place]] = []
    place: list[Place] = []
    before: tuple[int, ...] = ()
    shown = signs(trace)
    for step in range(count):
        numbers = meaning.numbers(shown[step].values) if step < len(shown) else ()
        if numbers and numbers != before:
            first = 0 if len(numbers) == len(meaning.junctions) else int(passed[step])
            place = [(first + k, number) for k, number in enumerate(numbers)]
        before = numbers
        named.append(place)
    return named


def _passed(network: Any, trace: Trace) -> NDArray[np.int64]:
    """How many junctions the ego has reached at each decision (T,), but for the last."""
    junctions = told_by(trace.row).meaning.junctions
    places = [np.array([truth["x"][0], truth["y"][0]]) for truth in trace.decisions]
    reached = np.array(
        [
            [any(network.get_lane(lane).on_lane(place) for lane in lanes) for place in places]
            for lanes in junctions[:-1]
        ],
        dtype=bool,
    ).reshape(len(junctions) - 1, len(places))
    return np.asarray(np.logical_or.accumulate(reached, axis=1).sum(axis=0), dtype=np.int64)
