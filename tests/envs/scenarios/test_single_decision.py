from __future__ import annotations

import re
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest

import drivemem_envs
from drivemem_envs.drivers import make_driver
from drivemem_envs.names import LEVELS, SUITE
from drivemem_envs.scenarios.shared.single_decision import (
    FASTER,
    IDLE,
    SLOWER,
    SingleDecisionWorld,
)

NAMES = [
    f"{name}-{level}"
    for name in SUITE
    for level in LEVELS
    if issubclass(drivemem_envs.scenario(name).world_class(), SingleDecisionWorld)
]
EASY = [name for name in NAMES if name.endswith("-easy")]
CARS = ("hidden-crossing", "truck-overtake", "blind-merge")
"""Where a car is to be remembered and its last place says all."""
TIMED = (
    "hidden-crossing",
    "yield-recall",
    "signal-recall",
    "occluded-intersection",
    "occluded-roundabout",
)
"""Where waiting makes a choice."""
SEEDS = 40


def until_the_decision(env: Any, seed: int, act: Any) -> list[Any]:
    """Observations up to the one on which the choice is made."""
    observation, _ = env.reset(seed=seed)
    seen = [observation]
    while env.clock < env._script.decision_step:
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
        if len(frames) <= live._script.decision_step:
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


def test_ceilings_are_stated_where_they_are_proven_and_nowhere_else():
    """Here, for exit-recall in its own tests, and for route-instructions in those of its road."""
    stated = {
        f"{name}-{level}"
        for name in SUITE
        for level in LEVELS
        if drivemem_envs.scenario(f"{name}-{level}").ceiling_success is not None
    }
    elsewhere = {f"exit-recall-{level}" for level in LEVELS}
    assert stated == {*NAMES, *elsewhere, "route-instructions-easy", "route-instructions-medium"}


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
    """It was seen up to about a memory horizon before the choice, and not again."""
    scenario = drivemem_envs.scenario(name)
    frames = [
        (kind, [b"".join(map(bytes, frame)) for frame in zip(*seen.values(), strict=True)])
        for kind, seen, _ in episodes(name)
    ]
    differ = [len(set(at_once)) > 1 for at_once in zip(*(each for _, each in frames), strict=True)]
    choice = len(differ) - 1
    last = max(np.flatnonzero(differ))
    assert (choice - last) * scenario.decision_s == pytest.approx(
        scenario.memory_horizon_s, abs=0.85
    )
    told: dict[int, set[bytes]] = {}
    for kind, each in frames:
        told.setdefault(kind, set()).add(b"".join(each[: last + 1]))
    for kind, others in told.items():
        assert not any(others & told[other] for other in told if other != kind)


def unseen_s(name: str) -> dict[int, list[float]]:
    """By kind, how long before the choice others went out of sight; inf: none was ever seen."""
    found: dict[int, list[float]] = {}
    for kind, seen, _ in episodes(name):
        present = seen["vehicles"][:, 1:, 0]
        differ = np.flatnonzero((present != present[-1]).any(axis=1))
        steps = len(present) - 1 - differ[-1] if len(differ) else np.inf
        found.setdefault(kind, []).append(steps * drivemem_envs.scenario(name).decision_s)
    return found


@pytest.mark.parametrize(("level", "hidden_s"), [("easy", 3.0), ("medium", 6.0), ("hard", 11.0)])
def test_on_the_roundabout_a_car_of_an_earlier_gap_was_seen_earlier(level, hidden_s):
    unseen = unseen_s(f"occluded-roundabout-{level}")
    for kind in (0, 1):  # a car comes in the third gap
        assert hidden_s <= min(unseen[kind]) < hidden_s + 1
    assert min(unseen[2]) - min(unseen[0]) == pytest.approx(2.0, abs=0.3)


def test_only_at_hard_a_late_car_is_not_seen_before_the_overtaking():
    for level in LEVELS:
        early, late = (unseen_s(f"truck-overtake-{level}")[kind] for kind in (0, 1))
        assert np.isfinite(early).all()
        assert np.isinf(late).all() if level == "hard" else np.isfinite(late).all()


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
    assert drivemem_envs.scenario(name).ceiling_success == pytest.approx(1 / len(by_kind))


