from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivemem_envs

LEFT, IDLE, RIGHT = range(3)


def drive(env: Any, seed: int, exit_of: Any) -> tuple[list[Any], dict[str, Any]]:
    """Avoid the trucks, then choose by rule; returns observations from the fork on, last info."""
    observation, _ = env.reset(seed=seed)
    at_fork: list[Any] = []
    while True:
        if env.passed_gate:
            at_fork.append(observation)
            away = exit_of(env) - env.middle
            target = env.vehicle.target_lane_index[2] - env.middle
            action = IDLE if away == target else LEFT if away < target else RIGHT
        else:
            free = [lane for lane in range(env.config["exits_count"]) if not blocked(env, lane)]
            lane = min(free, key=lambda lane: abs(lane - env.vehicle.target_lane_index[2]))
            own = env.vehicle.target_lane_index[2]
            action = IDLE if lane == own else LEFT if lane < own else RIGHT
        observation, _, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            return at_fork, info


def blocked(env: Any, lane: int) -> bool:
    return any(v.lane_index == ("a", "b", lane) for v in env.road.vehicles if v is not env.vehicle)


@pytest.mark.parametrize("exits", [2, 3, 5])
def test_who_knows_the_sign_succeeds_always(exits):
    env = drivemem_envs.make("exit-recall-v0", config={"exits_count": exits})
    named = set()
    for seed in range(8):
        _, info = drive(env, seed, lambda world: world.exit)
        named.add(env.exit)
        assert info["outcome"] == "success"
    assert len(named) > 1


def test_another_exit_is_the_wrong_route():
    env = drivemem_envs.make("exit-recall-v0")
    for seed in range(4):
        _, info = drive(env, seed, lambda world: (world.exit + 1) % 3)
        assert info["outcome"] == "wrong_route"


def test_at_the_fork_nothing_tells_which_exit_was_named():
    """So no memoryless driver can be right more often than 1 in K."""
    env = drivemem_envs.make("exit-recall-v0")
    seen: dict[int, list[Any]] = {}
    for seed in range(20):
        observations, _ = drive(env, seed, lambda world: 0)
        seen.setdefault(env.exit, observations)
    assert len(seen) == 3
    first, *others = seen.values()
    for other in others:
        for a, b in zip(first, other, strict=True):
            assert a.keys() == b.keys()
            for key in a:
                np.testing.assert_array_equal(a[key], b[key])


def test_the_sign_is_shown_for_a_second_and_in_the_twin_always():
    scenario = drivemem_envs.scenario("exit-recall-v0")
    for limited in (True, False):
        env = drivemem_envs.make(scenario if limited else scenario.twin())
        observation, _ = env.reset(seed=0)
        shown = [observation["cue"].sum()]
        shown += [env.step(IDLE)[0]["cue"].sum() for _ in range(7)]
        assert shown == ([1, 1, 1, 1, 1, 0, 0, 0] if limited else [1] * 8)
        np.testing.assert_array_equal(env.latent(), np.eye(3)[env.exit])


def test_the_trucks_must_be_passed():
    env = drivemem_envs.make("exit-recall-v0")
    outcomes = []
    for seed in range(8):
        env.reset(seed=seed)
        ended = False
        while not ended:
            *_, ended, _, info = env.step(IDLE)
        outcomes.append(info["outcome"])
    assert "collision" in outcomes


@pytest.mark.parametrize("exits", [1, 6])
def test_exits_out_of_reach_are_refused(exits):
    with pytest.raises(ValueError, match="choose 2 to 5"):
        drivemem_envs.make("exit-recall-v0", config={"exits_count": exits})


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_the_fork_comes_a_memory_horizon_after_the_sign(level):
    scenario = drivemem_envs.scenario(f"exit-recall-{level}")
    env = drivemem_envs.make(scenario)
    for seed in range(4):
        at_fork, _ = drive(env, seed, lambda world: world.exit)
        fork_s = env.time - len(at_fork) * scenario.decision_s
        hidden_s = fork_s - scenario.sensors.cue_window_s
        assert hidden_s == pytest.approx(scenario.memory_horizon_s, abs=0.3)
