"""Copies of compiled worlds, driven ahead: what would come of actions, without taking them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem_envs.compiled.batch import CompiledWorlds
from drivemem_envs.scenario_spec import ObservationSpec
from drivemem_envs.sensing.spec import Sensors

# Not from `_jit`: what imports that is taken for a source of kernels.
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GOES_ON = -1
"""In place of an outcome: the episode has not ended."""
_AT_ONCE = 256
"""Copies driven at once: few enough to stay in a processor's cache from decision to decision."""
_OF_A_WORLD = ("world", "actors", "routes", "drivers", "speeds", "streams")
"""Of `Worlds`, what each world has of its own; roads are the scenario's."""


class Forecast(NamedTuple):
    """What would come of R sequences of H actions."""

    rewards: Floats
    """(R, H) of each decision; 0 after the end of the episode."""
    decisions: Ints
    """(R,) decisions until the episode ends, or H."""
    outcomes: Ints
    """(R,) codes in the order of `outcomes.OUTCOMES`, or GOES_ON."""


class WorldCopies:
    """Room for copies of worlds, which are driven in their place.

    Everything that the future depends on is copied, random streams too, so that a forecast is what
    happens if its actions are taken. The copies perceive without limits and show nothing.

    Args:
        worlds: those that are copied; they are only read.
    """

    def __init__(self, worlds: CompiledWorlds) -> None:
        self._worlds = worlds
        scenario = worlds.scenario.model_copy(
            update={"sensors": Sensors(), "observation": ObservationSpec(vehicles_count=2)}
        )
        threads = worlds.threads
        self._copies = CompiledWorlds(scenario, _AT_ONCE * threads, threads)

    @property
    def seeds(self) -> Ints:
        """A number for each world's running episode (N,), which follows from its seed."""
        return self._worlds.batch.sight.seeds.copy()

    @property
    def decisions(self) -> Ints:
        """Decisions taken in each world's running episode (N,)."""
        return self._worlds.batch.sight.decisions - 1

    def forecast(self, worlds: Ints, actions: NDArray[Any]) -> Forecast:
        """What would come of sequences of actions.

        Args:
            worlds: in which world each of them begins, as it is now (R,).
            actions: as that world takes them (R, H, ...).
        """
        count, horizon = actions.shape[:2]
        found = Forecast(
            np.zeros((count, horizon)), np.full(count, horizon), np.full(count, GOES_ON)
        )
        for first in range(0, count, self._copies.count):
            part = slice(first, first + self._copies.count)
            self._copy(worlds[part])
            self._drive(actions[part], found, first)
        return found

    def close(self) -> None:
        """Close the live world behind the copies."""
        self._copies.close()

    def _copy(self, worlds: Ints) -> None:
        """Make the first copies those of some worlds (R,)."""
        there = self._worlds.batch
        decisions = there.trace.ego.shape[1]
        while self._copies.batch.trace.ego.shape[1] < decisions:  # of an episode without an end
            self._copies.make_room()
        here, rows = self._copies.batch, slice(len(worlds))
        for name in _OF_A_WORLD:
            getattr(here.worlds, name)[rows] = getattr(there.worlds, name)[worlds]
        here.task.task_state[rows] = there.task.task_state[worlds]
        here.task.time_s[rows] = there.task.time_s[worlds]
        # Whether an ego is stuck shows over time.
        here.trace.ego[rows, :decisions] = there.trace.ego[worlds]
        here.sight.decisions[rows] = there.sight.decisions[worlds]
        here.sight.status[rows] = 0  # of another world's tracks
        if self._copies.tasks and self._worlds.tasks:
            self._copies.tasks.take(rows, self._worlds.tasks, worlds)

    def _drive(self, actions: NDArray[Any], found: Forecast, first: int) -> None:
        """Take actions (R, H, ...) in the first copies; what comes of them is written.

        Args:
            actions: of these copies.
            found: of all sequences, written.
            first: the place of these among them.
        """
        result, going = self._copies.batch.result, np.arange(len(actions))
        for step in range(actions.shape[1]):
            self._copies.step_some(going, actions[going, step])
            found.rewards[first + going, step] = result.rewards[going]
            ends = result.terminated[going] | result.truncated[going]
            ended, going = going[ends], going[~ends]
            found.decisions[first + ended] = step + 1
            found.outcomes[first + ended] = result.outcomes[ended]
            if not len(going):
                return
