"""The end of a decision: reward, termination, truncation, outcome and metrics of one world."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled.parallel_for import rooms
from drivemem_envs.compiled.perception.sight import Sight
from drivemem_envs.compiled.records import OneWorld
from drivemem_envs.compiled.tasks import custom_tasks as own
from drivemem_envs.compiled.tasks import facts
from drivemem_envs.compiled.tasks import reward as tasks
from drivemem_envs.compiled.tasks.facts import Task
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


class Verdict(NamedTuple):
    """What N worlds got for their last decision, and the result of episodes that it ended."""

    rewards: Floats
    """(N,)"""
    terms: Floats
    """(N, TERMS) in the order of `tasks.TERM_NAMES`."""
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


def make_verdict(worlds: int, threads: int) -> Verdict:
    """Room for the verdicts on N worlds by T threads."""
    return Verdict(
        rewards=np.zeros(worlds),
        terms=np.zeros((worlds, tasks.TERMS)),
        terminated=np.zeros(worlds, dtype=bool),
        truncated=np.zeros(worlds, dtype=bool),
        outcomes=np.zeros(worlds, dtype=np.int64),
        successes=np.zeros(worlds, dtype=bool),
        metrics=np.zeros((worlds, len(METRICS))),
        facts=np.zeros((rooms(threads), tasks.FACTS)),
        boxes=np.zeros((rooms(threads), 2, 7)),
    )


@jit
def record_decision(sight: Sight, trace: EpisodeTrace, index: int, boxes: Floats) -> None:
    """Take the truth of the decision last perceived into the episode's trace."""
    count, step = sight.counts[index], sight.decisions[index] - 1
    record(
        trace, index, step, sight.actors[index][:count], sight.ids[index][:count],
        sight.speeds[index, 0], sight.report[index][:count], boxes,
    )  # fmt: skip


@jit(inner=True)
def judge(
    one: OneWorld,
    task: Task,
    sight: Sight,
    trace: EpisodeTrace,
    action: NDArray[np.float32],
    index: int,
    room: int,
    verdict: Verdict,
) -> None:
    """Reward, end and, if it ended, result of a world's last decision.

    Args:
        one: the world, after the decision was simulated and perceived.
        task: what is rewarded.
        sight: what the ego perceives, with this decision.
        trace: of the episode, with this decision.
        action: (2,) what the agent chose.
        index: which world it is.
        room: the row of scratch to use.
        verdict: written.
    """
    known, terms = verdict.facts[room], verdict.terms[index]
    vector = task.vector
    decisions = sight.decisions[index] - 1
    task.time_s[index] += vector[tasks.DECISION]
    facts.find_facts(one, task, action, known)
    known[tasks.TIME] = task.time_s[index]
    own.find_facts(one, task, index, known)
    ended = tasks.is_truncated(vector, task.time_s[index], decisions)
    known[tasks.SURVIVED] = 1.0 if ended and known[tasks.CRASHED] == 0.0 else 0.0
    tasks.reward_terms(vector, known, terms)
    verdict.rewards[index] = tasks.reward(vector, known, terms)
    terminated = tasks.is_terminated(vector, known)
    late = decisions * vector[tasks.DECISION] >= task.limit_s[0] - 1e-9
    verdict.terminated[index] = terminated
    verdict.truncated[index] = (ended or late) and not terminated
    if terminated or ended or late:
        _conclude(one, task, sight, trace, index, room, verdict)


@jit(inner=True)
def _conclude(
    one: OneWorld,
    task: Task,
    sight: Sight,
    trace: EpisodeTrace,
    index: int,
    room: int,
    verdict: Verdict,
) -> None:
    """`outcomes.outcome_of`, and the episode's metrics."""
    known, family = verdict.facts[room], task.vector[tasks.FAMILY]
    steps, count = sight.decisions[index], sight.counts[index]
    boxes, out = verdict.boxes[room], verdict.metrics[index]
    stuck = is_stuck(trace.ego[index, :steps, EGO_SPEED])
    success = verdict.terminated[index] or not stuck
    wrong = False
    if family >= tasks.OWN:
        success, wrong = known[tasks.RIGHT_GOAL] > 0.0, known[tasks.WRONG_GOAL] > 0.0
    elif family in (tasks.INTERSECTION, tasks.EXIT, tasks.PARKING):
        success = known[tasks.GOAL] > 0.0
        wrong = family == tasks.EXIT and not success and known[tasks.X] > EXIT_X
    crashed = known[tasks.CRASHED] > 0.0
    off_road = known[tasks.ON_ROAD] == 0.0 and family != tasks.PARKING
    violation = known[tasks.VIOLATION] > 0.0
    code = first_outcome(crashed, off_road, wrong, violation, success, stuck)
    verdict.outcomes[index] = code
    verdict.successes[index] = code == SUCCESS
    decision_s = task.vector[tasks.DECISION]
    summarize(trace, index, steps, decision_s, out)
    summarize_collision(
        trace, index, steps, decision_s, sight.actors[index][:count], sight.ids[index][:count],
        sight.speeds[index][:count], sight.crashed[index][:count], boxes, out,
    )  # fmt: skip
