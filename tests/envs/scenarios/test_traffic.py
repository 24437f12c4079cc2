"""The scenarios with traffic: occluded intersection and roundabout, and the dense highways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivemem_envs
from drivemem_envs.drivers import make_driver
from drivemem_envs.scenarios.shared.dense_highway import lane_aimed_at
from drivemem_envs.sensing.spec import Sensors

HIGHWAYS = [
    "blackout-highway", "delayed-highway", "hidden-velocity-highway", "range-only-highway",
]  # fmt: skip
CROSSINGS = ["occluded-intersection", "occluded-roundabout"]


def drive(env: Any, seed: int, action: int) -> tuple[float, dict[str, Any]]:
    env.reset(seed=seed)
    total = 0.0
    while True:
        _, reward, terminated, truncated, info = env.step(action)
        total += reward
        if terminated or truncated:
            return total, info


@pytest.mark.parametrize("name", CROSSINGS)
def test_occluders_hide_traffic_and_the_twin_sees_it(name):
    env = drivemem_envs.make(name)
    twin = drivemem_envs.make(env.scenario.twin())
    hidden = 0
    env.reset(seed=0)
    twin.reset(seed=0)
    for _ in range(30):  # the approach
        env.step(1)
        twin.step(1)
        truth = env.truth()
        hidden += int((~truth["perceived"]).sum())
        assert (truth["visible_fraction"][~truth["perceived"]] < 0.2).all()
        assert twin.truth()["perceived"].all()
    assert hidden > 3


@pytest.mark.parametrize("name", CROSSINGS)
def test_occluders_leave_the_road_free(name):
    env = drivemem_envs.make(name)
    env.reset(seed=0)
    lanes = [lane for lane in env.road.network.lanes_list()]
    for x, y, heading, length, width in env.occluders():
        along, across = (length, width) if heading == 0.0 else (width, length)
        for lane in lanes:
            for s in np.linspace(0, lane.length, 60):
                px, py = lane.position(s, 0.0)
                assert abs(px - x) > along / 2 + 1.0 or abs(py - y) > across / 2 + 1.0


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_neither_side_of_the_intersection_alone_tells_which_gap_is_free(kind):
    """Cars from the right and from the left leave two gaps each, and one of them both."""
    world = drivemem_envs.make("occluded-intersection").unwrapped
    world.reset(seed=0)
    gaps = [tuple(world.config[f"{name}_s"]) for name in ("first", "second", "third")]
    taken = [
        {
            gap
            for gap in gaps
            for car in world.cars()
            if car.lane == lane and gap == car.arrival_s[k]
        }
        for k in range(3)
        for lane in {car.lane for car in world.cars()}
    ]
    assert all(len(each) == 1 for each in taken)
    both = taken[2 * kind] | taken[2 * kind + 1]
    assert [gap for gap in gaps if gap not in both] == [gaps[kind]]


@pytest.mark.parametrize("name", HIGHWAYS)
def test_egos_on_dense_highways_are_faster_than_traffic_whatever_they_do(name):
    """So crawling behind traffic until the time is over is no way to succeed."""
    env = drivemem_envs.make(name)
    env.reset(seed=0)
    env.step(1)
    traffic = [v.target_speed for v in env.road.vehicles if v is not env.vehicle]
    assert env.action_space.n == 3
    assert env.unwrapped.vehicle.target_speed - max(traffic) > 10.0


@pytest.mark.parametrize("name", [*HIGHWAYS, "hidden-velocity-highway-hard"])
def test_traffic_keeps_its_lanes_and_nearly_its_speeds(name):
    """So what was seen before a blackout stays true."""
    env = drivemem_envs.make(name)
    for seed in range(3):
        env.reset(seed=seed)
        others = [v for v in env.road.vehicles if v is not env.vehicle]
        lanes, speeds = [v.lane_index for v in others], np.array([v.speed for v in others])
        ended, changes = False, np.zeros(len(others))
        while not ended:
            changes = np.abs([v.speed for v in others] - speeds)
            _, _, terminated, truncated, _ = env.step(1)
            ended = terminated or truncated
        assert [v.target_lane_index for v in others] == lanes
        assert changes.mean() < 1.0 and np.quantile(changes, 0.9) < 2.0


def test_the_reward_of_dense_highways_is_for_arriving_unharmed():
    env = drivemem_envs.make("blackout-highway", config={"duration": 5})
    ended: dict[str, list[float]] = {}
    for seed in range(12):
        total, info = drive(env, seed, 1)
        ended.setdefault(info["outcome"], []).append(total)
    assert set(ended) == {"success", "collision"}
    assert min(ended["success"]) > 1.0
    assert max(ended["collision"]) < 0.0


@pytest.mark.parametrize(
    "name", [*HIGHWAYS, "hidden-velocity-highway-medium", "hidden-velocity-highway-hard"]
)
def test_who_sees_all_cars_gets_through(name):
    """In 0.99 of 500 episodes; a few seeds here, for each takes a second.

    Levels of the other three differ in their sensors alone.
    """
    env = drivemem_envs.make(name, sensors=Sensors())
    driver = make_driver("oracle", env.unwrapped.scenario, env.action_space)
    for seed in range(3):
        observation, _ = env.reset(seed=seed)
        state, ended = None, False
        while not ended:
            batch = {key: value[None] for key, value in observation.items()}
            actions, state = driver.predict(batch, state)
            observation, _, terminated, truncated, info = env.step(actions[0])
            ended = terminated or truncated
        assert info["outcome"] == "success"


@pytest.mark.parametrize("seed", range(3))
def test_the_ego_points_at_the_lane_it_changes_to(seed):
    """From which the oracle, who sees rows only, knows it."""
    env = drivemem_envs.make("blackout-highway", sensors=Sensors())
    env.reset(seed=seed)
    rng, ended = np.random.default_rng(seed), False
    while not ended:
        ego = env.unwrapped.vehicle
        aim = lane_aimed_at(ego.position[1], ego.speed, np.sin(ego.heading), lanes=3)
        assert aim == ego.target_lane_index[2]
        _, _, terminated, truncated, _ = env.step(int(rng.integers(3)))
        ended = terminated or truncated


def test_blackouts_are_longer_at_higher_levels():
    means = [
        drivemem_envs.scenario(f"blackout-highway-{level}").sensors.blackout_mean_s
        for level in ("easy", "medium", "hard")
    ]
    assert means == sorted(set(means))


def test_a_car_once_in_range_stays_in_range_until_passed():
    """The control's argument: what was sensed is sensed again, so there is nothing to remember."""
    env = drivemem_envs.make("range-only-highway")
    env.reset(seed=3)
    before: set[int] = set()
    for _ in range(25):
        truth = env.unwrapped.truth()
        ahead = truth["x"] > truth["x"][0]
        sensed = set(truth["id"][truth["perceived"] & ahead].tolist())
        gone = before - sensed
        assert gone <= set(truth["id"][~ahead].tolist())
        before = sensed
        if env.step(1)[2]:
            break


