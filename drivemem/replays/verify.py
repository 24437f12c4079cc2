"""Whether driving an episode again gives what was recorded; if not, where it first differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np

from drivemem.episodes import Digest
from drivemem.replays.load import Trace
from drivemem.replays.simulate import truths

COMPARED = (
    "kind", "x", "y", "heading", "speed", "length", "width", "crashed", "visible_fraction",
    "perceived", "age_s",
)  # fmt: skip
TOLERANCE = 1e-6
"""Differences above this are named, in each column's unit."""


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    `identical`: every bit is as recorded. `agrees`: nothing differs by more than `TOLERANCE`.
    """

    run: str
    episode: int
    backend: str
    identical: bool
    agrees: bool
    recorded_on_it: bool
    """Whether the episode was recorded on this backend."""
    step: int | None = None
    """First decision that differs."""
    actor: int | None = None
    """Id of the first actor that differs there; None: a different set of actors."""
    column: str | None = None
    recorded: float | None = None
    simulated: float | None = None
    exact: bool = False
    """Whether NumPy's vector code and BLAS's fused multiply-add were off; else as they are here."""

    @property
    def where(self) -> str:
        """The backend, and its arithmetic where that is not this process's."""
        return f"{self.backend} backend" + (" in exact arithmetic" if self.exact else "")

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.run}, episode {self.episode}, {self.where}: {self.words}"

    @property
    def words(self) -> str:
        """What was found, for people."""
        if self.identical:
            return "identical, bit for bit"
        if self.agrees:
            return f"equal to within {TOLERANCE:g}, but not bit for bit"
        if self.actor is None:
            return f"differs first at step {self.step}: {self.column}"
        name = "the ego" if self.actor == 0 else f"actor {self.actor}"
        return (
            f"differs first at step {self.step}, {name}: {self.column} was recorded as "
            f"{self.recorded:.6g}, simulated as {self.simulated:.6g}"
        )


def summary(found: Sequence[Verification]) -> str:
    """What was found over all episodes, in one line: counts for each backend and arithmetic."""
    by_place: dict[str, list[Verification]] = {}
    for one in found:
        place = f"{one.where}, which recorded" if one.recorded_on_it else one.where
        by_place.setdefault(place, []).append(one)
    parts = []
    for place, of_place in by_place.items():
        identical = sum(one.identical for one in of_place)
        near = sum(one.agrees for one in of_place) - identical
        counts = {
            "bit for bit": identical, f"equal to within {TOLERANCE:g}": near,
            "different": len(of_place) - identical - near,
        }  # fmt: skip
        said = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
        parts.append(f"{place}: {said}")
    episodes = len({(one.run, one.episode) for one in found})
    return f"{episodes} episode{'s' * (episodes != 1)} driven again; {'; '.join(parts)}"


def verify(trace: Trace, backend: str | None = None) -> Verification:
    """Drive an episode again and compare.

    Args:
        trace: what was recorded.
        backend: what simulates; None: what recorded it.

    Raises:
        DrivememError: the scenario cannot be simulated here.
    """
    row = trace.row
    backend = backend or row.backend
    found = partial(Verification, row.run, row.episode, backend)
    own, digest = backend == row.backend, Digest()
    difference: Verification | None = None
    for step, (recorded, simulated) in enumerate(
        zip_longest(trace.decisions, truths(trace, backend))
    ):
        if simulated is not None:
            digest.add(simulated)
        told = None if difference is not None else _difference(recorded, simulated)
        if told is not None:
            difference = found(False, False, own, step, **told)
    return difference or found(digest.hexdigest() == row.digest, True, own)


def _difference(recorded: Any, simulated: Any) -> dict[str, Any] | None:
    """What differs first at one decision: fields of `Verification`; None if nothing does."""
    if recorded is None or simulated is None:
        ends = "the recording ends" if recorded is None else "the simulation ends"
        return {"column": ends}
    rows = {int(actor): row for row, actor in enumerate(recorded["id"])}
    for row, actor in enumerate(int(number) for number in simulated["id"]):
        if actor not in rows:
            return {"column": f"actor {actor} was not recorded"}
        for name in COMPARED:
            was, now = float(recorded[name][rows[actor]]), float(simulated[name][row])
            if was != now and not abs(was - now) <= TOLERANCE * max(1.0, abs(now)):
                return {"actor": actor, "column": name, "recorded": was, "simulated": now}
    missing = np.setdiff1d(recorded["id"], simulated["id"])
    if len(missing):
        return {"column": f"actor {int(missing[0])} was recorded but is not there"}
    return None
