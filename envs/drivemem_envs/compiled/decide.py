"""One decision of many worlds: simulate, perceive, show, judge; each world is one thread's work."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from drivemem_envs._jit import Ints, jit
from drivemem_envs.compiled import exit_recall, lane_keeping, tasks
from drivemem_envs.compiled.facts import Task
from drivemem_envs.compiled.judge import Verdict, judge, remember
from drivemem_envs.compiled.native import Native, show_native
from drivemem_envs.compiled.observe import View, show
from drivemem_envs.compiled.records import OneWorld, Scratch, Worlds
from drivemem_envs.compiled.sight import Sight, look
from drivemem_envs.compiled.step import advance, world_of
from drivemem_envs.compiled.tasks_metrics import EpisodeMemory


class Batch(NamedTuple):
    """Everything that N worlds are made of."""

    worlds: Worlds
    scratch: Scratch
    sight: Sight
    shown: View
    task: Task
    memory: EpisodeMemory
    verdict: Verdict
    native: Native


@jit
def _simulate(one: OneWorld, task: Task, index: int, action: NDArray[np.float32]) -> None:
    """The world's own `_simulate`; the action that it was given stays what it was."""
    if task.vector[tasks.FAMILY] != tasks.EXIT_RECALL:
        advance(one, action, one.world[0].frames, True)
        return
    hidden = task.hidden[index]
    chosen = action[0]
    action[0] = exit_recall.before(hidden, chosen)
    advance(one, action, one.world[0].frames, True)
    exit_recall.after(one, task.numbers, hidden)
    action[0] = chosen


@jit
def _see(
    one: OneWorld,
    sight: Sight,
    shown: View,
    task: Task,
    memory: EpisodeMemory,
    verdict: Verdict,
    native: Native,
    index: int,
    thread: int,
) -> None:
    """Perceive, show and remember a world as it is."""
    given = look(one, sight, index, thread)
    show(one, sight, shown, index, thread, given)
    show_native(one, sight, task, native, index, thread, given)
    remember(sight, memory, index, verdict.boxes[thread])


# numba's parallel loops take NamedTuples of arrays, but not NamedTuples of those.


@jit(parallel=True)
def _advance(
    worlds: Worlds,
    scratch: Scratch,
    sight: Sight,
    shown: View,
    task: Task,
    memory: EpisodeMemory,
    verdict: Verdict,
    native: Native,
    rows: Ints,
    actions: NDArray[np.float32],
    acts: bool,
) -> None:
    threads = scratch.known.shape[0]
    lags = task.vector[tasks.FAMILY] == tasks.KEEPING  # it observes before it simulates
    for thread in prange(threads):
        # Worlds are dealt out like cards, so that costly ones spread over the threads.
        for place in range(thread, rows.shape[0], threads):
            index = rows[place]
            one = world_of(worlds, scratch, index, thread)
            if acts and lags:
                lane_keeping.steer(one, task.numbers, task.hidden[index], actions[place])
            elif acts:
                _simulate(one, task, index, actions[place])
            _see(one, sight, shown, task, memory, verdict, native, index, thread)
            if acts and lags:
                advance(one, actions[place], one.world[0].frames, False)
            if acts:
                judge(one, task, sight, memory, actions[place], index, thread, verdict)


def decide(batch: Batch, rows: Ints, actions: NDArray[np.float32]) -> None:
    """Advance worlds by one decision.

    Args:
        batch: written.
        rows: (R,) which worlds.
        actions: (R, 2) index of a discrete action first, or continuous controls.
    """
    _advance(*batch, rows, actions, True)


def begin(batch: Batch, rows: Ints) -> None:
    """Perceive worlds that were just reset, as the first decision of their episodes.

    Args:
        batch: written.
        rows: (R,) which worlds.
    """
    batch.sight.decisions[rows] = 0
    batch.task.time_s[rows] = 0.0
    _advance(*batch, rows, np.zeros((0, 2), dtype=np.float32), False)
