"""One decision of many worlds: simulate, perceive, show, judge; each world is one thread's work."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Ints, jit
from drivemem_envs.compiled import exit_recall, lane_keeping, tasks
from drivemem_envs.compiled.facts import Task
from drivemem_envs.compiled.judge import Verdict, judge, remember
from drivemem_envs.compiled.native import Native, show_native
from drivemem_envs.compiled.observe import View, show
from drivemem_envs.compiled.records import OneWorld, Scratch, Worlds
from drivemem_envs.compiled.sight import Sight, look
from drivemem_envs.compiled.spawn import clear_and_spawn
from drivemem_envs.compiled.step import advance, world_of
from drivemem_envs.compiled.tasks_metrics import EpisodeMemory
from drivemem_envs.compiled.templates import Template
from drivemem_envs.compiled.threads import share


class Batch(NamedTuple):
    """Everything that N worlds are made of."""

    worlds: Worlds
    scratch: Scratch
    sight: Sight
    shown: View
    task: Task
    memory: EpisodeMemory
    verdict: Verdict
    template: Template
    native: Native


@jit
def _before(one: OneWorld, task: Task, index: int, action: NDArray[np.float32]) -> float:
    """What a world of its own does before it simulates; returns the choice that is simulated."""
    family = task.vector[tasks.FAMILY]
    if family == tasks.EXIT_RECALL:
        return exit_recall.before(task.hidden[index], action[0])
    if family == tasks.KEEPING:
        lane_keeping.steer(one, task.numbers, task.hidden[index], action)
    return float(action[0])


@jit(inner=True, inline="always")
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


@jit
def _advance(
    worlds: Worlds,
    scratch: Scratch,
    sight: Sight,
    shown: View,
    task: Task,
    memory: EpisodeMemory,
    verdict: Verdict,
    template: Template,
    native: Native,
    rows: Ints,
    actions: NDArray[np.float32],
    acts: bool,
    thread: int,
    threads: int,
) -> None:
    family = task.vector[tasks.FAMILY]
    lags = family == tasks.KEEPING  # it observes after acting, before it simulates
    # Worlds are dealt out like cards, so that costly ones spread over the threads.
    for place in range(thread, rows.shape[0], threads):
        index = rows[place]
        one = world_of(worlds, scratch, index, thread)
        chosen = np.float32(0.0)
        if acts:
            chosen = actions[place, 0]
            actions[place, 0] = _before(one, task, index, actions[place])
        for phase in range(2):  # one place in the code for each half, which is compiled once
            if (phase == 1) != lags:
                _see(one, sight, shown, task, memory, verdict, native, index, thread)
            elif acts:
                advance(one, actions[place], one.world[0].frames, not lags)
                if family == tasks.EXIT_RECALL:
                    exit_recall.after(one, task.numbers, task.hidden[index])
        if acts:
            actions[place, 0] = chosen
            judge(one, task, sight, memory, actions[place], index, thread, verdict)
            clear_and_spawn(one, template)


def decide(batch: Batch, rows: Ints, actions: NDArray[np.float32]) -> None:
    """Advance worlds by one decision.

    Args:
        batch: written.
        rows: (R,) which worlds.
        actions: (R, 2) index of a discrete action first, or continuous controls.
    """
    share(_advance, batch.scratch.known.shape[0], *batch, rows, actions, True)


def begin(batch: Batch, rows: Ints) -> None:
    """Perceive worlds that were just reset, as the first decision of their episodes.

    Args:
        batch: written.
        rows: (R,) which worlds.
    """
    batch.sight.decisions[rows] = 0
    batch.task.time_s[rows] = 0.0
    nothing = np.zeros((0, 2), dtype=np.float32)
    share(_advance, batch.scratch.known.shape[0], *batch, rows, nothing, False)
