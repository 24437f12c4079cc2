from __future__ import annotations

import os
import signal
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import drivemem_envs
from drivemem_envs.metrics import metric_names

NAME = "two-way-v0"  # cheap, short episodes


def seeds(world: int, episode: int) -> int:
    return 1000 * world + episode


def worlds(**changes: Any) -> Any:
    changes = {"backend": "reference", "seeds": seeds, **changes}
    return drivemem_envs.make_vec(changes.pop("name", NAME), changes.pop("num_envs", 2), **changes)


def drive(env: Any, actions: np.ndarray) -> list[Any]:
    return [env.step(action) for action in actions]


def some_actions(count: int, num_envs: int = 2, n: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(n, size=(count, num_envs))


def assert_same(a: Any, b: Any) -> None:
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, tuple | list) or (isinstance(a, np.ndarray) and a.dtype == object):
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    else:
        np.testing.assert_array_equal(a, b)


def test_worlds_run_the_episodes_of_their_seeds():
    env = worlds()
    observation, _ = env.reset()
    single = [drivemem_envs.make(NAME) for _ in range(2)]
    expected = [one.reset(seed=seeds(world, 0))[0] for world, one in enumerate(single)]
    episodes = [0, 0]
    for actions in some_actions(30):
        for key in observation:
            np.testing.assert_array_equal(observation[key], np.stack([e[key] for e in expected]))
        observation, reward, terminated, truncated, infos = env.step(actions)
        for world, one in enumerate(single):
            expected[world], r, ended, cut, info = one.step(actions[world])
            assert (reward[world], terminated[world], truncated[world]) == (r, ended, cut)
            if ended or cut:
                assert infos["_final_obs"][world]
                assert_same(infos["final_obs"][world], expected[world])
                final = infos["final_info"]
                assert final["outcome"][world] == info["outcome"]
                for name in metric_names():
                    np.testing.assert_array_equal(final[name][world], info[name])
                episodes[world] += 1
                expected[world], _ = one.reset(seed=seeds(world, episodes[world]))
            else:
                assert not infos.get("_final_info", np.zeros(2, bool))[world]
    assert min(episodes) >= 2
    np.testing.assert_array_equal(env.episodes, episodes)


def test_spaces_and_metadata():
    env = worlds(num_envs=3)
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    assert env.backend == "reference"
    observation, _ = env.reset()
    assert env.observation_space.contains(observation)
    assert env.action_space.contains(env.action_space.sample())


def test_gymnasium_makes_it_by_id():
    env = gymnasium.make_vec(f"drivemem/{NAME}", num_envs=2, backend="reference")
    observation, _ = env.reset(seed=3)
    again, _ = env.reset(seed=3)
    other, _ = env.reset(seed=4)
    assert_same(observation, again)
    assert not np.array_equal(observation["vehicles"], other["vehicles"])
    assert not np.array_equal(observation["vehicles"][0], observation["vehicles"][1])


def test_one_seed_for_each_world():
    env = worlds(seeds=None)
    observation, _ = env.reset(seed=[5, 6])
    for world, seed in enumerate((5, 6)):
        expected, _ = drivemem_envs.make(NAME).reset(seed=seed)
        np.testing.assert_array_equal(observation["vehicles"][world], expected["vehicles"])
    with pytest.raises(ValueError, match="3 seeds for 2 worlds"):
        env.reset(seed=[1, 2, 3])


def test_restored_worlds_go_on_as_if_never_interrupted():
    actions = some_actions(24)
    env = worlds(sensors={"dropout_per_s": 1.0, "noise_position_m": 0.5})
    env.reset()
    taken: list[list[Any]] = [[], []]
    for step in actions[:11]:
        *_, terminated, truncated, _ = env.step(step)
        for world in range(2):
            taken[world] = [] if (terminated | truncated)[world] else [*taken[world], step[world]]
    episodes = env.episodes.copy()
    expected = drive(env, actions[11:])
    resumed = worlds(sensors={"dropout_per_s": 1.0, "noise_position_m": 0.5})
    resumed.restore(episodes, [np.array(world) for world in taken])
    assert_same(drive(resumed, actions[11:]), expected)


def test_restore_needs_the_rule_of_seeds():
    env = worlds(seeds=None)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="pass seeds="):
        env.restore(np.zeros(2, int), [[], []])


def test_truth_masks_and_occluders_are_of_every_world():
    env = worlds(name="occluded-intersection-v0")
    env.reset()
    truth = env.truth()
    assert {values.shape for values in truth.values()} == {truth["id"].shape}
    np.testing.assert_array_equal(truth["id"][:, 0], 0)
    for world in range(2):
        alone = drivemem_envs.make("occluded-intersection-v0")
        alone.reset(seed=seeds(world, 0))
        present = truth["present"][world]
        np.testing.assert_array_equal(truth["x"][world, present], alone.truth()["x"])
    assert env.action_masks().shape == (2, 3)
    assert [corners.shape for corners in env.occluders()] == [(4, 5), (4, 5)]


def test_processes_do_what_this_process_does():
    env, remote = worlds(num_envs=3), worlds(num_envs=3, num_workers=2)
    try:
        assert_same(env.reset(), remote.reset())
        actions = some_actions(16, num_envs=3)
        assert_same(drive(env, actions), drive(remote, actions))
        assert_same(env.truth(), remote.truth())
        assert_same(env.action_masks(), remote.action_masks())
        with pytest.raises(RuntimeError, match="in a world's process: "):
            remote._ask("call", "nothing_that_a_world_has")
        assert_same(env.reset(), remote.reset())  # an error leaves no answer behind
        os.kill(remote._remote[0]._process.pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="exit code -9"):
            remote.step(np.zeros(3, dtype=int))
    finally:
        remote.close()
    assert all(part._process.exitcode is not None for part in remote._remote)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_envs": 0}, "must be from 1 to 1,000,000"),
        ({"backend": "gpu"}, "unknown backend 'gpu'"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        worlds(**changes)
