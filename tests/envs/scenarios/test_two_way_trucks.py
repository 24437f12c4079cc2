"""Two-way trucks: slow trucks must be overtaken, and a front camera loses those beside the ego."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivemem_envs

NAME = "two-way-trucks"
LEFT, IDLE, RIGHT, FASTER, SLOWER = range(5)
EXACT = {"noise_position_m": 0.0, "noise_speed_mps": 0.0}


def drive(env: Any, seed: int, actions: list[int]) -> dict[str, Any]:
    """The actions, the last one to the end; returns the last info."""
    env.reset(seed=seed)
    step = 0
    while True:
        *_, terminated, truncated, info = env.step(actions[min(step, len(actions) - 1)])
        if terminated or truncated:
            return info
        step += 1


def beside_a_truck(sensors: dict[str, Any], removed: bool = False) -> tuple[Any, Any]:
    """A world whose ego is beside the first truck, maybe without that truck; what it shows."""
    env = drivemem_envs.make(drivemem_envs.scenario(NAME).with_(sensors=sensors))
    env.reset(seed=0)
    ego, truck = env.unwrapped.vehicle, env.unwrapped.road.vehicles[1]
    ego.position = np.array([truck.position[0], 0.0])
    ego.target_lane_index = ("w", "e", 0)
    if removed:
        env.unwrapped.road.vehicles.remove(truck)
    return env, env.step(IDLE)[0]


def test_who_follows_the_trucks_is_late():
    env = drivemem_envs.make(NAME)
    for seed in range(2):
        assert drive(env, seed, [SLOWER])["outcome"] == "timeout"
        assert env.unwrapped.vehicle.position[0] < 0.7 * env.unwrapped.config["goal_m"]


def test_who_rushes_on_the_oncoming_lane_meets_a_car():
    env = drivemem_envs.make(NAME)
    outcomes = [drive(env, seed, [LEFT, FASTER])["outcome"] for seed in range(4)]
    assert "collision" in outcomes


def test_reaching_the_goal_in_time_is_success():
    env = drivemem_envs.make(NAME, config={"goal_m": 60.0, "first_truck_m": [300.0, 300.0]})
    info = drive(env, 0, [FASTER])
    assert info["outcome"] == "success" and info["rewards"]["goal_reward"] == 1.0
    assert env.unwrapped.vehicle.position[0] >= 60.0


def test_the_other_lane_can_be_taken_and_left():
    env = drivemem_envs.make(NAME, config={"first_truck_m": [300.0, 300.0]})
    env.reset(seed=0)
    across = [env.unwrapped.vehicle.position[1]]
    for action in (LEFT, IDLE, IDLE, IDLE, IDLE, RIGHT, IDLE, IDLE, IDLE, IDLE):
        _, _, terminated, _, _ = env.step(action)
        across.append(env.unwrapped.vehicle.position[1])
        assert not terminated and env.unwrapped.vehicle.on_road
    assert across[0] == 4.0 and min(across) < 0.2 and across[-1] > 3.8


def test_a_truck_beside_the_ego_is_hidden_and_the_twin_sees_it():
    env, _ = beside_a_truck({})
    twin, _ = beside_a_truck(drivemem_envs.Sensors().model_dump())
    assert not env.truth()["perceived"][1] and twin.truth()["perceived"][1]


def test_a_hidden_truck_changes_nothing_that_is_shown():
    _, there = beside_a_truck(EXACT)
    _, gone = beside_a_truck(EXACT, removed=True)
    for key in there:
        np.testing.assert_array_equal(there[key], gone[key])


def test_a_truck_hides_oncoming_cars_from_who_follows_it():
    env = drivemem_envs.make(NAME)
    env.reset(seed=0)
    world = env.unwrapped
    truck, car = world.road.vehicles[1], world.road.vehicles[-1]
    world.vehicle.position = truck.position - np.array([truck.LENGTH / 2 + 10.0, 0.0])
    car.position = truck.position + np.array([150.0, -4.0])
    env.step(IDLE)
    truth = env.truth()
    assert truth["perceived"][1] and not truth["perceived"][-1]


def test_trucks_keep_their_lane_and_oncoming_cars_brake_for_the_ego():
    env = drivemem_envs.make(NAME, config={"first_oncoming_m": [200.0, 200.0]})
    env.reset(seed=1)
    first = env.unwrapped.road.vehicles[1 + env.unwrapped.config["trucks_count"]]
    before = first.speed
    for action in (LEFT, *[IDLE] * 7):
        env.step(action)
    assert first.speed < before - 1.0
    assert all(v.lane_index[2] == 1 for v in env.unwrapped.road.vehicles[1:8])


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_one_seed_is_one_scene_within_the_windows(level):
    env = drivemem_envs.make(f"{NAME}-{level}")
    scenes = []
    for _ in range(2):
        env.reset(seed=5)
        scenes.append([(*v.position, v.speed, v.LENGTH) for v in env.unwrapped.road.vehicles])
    assert scenes[0] == scenes[1]
    config, rows = env.unwrapped.config, np.array(scenes[0])
    trucks = rows[1 : 1 + config["trucks_count"]]
    gaps = np.diff(trucks[:, 0]) - (trucks[1:, 3] + trucks[:-1, 3]) / 2
    low, high = config["truck_gap_m"]
    assert (gaps > low - 1e-6).all() and (gaps < high + 1e-6).all()
