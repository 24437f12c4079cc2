from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import drivemem_envs
from drivemem_envs import registry
from drivemem_envs.drivers import make_driver
from drivemem_envs.scenarios.commitment import CommitmentWorld

NAMES = [
    f"{name}-{level}"
    for name in registry.SUITE
    for level in registry.LEVELS
    if issubclass(drivemem_envs.scenario(name).world_class(), CommitmentWorld)
]
EASY = [name for name in NAMES if name.endswith("-easy")]
CARS = ("hidden-crossing", "truck-overtake", "blind-merge")
"""Where a car is to be remembered and its last place says all."""
SEEDS = 40


def until_release(env: Any, seed: int, act: Any) -> list[Any]:
    """Observations up to the one on which the choice is made."""
    observation, _ = env.reset(seed=seed)
    seen = [observation]
    while env.clock < env._script.release:
        observation, *_ = env.step(act(env.clock))
        seen.append(observation)
    return seen


@cache
def episodes(name: str, tracker: str = "none") -> list[tuple[int, dict[str, Any], list[str]]]:
    """By seed: the kind, the observations up to the choice (T, ...), the outcome of each choice."""
    worlds = drivemem_envs.make_vec(
        name, 3 * SEEDS, seeds=lambda world, episode: world // 3, tracker=tracker
    )
    choices = np.arange(3 * SEEDS) % 3
    observation, _ = worlds.reset()
    kinds = worlds.latent().argmax(axis=1)
    frames, outcomes = [observation], np.full(3 * SEEDS, "", dtype=object)
    live = drivemem_envs.make(name)
    live.reset(seed=0)
    while not outcomes.all():
        observation, _, terminated, truncated, infos = worlds.step(choices)
        if len(frames) <= live._script.release:
            frames.append(observation)
        for world in np.flatnonzero(terminated | truncated):
            outcomes[world] = outcomes[world] or infos["final_info"]["outcome"][world]
    worlds.close()
    seen = {key: np.stack([frame[key] for frame in frames]) for key in frames[0]}
    return [
        (
            int(kinds[world]),
            {key: value[:, world] for key, value in seen.items()},
            list(outcomes[world : world + 3]),
        )
        for world in range(0, 3 * SEEDS, 3)
    ]


def test_eight_scenarios_are_of_this_sort():
    assert len(NAMES) == 24


@pytest.mark.parametrize("name", NAMES)
def test_the_frame_at_the_choice_is_the_same_whatever_was_seen_before(name):
    kinds = {kind for kind, *_ in episodes(name)}
    assert kinds == set(range(max(kinds) + 1))
    (_, first, _), *others = episodes(name)
    for _, seen, _ in others:
        for key, value in seen.items():
            np.testing.assert_array_equal(value[-1], first[key][-1])


@pytest.mark.parametrize("name", NAMES)
def test_what_was_seen_before_tells_the_kinds_apart(name):
    """Yet nothing that was seen is in the frames of the last half of the memory horizon."""
    scenario = drivemem_envs.scenario(name)
    blind = int(scenario.memory_horizon_s / scenario.decision_s / 2)
    told: dict[int, set[bytes]] = {}
    hidden = set()
    for kind, seen, _ in episodes(name):
        early = [seen["vehicles"][:-blind], seen["cue"][:-blind]]
        told.setdefault(kind, set()).add(b"".join(part.tobytes() for part in early))
        hidden.add(seen["vehicles"][-blind:].tobytes() + seen["cue"][-blind:].tobytes())
    for kind, others in told.items():
        assert not any(others & told[other] for other in told if other != kind)
    assert len(hidden) == 1


@pytest.mark.parametrize("tracker", ["hold_last", "constant_velocity"])
@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(CARS)])
def test_a_tracker_carries_a_car_up_to_the_choice_at_every_level(name, tracker):
    shown: dict[int, set[bytes]] = {}
    for kind, seen, _ in episodes(name, tracker):
        shown.setdefault(kind, set()).add(seen["vehicles"][-1].tobytes())
    for kind, frames in shown.items():
        assert not any(frames & shown[other] for other in shown if other != kind)


@pytest.mark.parametrize("name", NAMES)
def test_no_choice_is_right_more_often_than_the_ceiling(name):
    """Whoever sees the frame alone chooses by it alone: the best is the best single choice."""
    by_kind: dict[int, list[list[float]]] = {}
    for kind, _, outcomes in episodes(name):
        by_kind.setdefault(kind, []).append([float(each == "success") for each in outcomes])
    success = np.mean([np.mean(rows, axis=0) for rows in by_kind.values()], axis=0)
    assert success.max() == pytest.approx(1 / len(by_kind))
    assert drivemem_envs.scenario(name).ceiling.startswith(f"1/{len(by_kind)}")


@pytest.mark.parametrize("name", NAMES)
def test_who_knows_the_kind_succeeds_always(name):
    answers = drivemem_envs.scenario(name).world_class().answers
    for kind, _, outcomes in episodes(name):
        assert outcomes[answers[kind]] == "success"


@pytest.mark.parametrize("name", EASY)
def test_the_scripted_driver_is_told_and_succeeds(name):
    twin = drivemem_envs.scenario(name).twin()
    worlds = drivemem_envs.make_vec(twin, 2, backend="reference")
    driver = make_driver("scripted", twin, worlds.single_action_space)
    observation, _ = worlds.reset(seed=0)
    state, starts, outcomes = None, np.ones(2, dtype=bool), []
    while len(outcomes) < 6:
        actions, state = driver.predict(observation, state, starts)
        observation, _, terminated, truncated, infos = worlds.step(actions)
        starts = terminated | truncated
        outcomes += [infos["final_info"]["outcome"][world] for world in np.flatnonzero(starts)]
    assert set(outcomes) == {"success"}


@pytest.mark.parametrize("name", EASY)
def test_nothing_can_be_stored_in_what_the_ego_does(name):
    """Actions before the choice change nothing, so motion carries no memory."""
    env = drivemem_envs.make(name)
    draws = np.random.default_rng(0).integers(3, size=1000)
    for seed in range(3):
        still = until_release(env, seed, lambda clock: 1)
        restless = until_release(env, seed, lambda clock: int(draws[clock]))
        for a, b in zip(still, restless, strict=True):
            for key in a:
                np.testing.assert_array_equal(a[key], b[key])


@pytest.mark.parametrize("name", EASY)
def test_the_twin_is_told_the_kind_at_every_decision(name):
    env = drivemem_envs.make(drivemem_envs.scenario(name).twin())
    for frame in until_release(env, 3, lambda clock: 1):
        np.testing.assert_array_equal(frame["cue"], env.latent())


def test_data_that_do_not_fit_the_kinds_are_refused():
    with pytest.raises(ValueError, match="arrival_s of car 0 has 2 entries for 3 kinds"):
        drivemem_envs.make("hidden-crossing", config={"deadline_s": [5.0] * 3}).reset(seed=0)
