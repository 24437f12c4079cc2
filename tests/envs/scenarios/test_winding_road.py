"""Winding roads: the geometry joins up, and nothing gets through a bend but its one pace."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

import drivemem_envs
from drivemem_envs.scenarios.shared.winding_oracle import FASTER, IDLE, WayReader, braking_m
from drivemem_envs.scenarios.shared.winding_road import ARC_M, BEND_M, START_M, Guide

NAMES = ("changing-limits", "route-instructions")


@pytest.mark.parametrize("name", [*NAMES, "changing-limits-hard"])
def test_each_stretch_begins_where_the_last_one_ends(name):
    found = drivemem_envs.scenario(name)
    road = found.world_class().course_of(found.resolved_config())
    through = road.stretches[0].lanes // 2
    way = [each for each in road.stretches if each.branch in (-1, through)]
    for here, after in pairwise(way):
        assert after.way_m == pytest.approx(here.way_m + here.length)
        lanes = [road.network.get_lane((e.start, e.end, e.lanes // 2)) for e in (here, after)]
        end, start = lanes[0].position(here.length, 0.0), lanes[1].position(0.0, 0.0)
        np.testing.assert_allclose(end, start, atol=1e-9)
        turn = lanes[0].heading_at(here.length) - lanes[1].heading_at(0.0)
        assert np.cos(turn) == pytest.approx(1.0)
    reach = found.observation.features_range["x"][1]
    assert 0.8 * reach < -road.network.get_lane(("0", "1", 0)).position(0.0, 0.0)[0] < reach
    assert end[0] > 0.8 * reach


@pytest.mark.parametrize("name", NAMES)
def test_an_oracle_reads_where_the_ego_is(name):
    found = drivemem_envs.scenario(name)
    env = drivemem_envs.make(found.twin())
    observation, _ = env.reset(seed=3)
    road = found.world_class().course_of(found.resolved_config())
    view, forks, _ = WayReader(found, road).read(observation["vehicles"][None])[0]
    assert view.left_m == pytest.approx(road.stretches[0].length - START_M, abs=0.1)
    assert (view.lane, view.lanes, forks) == (road.stretches[0].lanes // 2, view.lanes, 0)
    gap = (
        min(v.position[0] for v in env.unwrapped.road.vehicles[1:])
        - env.unwrapped.vehicle.position[0]
    )
    assert gap <= min(view.cars[:, 0]) < 1.1 * gap  # in a bend the way is longer
    env.close()


def test_braking_takes_longer_from_higher_speeds():
    steps = (8.0, 14.0, 20.0, 26.0)
    ways = [braking_m(speed, steps) for speed in steps]
    assert ways[0] == 0.0 and all(a < b for a, b in pairwise(ways)) and ways[-1] < 60.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nothing_done_while_a_cue_is_shown_in_a_bend_leaves_a_trace(name, seed):
    """After all sequences of actions of that time and one more, who goes on goes the same way.

    So the ego's motion can store nothing of what was told there, whatever drives it.
    """
    found = drivemem_envs.scenario(name)
    rule, told_for = found.world_class().oracle(found), round(found.sensors.cue_window_s * 3) + 1
    sequences = np.array(list(product(range(5), repeat=told_for)))
    worlds = len(sequences)
    env = drivemem_envs.make_vec(found, num_envs=worlds)
    observation, _ = env.reset(seed=[seed] * worlds)
    over, decided, shown, out = np.zeros(worlds, bool), 0, [], 0.0
    while not decided or out > 0.0:
        out = observation["navigation"][~over][0, 2]
        if 0.0 < out <= ARC_M / BEND_M:
            actions = sequences[:, decided] if decided < told_for else np.full(worlds, IDLE)
            shown.append(observation["cue"][~over].any())
            decided += 1
        else:
            one = {key: part[:1] for key, part in observation.items()}
            actions = np.repeat(rule(one, np.zeros(1, int)), worlds)
        observation, _, terminated, truncated, _ = env.step(actions)
        over |= terminated | truncated
    assert shown[: told_for - 1] == [True] * (told_for - 1) and not any(shown[told_for:])
    np.testing.assert_array_equal(over, (sequences == FASTER).any(axis=1))
    for part in observation.values():
        assert (part[~over] == part[~over][:1]).all()
    env.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"rounds": 0}, "rounds is 0; choose 1 to 8"),
        ({"first_m": 5.0}, "first_m is 5.0"),
        ({"spacing_m": [80.0, 60.0]}, r"spacing_m is \[80, 60\]"),
    ],
)
def test_a_road_that_cannot_be_is_refused(name, config, message):
    with pytest.raises(ValueError, match=message):
        drivemem_envs.scenario(name).with_(config=config)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_episode(name):
    traces = []
    for _ in range(2):
        env = drivemem_envs.make(f"{name}-hard")
        observation, _ = env.reset(seed=11)
        trace = [observation["cue"], *env.unwrapped.drawn()]
        for action in (3, 3, 0, 1, 2, 4):
            observation, reward, *_ = env.step(action)
            trace += [reward, *observation["vehicles"].ravel()]
        traces.append(np.hstack(trace))
        env.close()
    np.testing.assert_array_equal(*traces)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_announced_shows_in_the_cue_alone(name):
    """With no time to see the cue, other draws of what is announced change no observation."""
    traces = []
    for flip in (False, True):
        env = drivemem_envs.make(name, sensors={"cue_window_s": 0.0})
        observation, _ = env.reset(seed=5)
        world = env.unwrapped
        half = world._drawn.shape[1] // 2
        if flip:
            world._drawn[:, half:] = (world._drawn[:, half:] + 1) % 3
            world._state = world._task.begin(world._drawn)
        trace = []
        for action in (1, 3, 3, 0, 3, 1, 4, 2, 4, 4, 1, 1):
            trace.append(np.hstack([part.ravel() for part in observation.values()]))
            observation, *_ = env.step(action)
        traces.append(np.array(trace))
        env.close()
    np.testing.assert_array_equal(*traces)


def test_navigation_tells_the_way_to_the_next_bend_and_out_of_it():
    env = drivemem_envs.make("route-instructions")
    env.reset(seed=0)
    course = env.unwrapped.course
    bend, fork = course.of("entry")[0].way_m, course.of("fork")[0].way_m
    way = np.array([bend - 30.0, bend + 10.0, fork - 15.0, course.goal_m + 1.0])
    told = Guide(course).tell(way)
    np.testing.assert_allclose(told[0, [0, 2]], [30.0 / 150.0, 0.0])
    np.testing.assert_allclose(told[1, 2], (BEND_M - 10.0) / BEND_M)
    np.testing.assert_allclose(told[2, 1], 15.0 / 150.0)
    np.testing.assert_allclose(told[3], [1.0, 1.0, 0.0])  # nothing is ahead any more
    assert ((told >= 0.0) & (told <= 1.0)).all()