@pytest.mark.parametrize(("level", "hidden", "shown"), [("medium", 20, 50), ("hard", 40, 75)])
def test_cars_whose_late_image_lies_behind_the_ego_have_no_row(level, hidden, shown):
    """Of cars ahead the nearest ones: there a delay asks for memory, elsewhere for arithmetic."""
    env = drivemem_envs.make(f"delayed-highway-{level}")
    names, late_s = env.scenario.observation.features, env.scenario.sensors.latency_s
    told: list[tuple[float, bool]] = []
    for seed in range(4):
        observation, _ = env.reset(seed=seed)
        for _ in range(int(late_s * 3) + 1):  # until a late image has come
            observation, _, ended, _, _ = env.step(1)
        while not ended:
            rows = observation["vehicles"]
            columns = (names.index("presence"), names.index("x"), names.index("vx"))
            present, x, vx = (rows[1:, column] for column in columns)
            speeds = 40 * (vx + rows[0, names.index("vx")])
            now = (200 * x + late_s * speeds)[present > 0]
            truth = env.unwrapped.truth()["x"]
            for gap in truth[1:] - truth[0]:
                if 0 < gap < 120:
                    told.append((gap, bool((np.abs(now - gap) < 4.0).any())))
            observation, _, ended, truncated, _ = env.step(1)
            ended |= truncated
    near = [has_row for gap, has_row in told if gap < hidden]
    far = [has_row for gap, has_row in told if gap > shown]
    assert near and not any(near)
    assert far and all(far)


def test_hidden_velocities_are_zero_in_the_rows():
    env = drivemem_envs.make("hidden-velocity-highway")
    observation, _ = env.reset(seed=0)
    names = env.scenario.observation.features
    others = observation["vehicles"][1:]
    assert others[:, names.index("presence")].any()
    assert not others[:, [names.index("vx"), names.index("vy")]].any()
    assert observation["vehicles"][0, names.index("vx")] > 0
