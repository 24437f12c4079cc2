"""The end of a decision: reward, termination, truncation, outcome and metrics of one world.

Of worlds whose task is in NumPy, a decision leaves what the ego is like; `conclude` comes when the
task has said which episodes ended.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled import codes
from drivemem_envs.compiled.parallel_for import scratch_rows
from drivemem_envs.compiled.perception.sight import Sight
from drivemem_envs.compiled.records import OneWorld
from drivemem_envs.compiled.tasks import custom_tasks, facts, moment
from drivemem_envs.compiled.tasks.facts import Task
from drivemem_envs.compiled.tasks.reward import is_terminated, is_truncated, reward, reward_terms
from drivemem_envs.episode_trace import (
    EGO_SPEED,
    EpisodeTrace,
    record,
    summarize,
    summarize_collision,
)
from drivemem_envs.metrics import METRICS
from drivemem_envs.outcomes import EXIT_X, SUCCESS, first_outcome, is_stuck

Flags = NDArray[np.bool_]


class StepResult(NamedTuple):
    """What N worlds got for their last decision, and the result of episodes that it ended."""

    rewards: Floats
    """(N,)"""
    terms: Floats
    """(N, TERMS) in the order of the family's `terms`."""
    terminated: Flags
    """(N,)"""
    truncated: Flags
    """(N,)"""
    outcomes: Ints
    """(N,) codes, in the order of `outcomes.OUTCOMES`."""
    successes: Flags
    """(N,)"""
    metrics: Floats
    """(N, len(METRICS)); `at_fault` is a code of `metrics.FAULTS`."""
    facts: Floats
    """(T, FACTS) scratch."""
    boxes: Floats
    """(T, 2, 7) scratch."""
    moments: Floats
    """(N, MOMENT) what the egos are like, where the task is in NumPy."""


def make_step_result(worlds: int, threads: int, terms: int = codes.TERMS) -> StepResult:
    """Room for the results on N worlds by T threads; at least `terms` terms of the reward."""
    return StepResult(
        rewards=np.zeros(worlds),
        terms=np.zeros((worlds, max(terms, codes.TERMS))),
        terminated=np.zeros(worlds, dtype=bool),
        truncated=np.zeros(worlds, dtype=bool),
        outcomes=np.zeros(worlds, dtype=np.int64),
        successes=np.zeros(worlds, dtype=bool),
        metrics=np.zeros((worlds, len(METRICS))),
        facts=np.zeros((scratch_rows(threads), codes.FACTS)),
        boxes=np.zeros((scratch_rows(threads), 2, 7)),
        moments=np.zeros((worlds, moment.MOMENT)),
    )


@jit
def record_decision(sight: Sight, trace: EpisodeTrace, index: int, boxes: Floats) -> None:
    """Take the truth of the decision last perceived into the episode's trace."""
    count, step = sight.counts[index], sight.decisions[index] - 1
    record(
        trace, index, step, sight.actors[index][:count], sight.ids[index][:count],
        sight.speeds[index, 0], sight.report[index][:count], boxes,
    )  # fmt: skip


@jit
def finish_decision(
    one: OneWorld,
    task: Task,
    sight: Sight,
    trace: EpisodeTrace,
    action: NDArray[np.float32],
    index: int,
    scratch_row: int,
    result: StepResult,
) -> None:
    """Reward, end and, if it ended, result of a world's last decision.

    Args:
        one: the world, after the decision was simulated and perceived.
        task: what is rewarded.
        sight: what the ego perceives, with this decision.
        trace: of the episode, with this decision.
        action: (2,) what the agent chose.
        index: which world it is.
        scratch_row: the row of scratch to use.
        result: written.
    """
    known, terms = result.facts[scratch_row], result.terms[index]
    vector = task.vector
    decisions = sight.decisions[index] - 1
    task.time_s[index] += vector[codes.DECISION]
    if vector[codes.FAMILY] == codes.BATCH_TASK:
        moment.leave_moment(one, task.time_s[index], result.moments[index])
        return
    facts.find_facts(one, task, action, known)
    known[codes.TIME] = task.time_s[index]
    custom_tasks.find_facts(one, task, index, known)
    ended = is_truncated(vector, task.time_s[index], decisions)
    known[codes.SURVIVED] = 1.0 if ended and known[codes.CRASHED] == 0.0 else 0.0
    reward_terms(vector, known, terms)
    result.rewards[index] = reward(vector, known, terms)
    terminated = is_terminated(vector, known)
    late = decisions * vector[codes.DECISION] >= task.limit_s[0] - 1e-9
    result.terminated[index] = terminated
    result.truncated[index] = (ended or late) and not terminated
    if terminated or ended or late:
        _conclude(task, sight, trace, index, scratch_row, result)


@jit
def _conclude(
    task: Task,
    sight: Sight,
    trace: EpisodeTrace,
    index: int,
    scratch_row: int,
    result: StepResult,
) -> None:
    """`outcomes.outcome_of`, and the episode's metrics."""
    known, family = result.facts[scratch_row], task.vector[codes.FAMILY]
    steps, count = sight.decisions[index], sight.counts[index]
    boxes, out = result.boxes[scratch_row], result.metrics[index]
    stuck = is_stuck(trace.ego[index, :steps, EGO_SPEED])
    success = result.terminated[index] or not stuck
    wrong = False
    if family >= codes.CUSTOM:
        success, wrong = known[codes.RIGHT_GOAL] > 0.0, known[codes.WRONG_GOAL] > 0.0
    elif family in (codes.INTERSECTION, codes.EXIT, codes.PARKING):
        success = known[codes.GOAL] > 0.0
        wrong = family == codes.EXIT and not success and known[codes.X] > EXIT_X
    crashed = known[codes.CRASHED] > 0.0
    off_road = known[codes.ON_ROAD] == 0.0 and family != codes.PARKING
    violation = known[codes.VIOLATION] > 0.0
    code = first_outcome(crashed, off_road, wrong, violation, success, stuck)
    result.outcomes[index] = code
    result.successes[index] = code == SUCCESS
    decision_s = task.vector[codes.DECISION]
    summarize(trace, index, steps, decision_s, out)
    summarize_collision(
        trace, index, steps, decision_s, sight.actors[index][:count], sight.ids[index][:count],
        sight.speeds[index][:count], sight.crashed[index][:count], boxes, out,
    )  # fmt: skip


@jit
def conclude(
    task: Task,
    sight: Sight,
    trace: EpisodeTrace,
    result: StepResult,
    rows: Ints,
    endings: Flags,
    scratch_row: int,
    first: int,
    last: int,
) -> None:
    """Outcome and metrics of episodes that a task in NumPy ended.

    Args:
        task: of all worlds.
        sight: what the egos perceive.
        trace: of the episodes.
        result: written.
        rows: (R,) in which worlds episodes ended.
        endings: (R, 3) whether each succeeded, took a wrong route, broke a rule.
        scratch_row: the row of scratch to use.
        first: the first of `rows` to do.
        last: the one behind the last.
    """
    known = result.facts[scratch_row]
    for place in range(first, last):
        index = rows[place]
        known[codes.CRASHED] = result.moments[index, moment.CRASHED]
        known[codes.ON_ROAD] = result.moments[index, moment.ON_ROAD]
        known[codes.RIGHT_GOAL] = 1.0 if endings[place, 0] else 0.0
        known[codes.WRONG_GOAL] = 1.0 if endings[place, 1] else 0.0
        known[codes.VIOLATION] = 1.0 if endings[place, 2] else 0.0
        _conclude(task, sight, trace, index, scratch_row, result)
