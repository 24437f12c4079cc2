"""Route instructions: what was told last counts at each junction."""

from __future__ import annotations

import numpy as np
import pytest

import drivemem_envs
from drivemem_envs.batch_task import Moment
from drivemem_envs.scenarios.route_instructions import RouteInstructionsTask

NAME = "route-instructions"


def task_of(level="medium", **config):
    found = drivemem_envs.scenario(f"{NAME}-{level}")._changed(config=config)
    resolved = found.resolved_config()
    road = found.world_class().course_of(resolved)
    indices = [
        (start, end, lane)
        for start, ends in road.network.graph.items()
        for end, lanes in ends.items()
        for lane in range(len(lanes))
    ]
    return RouteInstructionsTask(resolved, indices), indices, road


def moment_on(indices, lane, longitudinal=1.0, time_s=1.0, speed=8.0):
    row = indices.index(lane)
    numbers = {name: np.zeros(1) for name in Moment._fields}
    numbers |= {
        "longitudinal": np.array([longitudinal]),
        "speed": np.array([speed]),
        "time_s": np.array([time_s]),
        "lane": np.array([row]),
        "target_lane": np.array([row]),
        "on_road": np.array([True]),
        "crashed": np.array([False]),
    }
    return Moment(**numbers)


def drive(task, indices, road, drawn, branches, time_s=1.0):
    """Pass all stretches in order, on the branches given; the verdicts."""
    state = task.begin(drawn)
    verdicts, chosen = [], iter(branches)
    for here in road.stretches:
        if here.kind == "fork" and here.branch == 0 and "." not in here.start:
            branch = next(chosen)
        if here.kind == "fork" and here.branch != branch:
            continue
        lane = (here.start, here.end, here.lanes // 2)
        verdicts.append(task.judge(moment_on(indices, lane, time_s=time_s), drawn, state))
    return verdicts


def told(road, branches, corrections=(None, None, None)):
    ways = [
        (bend.way_m, np.inf if new is None else bend.way_m + 10.0)
        for bend, new in zip(road.of("bend"), corrections, strict=True)
    ]
    told = [
        (old, 0 if new is None else new) for old, new in zip(branches, corrections, strict=True)
    ]
    return np.array([[*np.ravel(ways), *np.ravel(told)]], float)


def test_the_right_branches_lead_to_success_and_a_wrong_one_ends_it():
    task, indices, road = task_of()
    verdicts = drive(task, indices, road, told(road, (2, 0, 1)), (2, 0, 1))
    assert verdicts[-1].success[0] and verdicts[-1].terminated[0]
    assert sum(v.terms[0, task.terms.index("right_branch_reward")] for v in verdicts) == 3
    assert not any(v.terminated[0] for v in verdicts[:-1])
    wrong = drive(task, indices, road, told(road, (2, 0, 1)), (2, 1, 1))
    ended = next(v for v in wrong if v.terminated[0])
    assert ended.wrong_route[0] and not ended.success[0]


def test_a_correction_replaces_what_was_told():
    task, indices, road = task_of("medium")
    corrected = told(road, (2, 0, 1), (1, None, 0))
    assert drive(task, indices, road, corrected, (1, 0, 0))[-1].success[0]
    assert any(v.wrong_route[0] for v in drive(task, indices, road, corrected, (2, 0, 0)))


def test_the_cue_is_the_last_instruction_and_tells_when():
    task, indices, road = task_of("medium")
    drawn = told(road, (2, 0, 1), (1, None, 0))
    state, seen = task.begin(drawn), []
    assert not task.cue(drawn, state).any()
    straight, entry, bend, behind, branch = road.stretches[:5]
    for time_s, (here, along) in enumerate(
        [(straight, 1.0), (entry, 1.0), (bend, 1.0), (bend, 12.0), (behind, 1.0), (branch, 1.0)]
    ):
        lane = (here.start, here.end, 0)
        task.judge(moment_on(indices, lane, along, time_s=float(time_s)), drawn, state)
        cue = task.cue(drawn, state)[0]
        seen.append((int(cue.argmax()) if cue.any() else None, task.announced_s(drawn, state)[0]))
    assert seen == [(None, 0.0), (None, 0.0), (2, 2.0), (1, 3.0), (1, 3.0), (1, 3.0)]


def test_told_at_the_start_the_cue_is_the_whole_route():
    task, indices, road = task_of("hard")
    drawn = told(road, (2, 0, 1))
    state = task.begin(drawn)
    assert task.cue_size == 9
    np.testing.assert_array_equal(task.cue(drawn, state)[0].reshape(3, 3).argmax(1), (2, 0, 1))
    assert drive(task, indices, road, drawn, (2, 0, 1))[-1].success[0]
    assert task.announced_s(drawn, state)[0] == 0.0


def test_too_late_and_too_fast_in_bends_are_no_success():
    task, indices, road = task_of()
    late = drive(task, indices, road, told(road, (2, 0, 1)), (2, 0, 1), time_s=900.0)
    assert late[0].truncated[0] and not late[-1].success[0]
    state, drawn = task.begin(told(road, (2, 0, 1))), told(road, (2, 0, 1))
    bend = road.of("bend")[0]
    fast = moment_on(indices, (bend.start, bend.end, 0), speed=12.0)
    told_off = [task.judge(fast, drawn, state).violation[0] for _ in range(4)]
    assert told_off == [False, True, True, True]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"told": "never"}, "told is 'never'; choose 'bend' or 'start'"),
        ({"told": "start", "correction_share": 0.5}, "correction_share is 0.5 and told 'start'"),
    ],
)
def test_instructions_that_cannot_be_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        drivemem_envs.scenario(NAME).with_(config=config)


def test_corrections_are_as_many_as_asked_and_differ():
    env = drivemem_envs.make(f"{NAME}-medium")
    corrected = []
    for seed in range(12):
        env.reset(seed=seed)
        ways, branches = (half.reshape(3, 2) for half in np.split(env.unwrapped.drawn(), 2))
        assert (branches[:, 0] != branches[:, 1]).all()
        corrected += np.isfinite(ways[:, 1]).tolist()
    assert 0.25 < np.mean(corrected) < 0.75
    env.close()


@pytest.mark.slow
def test_who_is_told_the_way_succeeds():
    found = drivemem_envs.scenario(NAME).twin()
    rule = found.world_class().oracle(found)
    env = drivemem_envs.make_vec(found, num_envs=32)
    observation, _ = env.reset(seed=0)
    succeeded, over = np.zeros(32), np.zeros(32, bool)
    while not over.all():
        observation, _, terminated, truncated, infos = env.step(rule(observation, over))
        ends = (terminated | truncated) & ~over
        if ends.any():
            succeeded[ends] = (infos["final_info"]["outcome"] == "success")[ends]
        over |= ends
    assert succeeded.mean() >= 0.9
    env.close()
