"""Tasks in NumPy on compiled dynamics: equal to the reference backend, or refused by name."""

from __future__ import annotations

import re

import numpy as np
import pytest
from highway_env.envs.highway_env import HighwayEnvFast

from drivemem_envs import make_vec
from drivemem_envs.batch_task import Moment, TaskWorld
from drivemem_envs.compiled.batch_tasks import BatchTasks
from drivemem_envs.compiled.families import why_no_reset
from drivemem_envs.compiled.tasks import moment
from drivemem_envs.making import compiles
from tests.envs.compiled import task_worlds

NAMES = tuple(task_worlds.SCENARIOS)
STEPS = {"told-v0": 40, "scene-told-v0": 40, "leave-v0": 60, "cross-v0": 50}


def seeds(world, episode):
    return 100 * world + episode


@pytest.mark.parametrize("mode", ["random", "weave"])
@pytest.mark.parametrize("name", NAMES)
def test_they_equal_the_reference_backend_over_episodes(name, mode, compare_backends):
    answer = compare_backends(name, worlds=3, steps=STEPS[name], mode=mode)
    assert answer["difference"] is None
    assert answer["ended"] >= 3


@pytest.mark.parametrize("window_s", [0.0, 1.0, None])
@pytest.mark.parametrize("tracker", ["none", "perfect_recall"])
def test_a_cue_that_changes_is_shown_as_in_the_reference(window_s, tracker, compare_backends):
    changes = {"tracker": tracker, "sensors": {"cue_window_s": window_s}}
    answer = compare_backends("told-v0", worlds=3, steps=35, changes=changes)
    assert answer["difference"] is None
    assert answer["ended"] >= 3


@pytest.mark.parametrize("name", NAMES)
def test_they_compile_and_take_kernels_to_reset_where_there_are(name):
    scenario = task_worlds.SCENARIOS[name]
    assert compiles(scenario) is None
    reason = why_no_reset(scenario)
    assert ("drawn" in reason) if name == "scene-told-v0" else reason is None


def test_what_is_announced_is_shown_anew_and_then_no_more():
    env = make_vec(task_worlds.TOLD, 4, seeds=seeds)
    shown = [env.reset()[0]["cue"]]
    for _ in range(8):  # one decision each second
        shown.append(env.step(np.ones(4, dtype=int))[0]["cue"])
    told = [bool(each[0].any()) for each in shown]
    assert told == [True, True, False, False, True, True, False, False, True]


@pytest.mark.parametrize("name", NAMES)
def test_restore_goes_back_into_the_middle_of_episodes(name):
    scenario, draw = task_worlds.SCENARIOS[name], np.random.default_rng(1)
    env = make_vec(scenario, 3, seeds=seeds, num_workers=1)
    env.reset()
    taken: list[list[int]] = [[], [], []]
    for _ in range(29):
        actions = draw.integers(3, size=3)
        _, _, terminated, truncated, _ = env.step(actions)
        for world in range(3):
            taken[world] = [*taken[world], int(actions[world])]
            if terminated[world] or truncated[world]:
                taken[world] = []
    again = make_vec(scenario, 3, seeds=seeds, num_workers=1)
    again.restore(env.episodes, [np.array(each, dtype=int) for each in taken])
    assert len({len(each) for each in taken}) > 1  # some worlds are stepped without the others
    for _ in range(12):
        actions = draw.integers(3, size=3)
        one, other = env.step(actions), again.step(actions)
        for key in one[0]:
            np.testing.assert_array_equal(one[0][key], other[0][key])
        for part in range(1, 4):
            np.testing.assert_array_equal(one[part], other[part])
        np.testing.assert_array_equal(env.latent(), again.latent())


def test_worlds_that_are_not_stepped_keep_what_their_task_remembers(monkeypatch):
    env = make_vec(task_worlds.TOLD, 3, seeds=seeds)
    env.reset()
    worlds = env._worlds
    before = worlds.tasks._state.copy()
    for _ in range(5):
        worlds.step_some(np.array([1]), np.ones(1, dtype=int))
    changed = (worlds.tasks._state != before).any(axis=1)
    assert changed.tolist() == [False, True, False]


def test_the_kernel_writes_what_a_task_is_told_in_its_order():
    names = [field.upper() for field in Moment._fields]
    assert [getattr(moment, name) for name in names] == list(range(moment.MOMENT))


@pytest.mark.parametrize(
    ("world", "more", "message"),
    [
        ("KeepingWorld", {"time_limit_s": 9.0}, "LaneKeepingEnv, the world below .* has step"),
        ("OwnEnd", {"time_limit_s": 9.0}, "OwnEnd has _is_terminated of its own"),
        ("CrossWorld", {}, "set time_limit_s"),
    ],
)
def test_what_a_task_cannot_have_there_is_refused_by_name(world, more, message):
    scenario = task_worlds._scenario("refused-v0", world, **more)
    assert re.search(message, compiles(scenario) or "")
    with pytest.raises(ValueError, match=message):
        make_vec(scenario, 1, backend="compiled")


@pytest.mark.parametrize("backend", ["reference", "compiled"])
def test_a_term_without_a_weight_is_refused_when_a_world_is_made(backend):
    scenario = task_worlds._scenario("refused-v0", "NamedTerms")
    with pytest.raises(ValueError, match=r"Leave has the term 'a', .* give it a number"):
        make_vec(scenario, 1, backend=backend).reset()


def test_a_task_behind_its_world_is_refused_when_the_class_is_written():
    with pytest.raises(ValueError, match=r"Behind takes its reward from HighwayEnv, which stands"):
        type("Behind", (HighwayEnvFast, TaskWorld), {})


@pytest.mark.parametrize("backend", ["reference", "compiled"])
def test_a_verdict_of_another_shape_is_refused(backend, monkeypatch):
    env = make_vec(task_worlds.LEAVE, 2, backend=backend, seeds=seeds)
    env.reset()
    judge = task_worlds.Leave.judge

    def narrow(self, *given):
        verdict = judge(self, *given)
        return verdict._replace(terms=verdict.terms[:, 0])

    monkeypatch.setattr(task_worlds.Leave, "judge", narrow)
    with pytest.raises(ValueError, match=r"Leave.judge gives terms of shape .* return \(\d, 6\)"):
        env.step(np.ones(2, dtype=int))


def test_a_task_is_made_once_for_all_worlds():
    env = make_vec(task_worlds.LEAVE, 5, seeds=seeds)
    assert isinstance(env._worlds.tasks, BatchTasks)
    assert env._worlds.tasks.task.lane_indices == list(env._worlds._lanes)
