"""One decision of many worlds: simulate, perceive, show, reward; a world is one thread's work."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Ints, jit, named
from drivemem_envs.compiled import codes
from drivemem_envs.compiled.by_pointer import by_pointer
from drivemem_envs.compiled.dynamics.spawn import clear_and_spawn
from drivemem_envs.compiled.dynamics.step import advance, world_of
from drivemem_envs.compiled.parallel_for import parallel_for, threads_of
from drivemem_envs.compiled.perception.native_observations import (
    NO_NATIVE,
    Native,
    show_native,
)
from drivemem_envs.compiled.perception.observe import View, show
from drivemem_envs.compiled.perception.sight import Sight, look
from drivemem_envs.compiled.records import Scratch, Worlds
from drivemem_envs.compiled.step_result import (
    Flags,
    StepResult,
    conclude,
    finish_decision,
    record_decision,
)
from drivemem_envs.compiled.tasks import custom_tasks
from drivemem_envs.compiled.tasks.facts import Task
from drivemem_envs.compiled.template import Template
from drivemem_envs.episode_trace import EpisodeTrace


class Batch(NamedTuple):
    """Everything that N worlds are made of."""

    worlds: Worlds
    scratch: Scratch
    sight: Sight
    shown: View
    task: Task
    trace: EpisodeTrace
    result: StepResult
    template: Template
    native: Native


def _advancing(shows_native: bool) -> Callable[..., None]:
    """The kernel that takes one decision, or perceives worlds as they are.

    Args:
        shows_native: whether it knows highway-env's own observations. drivemem's scenarios do
            without, and need not compile them.
    """

    def advance_some(
        worlds: Worlds,
        scratch: Scratch,
        sight: Sight,
        shown: View,
        task: Task,
        trace: EpisodeTrace,
        result: StepResult,
        template: Template,
        native: Native,
        rows: Ints,
        actions: NDArray[np.float32],
        acts: bool,
        scratch_row: int,
        first: int,
        last: int,
    ) -> None:
        # Lane keeping observes after acting, before it simulates.
        lags = task.vector[codes.FAMILY] == codes.KEEPING
        for place in range(first, last):
            index = rows[place]
            one = by_pointer(world_of(worlds, scratch, index, scratch_row))
            chosen = np.float32(0.0)
            if acts:
                chosen = actions[place, 0]
                actions[place, 0] = custom_tasks.before(one, task, index, actions[place])
            for phase in range(2):  # one place in the code for each half, which is compiled once
                if (phase == 1) != lags:
                    given = look(one, sight, index, scratch_row)
                    show(one, sight, shown, index, scratch_row, given)
                    if shows_native:
                        show_native(one, sight, task, native, index, scratch_row, given)
                    record_decision(sight, trace, index, result.boxes[scratch_row])
                elif acts:
                    advance(one, actions[place], one.world[0].frames, not lags)
                    custom_tasks.after(one, task, index)
            if acts:
                actions[place, 0] = chosen
                finish_decision(one, task, sight, trace, actions[place], index, scratch_row, result)
                clear_and_spawn(one, template)

    return jit(named(advance_some, "advance_and_show_native" if shows_native else "advance_some"))


_advance, _advance_and_show_native = (_advancing(shows_native) for shows_native in (False, True))


def decision_kernel(shows_native: bool) -> Callable[..., None]:
    """The kernel of `decide` and `begin`, which calls nearly all the others.

    Args:
        shows_native: whether the scenario has an observation of highway-env's own.
    """
    return _advance_and_show_native if shows_native else _advance


def _kernel(batch: Batch) -> Callable[..., None]:
    return decision_kernel(bool(batch.native.kind[0] != NO_NATIVE))


def decide(batch: Batch, rows: Ints, actions: NDArray[np.float32]) -> None:
    """Advance worlds by one decision.

    Args:
        batch: written.
        rows: (R,) which worlds.
        actions: (R, 2) index of a discrete action first, or continuous controls.
    """
    threads = threads_of(batch.scratch.known)
    parallel_for(_kernel(batch), threads, len(rows), *batch, rows, actions, True)


def begin(batch: Batch, rows: Ints) -> None:
    """Perceive worlds that were just reset, as the first decision of their episodes.

    Args:
        batch: written.
        rows: (R,) which worlds.
    """
    batch.sight.decisions[rows] = 0
    batch.task.time_s[rows] = 0.0
    nothing = np.zeros((0, 2), dtype=np.float32)
    threads = threads_of(batch.scratch.known)
    parallel_for(_kernel(batch), threads, len(rows), *batch, rows, nothing, False)


def end(batch: Batch, rows: Ints, endings: Flags) -> None:
    """Outcome and metrics of episodes that a task in NumPy ended with the last decision.

    Args:
        batch: written.
        rows: (R,) in which worlds.
        endings: (R, 3) whether each succeeded, took a wrong route, broke a rule.
    """
    parallel_for(
        conclude, threads_of(batch.scratch.known), len(rows),
        batch.task, batch.sight, batch.trace, batch.result, rows, endings,
    )  # fmt: skip
