"""Crossing traffic: parked trucks hide it on the way, and creeping up to look is possible."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import drivemem_envs
from drivemem_envs.scenarios.crossing_traffic import CrossingTask, streets_of

NAME = "crossing-traffic"
SLOWER, IDLE, FASTER = range(3)


def drive(env: Any, seed: int, action: int) -> dict[str, Any]:
    env.reset(seed=seed)
    while True:
        *_, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            return info


def seen_from(distance_m: float, across_m: float = 30.0) -> bool:
    """Whether a car so far beside the first street's middle is perceived from before it."""
    env = drivemem_envs.make(NAME)
    env.reset(seed=0)
    world = env.unwrapped
    car, street = world.road.vehicles[1], streets_of(world.config)[0]
    for other in world.road.vehicles[2:]:
        other.position = np.array([street, 400.0])
    world.vehicle.position = np.array([street - distance_m, 0.0])
    car.position, car.speed = np.array([street, across_m]), 0.0
    car.target_speed = world.vehicle.speed = world.vehicle.target_speed = 0.0
    env.step(IDLE)
    return bool(env.truth()["perceived"][1])


def test_cars_are_seen_from_afar_then_hidden_then_seen_from_the_trucks_front():
    assert seen_from(60.0)
    assert not seen_from(30.0) and not seen_from(15.0)
    assert seen_from(7.0)


def test_who_never_brakes_meets_a_car_or_is_in_time():
    env = drivemem_envs.make(NAME)
    outcomes = [drive(env, seed, FASTER)["outcome"] for seed in range(8)]
    assert set(outcomes) == {"collision", "success"}


def test_who_stops_is_stuck():
    assert drive(drivemem_envs.make(NAME), 0, SLOWER)["outcome"] == "stuck"


def test_who_creeps_is_late():
    env = drivemem_envs.make(NAME, config={"cross_count": 1, "duration": 12})
    env.reset(seed=0)
    actions, ended = [SLOWER] + [IDLE] * 60, False
    while not ended:
        *_, terminated, truncated, info = env.step(actions.pop(0))
        ended = terminated or truncated
    assert info["outcome"] == "timeout"


def test_the_ego_stops_as_slowly_as_a_real_car():
    env = drivemem_envs.make(NAME, config={"cross_count": 1})
    env.reset(seed=0)
    for _ in range(9):
        env.step(FASTER)
    begin, speed = env.unwrapped.vehicle.position[0], env.unwrapped.vehicle.speed
    for _ in range(30):
        env.step(SLOWER)
    way = env.unwrapped.vehicle.position[0] - begin
    assert 11.0 < speed <= 12.0 and env.unwrapped.vehicle.speed < 0.1
    assert way > 1.5 * speed  # more than what is left of the way from the trucks' front


def test_navigation_tells_the_distance_to_the_next_street_at_all_times():
    config = drivemem_envs.scenario(NAME).resolved_config()
    task = CrossingTask(config, [])
    streets = streets_of(config)
    drawn, state = np.zeros((4, 0)), np.array([[0.0], [streets[0]], [streets[0] + 5.0], [1e4]])
    told = task.navigation(drawn, state)[:, 0] * 100.0
    np.testing.assert_allclose(told, [streets[0], 0.0, streets[1] - streets[0] - 5.0, 100.0])
    env = drivemem_envs.make(NAME)
    env.reset(seed=0)
    shown = [float(env.step(IDLE)[0]["navigation"][0]) for _ in range(9)]
    assert all(a > b > 0.0 for a, b in pairwise(shown))


def test_cross_traffic_brakes_for_who_stands_in_its_way():
    env = drivemem_envs.make(NAME)
    env.reset(seed=0)
    world = env.unwrapped
    car, street = world.road.vehicles[1], streets_of(world.config)[0]
    world.vehicle.position = np.array([street, 0.0])
    world.vehicle.speed = world.vehicle.target_speed = 0.0
    world.vehicle.speed_index = 0
    way = np.sign(car.velocity[1])
    car.position = np.array([street, -way * 25.0])
    before = car.speed
    for _ in range(3):
        env.step(IDLE)
    assert car.speed < before - 1.0


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_one_seed_is_one_scene_and_parked_trucks_leave_the_road_free(level):
    env = drivemem_envs.make(f"{NAME}-{level}")
    scenes = []
    for _ in range(2):
        env.reset(seed=5)
        scenes.append([(*v.position, v.speed) for v in env.unwrapped.road.vehicles])
    assert scenes[0] == scenes[1]
    parked = env.occluders()
    assert len(parked) == 2 * env.unwrapped.config["streets_count"]
    assert (np.abs(parked[:, 1]) - parked[:, 4] / 2 > 3.0).all()
    for street in streets_of(env.unwrapped.config):
        assert (np.abs(parked[:, 0] - street) - parked[:, 3] / 2 > 3.0).all()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"streets_count": 0}, "streets_count is 0; choose 1 to 20"),
        ({"park_m": [8.0, 76.0]}, "leave 8 m between a street and the next one's trucks"),
    ],
)
def test_streets_that_cannot_be_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        drivemem_envs.scenario(NAME).with_(config=config)
