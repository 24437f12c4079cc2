from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

import drivemem_envs
from drivemem_envs.drivers import make_driver
from drivemem_envs.names import LEVELS
from drivemem_envs.scenarios.driver_types import DriverTypesWorld, Pushing, Yielding

SLOWER, IDLE = 4, 1


def drive(env: Any, seed: int, before: int | None = None) -> str:
    """Join before the driver of a number, who yields if None is given; the outcome."""
    driver = make_driver("oracle", env.scenario, env.action_space)
    observation, _ = env.reset(seed=seed)
    state, start = None, np.ones(1, dtype=bool)
    while True:
        batch = {key: value[None] for key, value in observation.items()}
        if before is not None:
            batch["cue"] = np.eye(batch["cue"].shape[1])[[before]]
        action, state = driver.predict(batch, state, start)
        observation, _, terminated, truncated, info = env.step(int(action[0]))
        start = np.zeros(1, dtype=bool)
        if terminated or truncated:
            return str(info["outcome"])


def end_with(env: Any, action: int) -> str:
    env.reset(seed=0)
    while True:
        *_, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            return str(info["outcome"])


@pytest.mark.parametrize("level", LEVELS)
def test_who_knows_the_drivers_joins_unharmed(level):
    """But for a few whose lane joins when the one who yields is close behind already."""
    env = drivemem_envs.make_vec(drivemem_envs.scenario(f"driver-types-{level}").twin(), 24)
    driver = make_driver("oracle", env.scenario, env.single_action_space)
    observation, _ = env.reset(seed=list(range(24)))
    state, over, outcomes = None, np.ones(24, dtype=bool), {}
    while len(outcomes) < 24:
        actions, state = driver.predict(observation, state, over)
        observation, _, terminated, truncated, info = env.step(actions)
        over = terminated | truncated
        for world in np.flatnonzero(over):
            outcomes.setdefault(world, info["final_info"]["outcome"][world])
    assert sum(outcome == "success" for outcome in outcomes.values()) >= 22


def test_who_joins_before_a_fixed_driver_is_hit_unless_it_is_the_one_who_yields():
    env = drivemem_envs.make(drivemem_envs.scenario("driver-types").twin())
    seen: Counter[tuple[bool, str]] = Counter()
    for seed in range(6):
        outcome = drive(env, seed, before=seed % 2)
        seen[env.yielding == seed % 2, outcome] += 1
    assert set(seen) == {(True, "success"), (False, "collision")}


@pytest.mark.parametrize(("action", "outcome"), [(IDLE, "wrong_route"), (SLOWER, "timeout")])
def test_who_does_not_join_fails(action, outcome):
    assert end_with(drivemem_envs.make("driver-types"), action) == outcome


def test_where_they_start_does_not_tell_the_drivers_apart(monkeypatch):
    first = []
    for number in (0, 1):
        env = drivemem_envs.make("driver-types")
        made = DriverTypesWorld._make_vehicles

        def other(world: Any, number: int = number, made: Any = made) -> None:
            world.yielding = number
            made(world)

        monkeypatch.setattr(DriverTypesWorld, "_make_vehicles", other)
        first.append(env.reset(seed=3)[0])
        monkeypatch.undo()
        assert env.latent().argmax() == number
        assert not first[-1]["cue"].any()
    for key, value in first[0].items():
        np.testing.assert_array_equal(value, first[1][key])


def distance_wanted(kind: Any, speed: float) -> float:
    return float(kind.DISTANCE_WANTED + kind.TIME_WANTED * speed)


def test_they_keep_the_same_distance_at_the_speed_of_the_column_and_not_behind_the_tractor():
    config = drivemem_envs.scenario("driver-types").resolved_config()
    fast, slow = config["column_speed"], config["tractor_speed"]
    assert distance_wanted(Yielding, fast) == pytest.approx(distance_wanted(Pushing, fast))
    assert distance_wanted(Yielding, slow) < distance_wanted(Pushing, slow) - 4.0
