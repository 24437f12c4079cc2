"""The scenarios with traffic: occluded intersection and the weaving highways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivemem_envs


def drive(env: Any, seed: int, action: int) -> tuple[float, dict[str, Any]]:
    env.reset(seed=seed)
    total = 0.0
    while True:
        _, reward, terminated, truncated, info = env.step(action)
        total += reward
        if terminated or truncated:
            return total, info


def test_buildings_hide_traffic_and_the_twin_sees_it():
    env = drivemem_envs.make("occluded-intersection-v0")
    twin = drivemem_envs.make(env.scenario.twin())
    hidden = 0
    for seed in range(3):
        env.reset(seed=seed)
        twin.reset(seed=seed)
        truth = env.truth()
        hidden += int((~truth["perceived"]).sum())
        assert (truth["visible_fraction"][~truth["perceived"]] < 0.2).all()
        assert twin.truth()["perceived"].all()
    assert hidden > 3


def test_buildings_leave_the_road_free():
    """No lane of the intersection runs through a building."""
    env = drivemem_envs.make("occluded-intersection-v0")
    env.reset(seed=0)
    lanes = [lane for lane in env.road.network.lanes_list()]
    for x, y, heading, length, width in env.occluders():
        assert heading == 0.0
        for lane in lanes:
            along = np.linspace(0, lane.length, 60)
            for s in along:
                px, py = lane.position(s, 0.0)
                inside = abs(px - x) < length / 2 + 1.0 and abs(py - y) < width / 2 + 1.0
                assert not inside


def test_buildings_follow_their_dials():
    env = drivemem_envs.make(
        "occluded-intersection-v0", config={"building_size": 10.0, "building_setback": 9.0}
    )
    corners = env.occluders()
    np.testing.assert_array_equal(np.abs(corners[:, :2]), 14.0)
    np.testing.assert_array_equal(corners[:, 3:], 10.0)


def test_standing_still_earns_nothing():
    total, info = drive(drivemem_envs.make("occluded-intersection-v0"), 0, 0)
    assert info["outcome"] == "stuck"
    assert abs(total) < 0.1


@pytest.mark.parametrize("name", ["blackout-highway-v0", "hidden-velocity-highway-v0"])
def test_weaving_egos_are_faster_than_traffic_whatever_they_do(name):
    """So crawling behind traffic until the time is over is no way to succeed."""
    env = drivemem_envs.make(name)
    env.reset(seed=0)
    env.step(1)
    traffic = [v.target_speed for v in env.road.vehicles if v is not env.vehicle]
    assert max(traffic) < min(env.vehicle.target_speeds)


def test_the_weaving_reward_is_for_arriving_unharmed():
    env = drivemem_envs.make("blackout-highway-v0")
    ended = {}
    for seed in range(12):
        total, info = drive(env, seed, 1)
        ended.setdefault(info["outcome"], []).append(total)
    assert set(ended) == {"success", "collision"}
    assert min(ended["success"]) > 1.0
    assert max(ended["collision"]) < 0.0


def test_hidden_velocities_are_zero_in_the_rows():
    env = drivemem_envs.make("hidden-velocity-highway-v0")
    observation, _ = env.reset(seed=0)
    names = env.scenario.observation.features
    others = observation["vehicles"][1:]
    assert others[:, names.index("presence")].any()
    assert not others[:, [names.index("vx"), names.index("vy")]].any()
    assert observation["vehicles"][0, names.index("vx")] > 0
