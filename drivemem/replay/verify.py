"""Whether driving an episode again gives what was recorded; if not, where it first differs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from drivemem.episodes import Digest
from drivemem.replay.load import Trace
from drivemem.replay.simulate import truths

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

    episode: int
    backend: str
    identical: bool
    agrees: bool
    step: int | None = None
    """First decision that differs."""
    actor: int | None = None
    """Id of the first actor that differs there; None: a different set of actors."""
    column: str | None = None
    recorded: float | None = None
    simulated: float | None = None

    def __str__(self) -> str:
        """One line for people."""
        head = f"episode {self.episode} on {self.backend}: "
        if self.identical:
            return head + "identical, bit for bit"
        if self.agrees:
            return head + f"equal to within {TOLERANCE:g}, but not bit for bit"
        if self.actor is None:
            return head + f"differs first at step {self.step}: {self.column}"
        name = "the ego" if self.actor == 0 else f"actor {self.actor}"
        return head + (
            f"differs first at step {self.step}, {name}: {self.column} was recorded as "
            f"{self.recorded:.6g}, simulated as {self.simulated:.6g}"
        )


def verify(trace: Trace, backend: str | None = None) -> Verification:
    """Drive an episode again and compare.

    Args:
        trace: what was recorded.
        backend: what simulates; None: what recorded it.

    Raises:
        DrivememError: the scenario cannot be simulated here.
    """
    backend = backend or trace.row.backend
    digest = Digest()
    difference: Verification | None = None
    for step, (recorded, simulated) in enumerate(
        zip_longest(trace.decisions, truths(trace, backend))
    ):
        if simulated is not None:
            digest.add(simulated)
        if difference is None:
            difference = _compare(trace.row.episode, backend, step, recorded, simulated)
    identical = digest.hexdigest() == trace.row.digest and difference is None
    return difference or Verification(trace.row.episode, backend, identical, agrees=True)


def _compare(
    episode: int, backend: str, step: int, recorded: Any, simulated: Any
) -> Verification | None:
    def differs(column: str, actor: int | None = None, *values: float) -> Verification:
        return Verification(episode, backend, False, False, step, actor, column, *values)

    if recorded is None or simulated is None:
        return differs("the recording ends" if recorded is None else "the simulation ends")
    ids = {int(actor): row for row, actor in enumerate(recorded["id"])}
    for row, actor in enumerate(int(number) for number in simulated["id"]):
        if actor not in ids:
            return differs(f"actor {actor} was not recorded")
        for name in COMPARED:
            was, now = float(recorded[name][ids[actor]]), float(simulated[name][row])
            if was != now and not abs(was - now) <= TOLERANCE * max(1.0, abs(now)):
                return differs(name, actor, was, now)
    missing = np.setdiff1d(recorded["id"], simulated["id"])
    if len(missing):
        return differs(f"actor {int(missing[0])} was recorded but is not there")
    return None
