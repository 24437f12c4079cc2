"""The compiled vector environment: Gymnasium's interface, threads, restoring, refusals."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import drivemem_envs
from drivemem_envs import make_vec, scenario
from drivemem_envs.compiled.export.supported import CompiledUnsupported
from drivemem_envs.making import compiles


def seeds(world, episode):
    return 100 * world + episode


def test_threads_change_nothing(drive):
    actions = np.random.default_rng(0).integers(3, size=(60, 7))
    alone, *shared = (
        drive(
            make_vec("exit-recall-v0", 7, backend="compiled", seeds=seeds, num_workers=n), actions
        )
        for n in (1, 2, 5)
    )
    for seen in shared:
        assert all(np.array_equal(a, b) for a, b in zip(alone, seen, strict=True))


def test_a_world_does_not_depend_on_its_neighbours():
    few = make_vec("exit-recall-v0", 2, backend="compiled", seeds=seeds)
    many = make_vec("exit-recall-v0", 5, backend="compiled", seeds=seeds)
    few.reset(), many.reset()
    draw = np.random.default_rng(3)
    for _ in range(60):
        actions = draw.integers(3, size=5)
        one, other = few.step(actions[:2]), many.step(actions)
        assert np.array_equal(one[0]["vehicles"], other[0]["vehicles"][:2])
        assert np.array_equal(one[1], other[1][:2])


def test_restore_goes_back_into_the_middle_of_episodes():
    env = make_vec("exit-recall-v0", 3, backend="compiled", seeds=seeds)
    env.reset()
    draw, taken = np.random.default_rng(1), [[], [], []]
    for _ in range(30):
        actions = draw.integers(3, size=3)
        observation, _, terminated, truncated, _ = env.step(actions)
        for world in range(3):
            taken[world].append(actions[world])
            if terminated[world] or truncated[world]:
                taken[world] = []
    again = make_vec("exit-recall-v0", 3, backend="compiled", seeds=seeds)
    restored, _ = again.restore(env.episodes, [np.array(each, dtype=int) for each in taken])
    assert np.array_equal(restored["vehicles"], observation["vehicles"])
    actions = draw.integers(3, size=3)
    assert np.array_equal(env.step(actions)[0]["vehicles"], again.step(actions)[0]["vehicles"])


def test_gymnasium_makes_it_by_id():
    env = gymnasium.make_vec("drivemem/exit-recall-v0", num_envs=3)
    assert env.unwrapped.backend == "compiled"
    observation, _ = env.reset(seed=1)
    assert env.observation_space.contains(observation)
    again, _ = env.reset(seed=1)
    assert np.array_equal(observation["vehicles"], again["vehicles"])


def test_the_seed_of_reset_determines_everything():
    env = make_vec("exit-recall-v0", 3, backend="compiled")
    first = [env.reset(seed=5)[0]["cue"], env.reset(seed=6)[0]["cue"], env.reset(seed=5)[0]["cue"]]
    assert np.array_equal(first[0], first[2])
    assert env.reset(seed=[1, 2, 3])[0]["vehicles"].shape == (3, 5, 7)


class OwnReward(drivemem_envs.scenario("highway-fast-v0").world_class()):
    """A user's world with a reward of its own."""

    def _reward(self, action):
        return 1.0


class Dense(drivemem_envs.scenario("highway-fast-v0").world_class()):
    """A user's world that only changes numbers."""

    @classmethod
    def default_config(cls):
        return {**super().default_config(), "vehicles_density": 2.0, "lanes_count": 2}


def test_a_task_of_its_own_is_refused_by_name():
    own = scenario("highway-fast-v0").model_copy(update={"world": f"{__name__}:OwnReward"})
    with pytest.raises(CompiledUnsupported, match=r"OwnReward has _reward of its own"):
        from drivemem_envs.compiled.families import family_of

        family_of(own)


def test_a_world_that_only_changes_numbers_compiles():
    dense = scenario("highway-fast-v0").model_copy(update={"world": f"{__name__}:Dense"})
    assert compiles(dense) is None
