"""What the episodes of one scenario have in common: what resets and spawning start from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem_envs.compiled import records
from drivemem_envs.compiled.codes import NO_RESET
from drivemem_envs.compiled.records import Records

EGO, OTHER = range(2)
"""Rows of the prototypes."""


class Template(NamedTuple):
    """One scenario, as kernels take it; the same types for every family."""

    reset: int
    """By which `dispatch` chooses: the code of a `families.Reset`, or NO_RESET."""
    spawns: bool
    """Whether traffic comes and goes after each decision (intersection)."""
    prototypes: Records
    """(2,) ACTOR: the ego and one of the traffic, as their classes make them; (V,) where every car
    is of its own kind (worlds with a single decision)."""
    objects: Records
    """(O,) ACTOR: obstacles and landmarks."""
    routes: NDArray[np.int16]
    """(D, L, R, 2) the route to each destination from each lane."""
    route_steps: NDArray[np.int16]
    """(D, L)"""
    params: NDArray[np.float64]
    """(P,) the reset's parameters; see its module."""
    spawning: NDArray[np.float64]
    """(SPAWNING,) parameters of spawning; see `spawn`."""
    lane_rows: NDArray[np.int64]
    """(Q,) rows of the lanes that the reset names; see its module."""


def empty_template() -> Template:
    """A template without reset and spawning."""
    return Template(
        NO_RESET,
        False,
        np.zeros(2, records.ACTOR),
        np.zeros(0, records.ACTOR),
        np.zeros((1, 1, 1, 2), np.int16),
        np.zeros((1, 1), np.int16),
        np.zeros(1),
        np.zeros(1),
        np.zeros(1, np.int64),
    )
