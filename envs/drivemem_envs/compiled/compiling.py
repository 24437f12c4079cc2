"""Compiling what a scenario needs ahead of its first episode, and telling how far that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import event

from drivemem_envs._jit import is_cached
from drivemem_envs.compiled.batch import CompiledWorlds
from drivemem_envs.compiled.decision import decision_kernel
from drivemem_envs.compiled.families import reset_of
from drivemem_envs.compiled.records import META_ACTION
from drivemem_envs.compiled.scenes.dispatch import reset_kernel
from drivemem_envs.scenario_spec import Scenario

_DECISION, _RESET = 250, 60
"""About how many functions these kernels call, themselves included."""


class _Told(event.Listener):  # type: ignore[misc]
    """Counts the functions that numba has translated."""

    def __init__(self, total: int, tell: Callable[[float], None]) -> None:
        self.done, self.total, self.tell = 0, total, tell

    def on_start(self, event: Any) -> None:
        """Wait for its end."""

    def on_end(self, event: Any) -> None:
        """Tell the share that is done: it was measured once, and may differ."""
        self.done += 1
        self.tell(min(self.done / self.total, 1.0))


def missing_kernels(scenario: Scenario) -> int:
    """About how many functions must be compiled before episodes of a scenario; 0: none."""
    if numba.config.DISABLE_JIT:
        return 0
    shows_native = scenario.observation.native is not None
    missing = 0 if is_cached(decision_kernel(shows_native)) else _DECISION
    reset = reset_of(scenario)
    if not isinstance(reset, str) and not is_cached(reset_kernel(reset.code)):
        missing += _RESET
    return missing


def compile_kernels(scenario: Scenario, tell: Callable[[float], None]) -> None:
    """Compile what episodes of a scenario need, if it was not yet; takes half a minute at most.

    Args:
        scenario: one that the compiled backend runs.
        tell: called with the share that is done, rising to 1.
    """
    missing = missing_kernels(scenario)
    if not missing:
        return
    listener = _Told(missing, tell)
    event.register("numba:compile", listener)
    try:
        worlds = CompiledWorlds(scenario, 1, 1)
        worlds.reset(np.arange(1), [0])
        if worlds.batch.worlds.world[0].action == META_ACTION:
            worlds.action_masks()
        worlds.close()
    finally:
        event.unregister("numba:compile", listener)
    tell(1.0)