@pytest.mark.parametrize("name", NAMES)
def test_who_knows_the_kind_succeeds_always(name):
    oracle_actions = drivemem_envs.scenario(name).world_class().oracle_actions
    for kind, _, outcomes in episodes(name):
        assert outcomes[oracle_actions[kind]] == "success"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("name", "outcome"), [("signal-recall", "violation"), ("truck-overtake", "timeout")]
)
def test_the_middle_choice_is_right_for_no_kind(name, outcome, level):
    assert {outcomes[IDLE] for _, _, outcomes in episodes(f"{name}-{level}")} == {outcome}


def doc_of(name: str) -> str:
    """A scenario's docstring, in one line."""
    module = sys.modules[drivemem_envs.scenario(name).world_class().__module__]
    return " ".join((module.__doc__ or "").split())


@pytest.mark.parametrize("name", [name for name in EASY if name.startswith(TIMED)])
def test_choices_come_when_and_as_much_apart_as_the_docstring_says(name):
    doc = doc_of(name)
    (way_m,) = map(float, re.findall(r"They count once, (\d+) m before", doc))
    ((*later_s, _),) = re.findall(r"([\d.]+) s (?:and ([\d.]+) s )?(later)", doc)
    times = {choice: time_to(name, choice, way_m) for choice in (SLOWER, IDLE, FASTER)}
    measured = [times[choice] - times[FASTER] for choice in (IDLE, SLOWER)]
    said = [float(each) for each in later_s if each]
    np.testing.assert_allclose(measured[-len(said) :], said, atol=0.1)


def test_on_the_ramp_the_choice_is_made_as_far_before_the_nose_as_the_docstring_says():
    env = drivemem_envs.make("blind-merge")
    until_the_decision(env, 0, lambda clock: IDLE)
    (barrier,) = env.occluders()
    nose_m = barrier[0] + barrier[3] / 2 - env.vehicle.position[0]
    assert f"They count once, {nose_m:.0f} m before the nose" in doc_of("blind-merge")


def time_to(name: str, choice: int, way_m: float) -> float:
    """When the ego has driven so far since the choice, s; in scenes where it gets there."""
    env = drivemem_envs.make(name)
    for seed in range(SEEDS):
        env.reset(seed=seed)
        driven, ended = [0.0], False
        while driven[-1] < way_m and not ended:
            here = env.vehicle.position.copy()
            *_, terminated, truncated, _ = env.step(choice)
            ended = terminated or truncated
            if env.clock > env._script.decision_step:
                driven.append(driven[-1] + float(np.linalg.norm(env.vehicle.position - here)))
        if driven[-1] >= way_m:
            seconds = np.arange(len(driven)) * drivemem_envs.scenario(name).decision_s
            return float(np.interp(way_m, driven, seconds))
    raise AssertionError(f"{name}: choice {choice} never drives {way_m} m")


@pytest.mark.parametrize("name", EASY)
def test_the_oracle_is_told_and_succeeds(name):
    twin = drivemem_envs.scenario(name).twin()
    worlds = drivemem_envs.make_vec(twin, 2, backend="reference")
    driver = make_driver("oracle", twin, worlds.single_action_space)
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
        still = until_the_decision(env, seed, lambda clock: 1)
        restless = until_the_decision(env, seed, lambda clock: int(draws[clock]))
        for a, b in zip(still, restless, strict=True):
            for key in a:
                np.testing.assert_array_equal(a[key], b[key])


@pytest.mark.parametrize("name", EASY)
def test_the_twin_is_told_the_kind_at_every_decision(name):
    env = drivemem_envs.make(drivemem_envs.scenario(name).twin())
    for frame in until_the_decision(env, 3, lambda clock: 1):
        np.testing.assert_array_equal(frame["cue"], env.latent())


def test_data_that_do_not_fit_the_kinds_are_refused():
    with pytest.raises(ValueError, match="arrival_s of car 0 has 2 entries for 3 latent classes"):
        drivemem_envs.make("hidden-crossing", config={"deadline_s": [5.0] * 3}).reset(seed=0)
