"""Rewards, terms and ends from facts about the ego equal highway-env's own, for every id."""

from importlib import import_module

import gymnasium
import highway_env  # noqa: F401
import numpy as np
import pytest
from highway_env.road.lane import CircularLane
from highway_env.vehicle.controller import ControlledVehicle, MDPVehicle

from drivemem_envs.compiled.tasks import reward as tasks
from drivemem_envs.highway_env_ids import HIGHWAY_ENV_IDS

pytestmark = pytest.mark.filterwarnings("ignore")


def family_of(env):
    for family in tasks.FAMILIES:
        module, _, name = family.path.partition(":")
        if isinstance(env, getattr(import_module(module), name)):
            return family.code
    raise AssertionError(type(env))


def facts_of(env, family, action):
    """The facts, read off live highway-env objects."""
    ego, network = env.vehicle, env.road.network
    facts = np.zeros(tasks.FACTS)
    lane = ego.lane_index
    targeted = family in (tasks.HIGHWAY, tasks.EXIT) and isinstance(ego, ControlledVehicle)
    if targeted or family == tasks.TWO_WAY:
        lane = ego.target_lane_index
    facts[tasks.CRASHED], facts[tasks.ON_ROAD] = ego.crashed, ego.on_road
    facts[tasks.SPEED], facts[tasks.HEADING], facts[tasks.X] = (
        ego.speed,
        ego.heading,
        *ego.position[:1],
    )
    facts[tasks.LANE] = lane[2]
    facts[tasks.LANES] = len(network.all_side_lanes(ego.lane_index))
    facts[tasks.SPEED_INDEX] = MDPVehicle.get_speed_index(ego)
    facts[tasks.SPEEDS] = getattr(ego, "target_speeds", np.zeros(3)).size
    facts[tasks.LATERAL] = ego.lane.local_coordinates(ego.position)[1]
    facts[tasks.LANE_CHANGE] = np.ndim(action) == 0 and action in (0, 2)
    facts[tasks.ACTION_NORM] = np.linalg.norm(action)
    facts[tasks.ON_STRAIGHT] = not isinstance(ego.lane, CircularLane)
    if family == tasks.MERGE:
        facts[tasks.MERGING] = sum(
            (v.target_speed - v.speed) / v.target_speed
            for v in env.road.vehicles
            if v.lane_index == ("b", "c", 2) and isinstance(v, ControlledVehicle)
        )
    if family == tasks.EXIT:
        facts[tasks.GOAL] = env._is_success()
    if family == tasks.INTERSECTION:
        facts[tasks.GOAL] = env.has_arrived(ego)
    if family == tasks.KEEPING:
        facts[tasks.LATERAL] = env.lane.local_coordinates(ego.position)[1]
        facts[tasks.LANE_WIDTH] = env.lane.width
    if family == tasks.PARKING:
        seen = env.observation_type_parking.observe()
        away = np.abs(seen["achieved_goal"] - seen["desired_goal"])
        facts[tasks.GOAL_DISTANCE] = np.dot(away, np.array(env.config["reward_weights"]))
        facts[tasks.GOAL] = env._is_success(seen["achieved_goal"], seen["desired_goal"])
    return facts


@pytest.mark.parametrize("identifier", HIGHWAY_ENV_IDS)
def test_reward_terms_and_end_are_highway_envs(identifier):
    env = gymnasium.make(identifier).unwrapped
    family = family_of(env)
    names = tasks.TERM_NAMES[family]
    terms = np.zeros(tasks.TERMS)
    for seed in range(2):
        env.reset(seed=seed)
        env.action_space.seed(seed)
        task = tasks.task_vector(family, env.config, end_x=getattr(env, "end_position", 370.0))
        time_s = 0.0
        for step in range(12):
            action = env.action_space.sample()
            _, expected, terminated, truncated, info = env.step(action)
            time_s += task[tasks.DECISION]
            facts = facts_of(env, family, action)
            tasks.reward_terms(task, facts, terms)
            for name, term in zip(names, terms, strict=False):
                assert term == float(info["rewards"][name]), name
            assert tasks.reward(task, facts, terms) == float(expected)
            assert tasks.is_terminated(task, facts) == bool(terminated)
            assert tasks.is_truncated(task, time_s, step + 1) == bool(truncated)
            if terminated or truncated:
                break
    env.close()


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("identifier", ["highway-fast-v0", "roundabout-v0", "exit-v0", "u-turn-v0"])
def test_the_configuration_is_followed(identifier, normalize):
    config = {
        "normalize_reward": normalize, "collision_reward": -3, "high_speed_reward": 0.7,
        "right_lane_reward": 0.3, "reward_speed_range": [5, 40], "duration": 3,
    }  # fmt: skip
    env = gymnasium.make(identifier, config=config).unwrapped
    family = family_of(env)
    env.reset(seed=1)
    task, terms, time_s = tasks.task_vector(family, env.config), np.zeros(tasks.TERMS), 0.0
    for step in range(4):
        _, expected, terminated, truncated, _ = env.step(4 if step < 2 else 2)
        time_s += task[tasks.DECISION]
        facts = facts_of(env, family, 4 if step < 2 else 2)
        tasks.reward_terms(task, facts, terms)
        assert tasks.reward(task, facts, terms) == float(expected)
        assert tasks.is_terminated(task, facts) == terminated
        assert tasks.is_truncated(task, time_s, step + 1) == truncated


def test_a_step_limit_truncates():
    config = gymnasium.make("two-way-v0").unwrapped.config
    task = tasks.task_vector(tasks.TWO_WAY, config, step_limit=15)
    assert not tasks.is_truncated(task, 14.0, 14)
    assert tasks.is_truncated(task, 15.0, 15)
