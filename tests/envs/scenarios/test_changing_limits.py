"""Changing limits: the last sign alone counts, and each outcome is told by what was driven."""

from __future__ import annotations

import numpy as np
import pytest

import drivemem_envs
from drivemem_envs.batch_task import Moment
from drivemem_envs.scenarios.changing_limits import LIMITS, ChangingLimitsTask

NAME = "changing-limits"
STRAIGHT = 0
"""Row of the first straight's left lane."""


def task_of(**config):
    found = drivemem_envs.scenario(NAME)._changed(config=config)
    resolved = found.resolved_config()
    graph = found.world_class().course_of(resolved).network.graph
    indices = [
        (start, end, lane)
        for start, ends in graph.items()
        for end, lanes in ends.items()
        for lane in range(len(lanes))
    ]
    return ChangingLimitsTask(resolved, indices), indices


def moment_at(longitudinal, speed, time_s, lane=STRAIGHT, crashed=False):
    count = len(np.atleast_1d(longitudinal))
    numbers = {name: np.zeros(count) for name in Moment._fields}
    numbers |= {
        "longitudinal": np.atleast_1d(longitudinal).astype(float),
        "speed": np.full(count, speed, float),
        "time_s": np.full(count, time_s, float),
        "lane": np.full(count, lane),
        "target_lane": np.full(count, lane),
        "on_road": np.full(count, True),
        "crashed": np.full(count, crashed),
    }
    return Moment(**numbers)


def drawn(signs, limits):
    return np.array([[*signs, *limits]], float)


def test_a_sign_replaces_the_limit_and_tells_when():
    task, _ = task_of()
    signs = drawn([10.0, 40.0, 50.0], [2, 0, 1])
    state = task.begin(signs)
    cues = []
    for way, time_s in ((20.0, 1.0), (42.0, 2.0), (45.0, 2.3), (52.0, 3.0), (44.0, 3.3)):
        task.judge(moment_at(way, 8.0, time_s), signs, state)
        cues.append((int(task.cue(signs, state)[0].argmax()), task.announced_s(signs, state)[0]))
    # The last one drives back before the sign: what was told stays told.
    assert cues == [(2, 0.0), (0, 2.0), (0, 2.0), (1, 3.0), (1, 3.0)]


@pytest.mark.parametrize("number", range(3))
def test_faster_than_the_limit_counts_after_a_time_to_adapt(number):
    task, _ = task_of()
    signs = drawn([10.0], [number])
    for speed, expected in ((LIMITS[number] + 0.9, 0.0), (LIMITS[number] + 1.1, 1.0)):
        over = []
        state = task.begin(signs)
        for time_s in (1.0, 2.0, 3.0):
            verdict = task.judge(moment_at(30.0, speed, time_s), signs, state)
            over.append(verdict.terms[0, task.terms.index("over_limit_reward")])
        assert over == [0.0, 0.0, expected]


def test_a_bend_has_a_limit_of_its_own_in_its_second_half():
    task, indices = task_of()
    signs = drawn([10.0], [2])
    over = []
    for names in (("1", "2"), ("2", "3")):
        state = task.begin(signs)
        lane = indices.index((*names, 0))
        verdict = task.judge(moment_at(5.0, 9.0, 20.0, lane), signs, state)
        over.append(verdict.terms[0, task.terms.index("over_limit_reward")])
    assert over == [0.0, 1.0]


def last_moment(task, indices, time_s, **fields):
    last = max(range(len(indices)), key=lambda row: task._places._begins[row])
    return moment_at(1.0, 14.0, time_s, last, **fields)


@pytest.mark.parametrize("what", ["success", "late", "violation", "collision"])
def test_how_an_episode_ends(what):
    task, indices = task_of()
    signs = drawn([10.0], [0])
    state = task.begin(signs)
    deadline = float(state[0].max())
    if what == "violation":
        for _ in range(4):
            task.judge(moment_at(30.0, 20.0, 5.0), signs, state)
    time_s = deadline + 0.1 if what == "late" else deadline - 0.1
    verdict = task.judge(
        last_moment(task, indices, time_s, crashed=what == "collision"), signs, state
    )
    assert verdict.success[0] == (what == "success")
    assert verdict.violation[0] == (what == "violation")
    assert verdict.truncated[0] == (what == "late") and verdict.terminated[0]


def test_the_deadline_is_what_the_limits_allow():
    task, _ = task_of()
    deadlines = [task.begin(drawn([10.0], [number])).max() for number in range(3)]
    assert deadlines[0] > deadlines[1] + 6.0 > deadlines[2] + 9.0


def test_each_limit_is_drawn_by_itself_and_spacing_is_as_asked():
    same = []
    for level, low, high, last in (("easy", 0.0, 240.0, 250.0), ("medium", 120.0, 320.0, 600.0)):
        env = drivemem_envs.make(f"{NAME}-{level}")
        for seed in range(5):
            env.reset(seed=seed)
            signs, limits = np.split(env.unwrapped.drawn(), 2)
            assert set(limits) <= {0, 1, 2}
            same += (np.diff(limits) == 0).tolist()
            assert (np.diff(signs) >= low).all() and (np.diff(signs) <= high).all()
            assert signs[-1] > last
        env.close()
    assert 0.1 < np.mean(same) < 0.6


@pytest.mark.slow
@pytest.mark.parametrize(("told", "least", "most"), [(None, 0.9, 1.0), (0, 0, 0.5), (1, 0, 0.5)])
def test_who_is_told_the_limits_succeeds_and_who_keeps_to_one_fails(told, least, most):
    found = drivemem_envs.scenario(NAME).twin()
    rule = found.world_class().oracle(found)
    env = drivemem_envs.make_vec(found, num_envs=32)
    observation, _ = env.reset(seed=0)
    succeeded, over = np.zeros(32), np.zeros(32, bool)
    while not over.all():
        if told is not None:
            observation = {**observation, "cue": np.tile(np.eye(3)[told], (32, 1))}
        observation, _, terminated, truncated, infos = env.step(rule(observation, over))
        ends = (terminated | truncated) & ~over
        if ends.any():
            succeeded[ends] = (infos["final_info"]["outcome"] == "success")[ends]
        over |= ends
    assert least <= succeeded.mean() <= most
    env.close()
