"""What compiled worlds reward, how their episodes end and with which metrics, to the last bit.

`test_vector_parity` compares every step of random driving; here drivers are chosen that bring
episodes of every family to every end that it can have.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import drivemem_envs
from drivemem_envs.compiled.dynamics.step import world_of
from drivemem_envs.compiled.export.scene import export
from drivemem_envs.compiled.tasks import world_edits
from drivemem_envs.compiled.worlds import scratch_for, stack
from drivemem_envs.making import compiles

CONTINUOUS = {"type": "ContinuousAction"}
LEFT, IDLE, RIGHT, FASTER, SLOWER = range(5)

# Scenario, changes, what each world does for ever, steps, ends that must occur.
ENDS = [
    ("exit-recall-v0", {}, [LEFT, IDLE, RIGHT, RIGHT], 60, {"success", "wrong_route", "collision"}),
    ("exit-recall-v0", {"config": {"exits_count": 4, "trucks_count": 0}}, [IDLE, RIGHT], 60,
     {"success", "wrong_route"}),
    ("occluded-intersection-v0", {}, [0, 1, 2, 2], 70, {"success", "collision"}),
    ("occluded-roundabout-v0", {}, [0, 1, 2, 2], 100, {"success", "collision"}),
    ("blackout-highway-v0", {}, [LEFT, IDLE, RIGHT, IDLE], 80, {"success", "collision"}),
    ("exit-v0", {"config": {"vehicles_count": 1}}, [SLOWER, SLOWER, RIGHT, IDLE], 60,
     {"success", "wrong_route", "timeout"}),
    ("merge-v0", {}, [LEFT, IDLE, RIGHT, FASTER], 40, {"success", "collision"}),
    ("roundabout-v0", {}, [LEFT, IDLE, RIGHT, SLOWER], 25, {"success", "collision", "stuck"}),
    ("intersection-v0", {"sensors": {"range_m": 12.0}}, [1, 1, 0, 1], 30, {"success", "stuck"}),
    ("u-turn-v0", {}, [LEFT, IDLE, RIGHT, SLOWER], 25, {"success", "collision"}),
    ("two-way-v0", {}, [0, 1, 2, 2], 20, {"collision"}),
    ("highway-fast-v0", {"config": {"action": CONTINUOUS, "offroad_terminal": True}},
     [[0, 0.5], [1, 0], [0.2, 0.05], [-1, 0]], 30, {"off_road", "collision"}),
    ("racetrack-v0", {}, [[0], [0.1], [-1], [1]], 30, {"off_road"}),
    ("parking-v0", {}, [[0, 0], [0.3, 0.1], [-1, 0.2], [1, 0]], 40, {"collision"}),
]  # fmt: skip

COMPILED = [
    name
    for name in drivemem_envs.scenario_names()
    if compiles(drivemem_envs.scenario(name)) is None
]


@pytest.mark.parametrize(("name", "changes", "plan", "steps", "ends"), ENDS)
def test_every_end_is_equal(name, changes, plan, steps, ends, compare_step_results):
    answer = compare_step_results(name, changes=changes, plan=plan, steps=steps)
    assert answer["difference"] is None
    assert ends <= set(answer["outcomes"])


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPILED)
def test_every_scenario_is_equal_to_the_end_of_its_episodes(name, compare_step_results):
    steps = 45 if name.startswith(("highway-v0", "racetrack", "lane-keeping")) else 110
    answer = compare_step_results(name, steps=steps, first_seed=400)
    assert answer["difference"] is None


@pytest.mark.parametrize(
    "config",
    [
        {"normalize_reward": False, "right_lane_reward": 0.3, "high_speed_reward": 0.7},
        {"reward_speed_range": [10, 40], "collision_reward": -5.0},
        {"duration": 4, "policy_frequency": 5, "simulation_frequency": 15},
    ],
)
def test_rewards_and_time_follow_the_configuration(config, compare_step_results):
    changes = {"config": config}
    answer = compare_step_results("highway-fast-v0", changes=changes, plan=[IDLE, RIGHT], steps=25)
    assert answer["difference"] is None


def test_collisions_of_hidden_origin_are_told(compare_step_results):
    changes = {"sensors": {"range_m": 8.0}}
    answer = compare_step_results("intersection-v0", changes=changes, plan=[2], steps=20)
    assert answer["difference"] is None
    assert answer["hidden_origin"] > 0


def test_taking_traffic_away_leaves_the_ego_wherever_it_is_in_the_list():
    env = drivemem_envs.make("intersection-v0")
    env.reset(seed=0)
    worlds = stack([export(env.unwrapped, own_time=True)])
    ego = int(worlds.world["ego"][0])
    assert ego > 0
    before, route = worlds.actors[0, ego].copy(), worlds.routes[0, ego].copy()
    world_edits.take_traffic_away.py_func(world_of.py_func(worlds, scratch_for(worlds, 1), 0, 0))
    assert (worlds.world["ego"][0], worlds.world["vehicles"][0]) == (0, 1)
    assert worlds.actors[0, 0] == before
    assert np.array_equal(worlds.routes[0, 0], route)


def test_the_table_covers_every_outcome_that_a_driver_can_cause():
    caused = Counter(end for *_, ends in ENDS for end in ends)
    assert set(caused) == {
        "collision", "off_road", "wrong_route", "success", "stuck", "timeout",
    }  # fmt: skip
