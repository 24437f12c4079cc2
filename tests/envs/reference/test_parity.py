"""drivemem's worlds are highway-env's: same scenes, dynamics, rewards, ends and observations."""

from __future__ import annotations

from typing import Any

import gymnasium
import highway_env  # noqa: F401  registers its ids
import numpy as np
import pytest
from highway_env.envs.common.observation import KinematicObservation

import drivemem_envs
from drivemem_envs.highway_env_ids import HIGHWAY_ENV_IDS

pytestmark = pytest.mark.usefixtures("pristine_traffic")

SMALLER = {"highway-v0": {"vehicles_count": 12}}
KINEMATICS = ("Kinematics", "ExitObservation")


def pair(name: str) -> tuple[Any, Any]:
    config = SMALLER.get(name, {})
    ours = drivemem_envs.make(drivemem_envs.Scenario.from_highway_env(name, config))
    theirs = gymnasium.make(name, disable_env_checker=True).unwrapped
    theirs.config.update(config)
    return ours, theirs


def actions(space: gymnasium.Space[Any], seed: int, count: int) -> list[Any]:
    draw = np.random.default_rng(seed)
    if isinstance(space, gymnasium.spaces.Discrete):
        return list(draw.integers(space.n, size=count))
    return list(draw.uniform(-1, 1, (count, *space.shape)).astype(np.float32))


def rows_of(theirs: Any, ours: Any) -> np.ndarray:
    """highway-env's own Kinematics of its world now, with the features of our spec."""
    spec = ours.scenario.observation
    kinematics = KinematicObservation(
        theirs,
        features=list(spec.features),
        vehicles_count=spec.vehicles_count,
        features_range=spec.features_range,
        absolute=spec.absolute,
        see_behind=spec.see_behind,
        include_obstacles=spec.include_obstacles,
    )
    return np.nan_to_num(kinematics.observe())


def poses(env: Any) -> np.ndarray:
    return np.array([[*v.position, v.heading, v.speed] for v in env.road.vehicles])


@pytest.mark.parametrize("name", HIGHWAY_ENV_IDS)
@pytest.mark.parametrize(
    ("seeds", "decisions"), [(1, 6), pytest.param(4, 100, marks=pytest.mark.slow)]
)
def test_a_highway_env_id_is_reproduced(name, seeds, decisions):
    ours, theirs = pair(name)
    native = theirs.config["observation"]["type"]
    for seed in range(seeds):
        mine, _ = ours.reset(seed=seed)
        other, _ = theirs.reset(seed=seed)
        for action in actions(ours.action_space, seed, decisions):
            expected = other if native in KINEMATICS else rows_of(theirs, ours)
            if name != "lane-keeping-v0":  # it observes before it simulates
                np.testing.assert_allclose(mine["vehicles"], expected, rtol=0, atol=1e-6)
            if native not in KINEMATICS:
                parts = other if isinstance(other, dict) else {native: other}
                values = [value for key, value in sorted(mine.items()) if key != "vehicles"]
                for value, (_, part) in zip(values, sorted(parts.items()), strict=True):
                    np.testing.assert_array_equal(value, part)
            mine, reward, terminated, truncated, info = ours.step(action)
            other, their_reward, their_end, their_limit, their_info = theirs.step(action)
            np.testing.assert_array_equal(poses(ours), poses(theirs))
            assert reward == their_reward
            assert terminated == their_end
            assert truncated == (their_limit and not their_end)
            terms = {key: float(value) for key, value in their_info.get("rewards", {}).items()}
            assert info["rewards"] == terms
            if terminated or truncated:
                break


def test_the_range_of_y_is_that_of_the_road_not_of_the_first_frame():
    """highway-env takes it from the lanes beside the ego when it first observes: the same road."""
    env = drivemem_envs.make("highway-fast-v0", config={"lanes_count": 4})
    for seed in range(3):
        env.reset(seed=seed)
        assert env.first_road_lanes == 4


@pytest.mark.parametrize("first", ["merge-v1", "intersection-v2"])
def test_worlds_do_not_change_each_others_drivers(first):
    """highway-env's intersection writes driver parameters on a class that all worlds share."""

    def drive() -> np.ndarray:
        env = drivemem_envs.make("merge-v1")
        env.reset(seed=5)
        for _ in range(4):
            env.step(1)
        return poses(env)

    before = drive()
    gymnasium.make("intersection-v2", disable_env_checker=True).reset(seed=0)  # the real one
    drivemem_envs.make(first).reset(seed=0)
    np.testing.assert_array_equal(drive(), before)


def test_drivemems_intersection_leaves_highway_envs_classes_alone():
    from highway_env.vehicle.behavior import IDMVehicle

    before = dict(vars(IDMVehicle))
    env = drivemem_envs.make("intersection-v2")
    env.reset(seed=0)
    env.step(1)
    assert dict(vars(IDMVehicle)) == before
    assert {type(v) for v in env.road.vehicles if v is not env.vehicle}.isdisjoint({IDMVehicle})


def test_environments_have_metadata_of_their_own():
    slow, fast = drivemem_envs.make("two-way-v0"), drivemem_envs.make("racetrack-v1")
    slow.reset(seed=0)
    fast.reset(seed=0)
    assert slow.metadata["render_fps"] != fast.metadata["render_fps"]
