"""What a run is made into drives too: it is judged by what comes of its own actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.evaluation.drivers import Decision
from drivemem.explaining.machine import BEGIN, Machine
from drivemem.probes.traces import flat_rows


class MachineDriver:
    """A finite-state machine that drives."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def begin(self, env: Any) -> None:
        """All worlds begin."""
        self._states = np.full(env.num_envs, BEGIN)

    def decide(
        self, observation: Any, starts: NDArray[np.bool_], masks: NDArray[np.bool_] | None
    ) -> Decision:
        """One step of the machine in every world."""
        before = np.where(starts, BEGIN, self._states)
        self._states = self._machine.follow(before, flat_rows(observation))
        return Decision(self._machine.act(self._states, masks))


class RuleDriver:
    """A rule that maps observations to actions, and remembers nothing.

    Args:
        often: how often each action goes with an observation: (N, D) to (N, n).
    """

    def __init__(self, often: Callable[[NDArray[np.float32]], NDArray[np.float64]]) -> None:
        self._often = often

    def begin(self, env: Any) -> None:
        """Nothing is carried."""

    def decide(
        self, observation: Any, starts: NDArray[np.bool_], masks: NDArray[np.bool_] | None
    ) -> Decision:
        """The rule's likeliest action of those available."""
        often = self._often(flat_rows(observation))
        if masks is not None:
            often = np.where(masks, often, -1.0)
        return Decision(often.argmax(axis=1))
