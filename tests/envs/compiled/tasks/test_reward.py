"""Rewards, terms and ends from facts about the ego equal highway-env's own, for every id."""

from types import SimpleNamespace

import gymnasium
import highway_env  # noqa: F401
import numpy as np
import pytest
from highway_env.road.lane import CircularLane
from highway_env.vehicle.controller import ControlledVehicle, MDPVehicle

from drivemem_envs.compiled import codes, families
from drivemem_envs.compiled.task_vector import task_vector
from drivemem_envs.compiled.tasks.reward import is_terminated, is_truncated, reward, reward_terms
from drivemem_envs.highway_env_ids import HIGHWAY_ENV_IDS

TWO_WAY = next(one for one in families.FAMILIES if one.code == codes.TWO_WAY)

pytestmark = pytest.mark.filterwarnings("ignore")


def family_of(env):
    return families.family_of(SimpleNamespace(world_class=lambda: type(env)))


def facts_of(env, family, action):
    """The facts, read off live highway-env objects."""
    ego, network = env.vehicle, env.road.network
    facts = np.zeros(codes.FACTS)
    lane = ego.lane_index
    targeted = family in (codes.HIGHWAY, codes.EXIT) and isinstance(ego, ControlledVehicle)
    if targeted or family == codes.TWO_WAY:
        lane = ego.target_lane_index
    facts[codes.CRASHED], facts[codes.ON_ROAD] = ego.crashed, ego.on_road
    facts[codes.SPEED], facts[codes.HEADING], facts[codes.X] = (
        ego.speed,
        ego.heading,
        *ego.position[:1],
    )
    facts[codes.LANE] = lane[2]
    facts[codes.LANES] = len(network.all_side_lanes(ego.lane_index))
    facts[codes.SPEED_INDEX] = MDPVehicle.get_speed_index(ego)
    facts[codes.SPEEDS] = getattr(ego, "target_speeds", np.zeros(3)).size
    facts[codes.LATERAL] = ego.lane.local_coordinates(ego.position)[1]
    facts[codes.LANE_CHANGE] = np.ndim(action) == 0 and action in (0, 2)
    facts[codes.ACTION_NORM] = np.linalg.norm(action)
    facts[codes.ON_STRAIGHT] = not isinstance(ego.lane, CircularLane)
    if family == codes.MERGE:
        facts[codes.MERGING] = sum(
            (v.target_speed - v.speed) / v.target_speed
            for v in env.road.vehicles
            if v.lane_index == ("b", "c", 2) and isinstance(v, ControlledVehicle)
        )
    if family == codes.EXIT:
        facts[codes.GOAL] = env._is_success()
    if family == codes.INTERSECTION:
        facts[codes.GOAL] = env.has_arrived(ego)
    if family == codes.KEEPING:
        facts[codes.LATERAL] = env.lane.local_coordinates(ego.position)[1]
        facts[codes.LANE_WIDTH] = env.lane.width
    if family == codes.PARKING:
        seen = env.observation_type_parking.observe()
        away = np.abs(seen["achieved_goal"] - seen["desired_goal"])
        facts[codes.GOAL_DISTANCE] = np.dot(away, np.array(env.config["reward_weights"]))
        facts[codes.GOAL] = env._is_success(seen["achieved_goal"], seen["desired_goal"])
    return facts


@pytest.mark.parametrize("identifier", HIGHWAY_ENV_IDS)
def test_reward_terms_and_end_are_highway_envs(identifier):
    env = gymnasium.make(identifier).unwrapped
    family = family_of(env)
    names = family.terms
    terms = np.zeros(codes.TERMS)
    for seed in range(2):
        env.reset(seed=seed)
        env.action_space.seed(seed)
        task = task_vector(family, env.config, end_x=getattr(env, "end_position", 370.0))
        time_s = 0.0
        for step in range(12):
            action = env.action_space.sample()
            _, expected, terminated, truncated, info = env.step(action)
            time_s += task[codes.DECISION]
            facts = facts_of(env, family.code, action)
            reward_terms(task, facts, terms)
            for name, term in zip(names, terms, strict=False):
                assert term == float(info["rewards"][name]), name
            assert reward(task, facts, terms) == float(expected)
            assert is_terminated(task, facts) == bool(terminated)
            assert is_truncated(task, time_s, step + 1) == bool(truncated)
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
    task, terms, time_s = task_vector(family, env.config), np.zeros(codes.TERMS), 0.0
    for step in range(4):
        _, expected, terminated, truncated, _ = env.step(4 if step < 2 else 2)
        time_s += task[codes.DECISION]
        facts = facts_of(env, family.code, 4 if step < 2 else 2)
        reward_terms(task, facts, terms)
        assert reward(task, facts, terms) == float(expected)
        assert is_terminated(task, facts) == terminated
        assert is_truncated(task, time_s, step + 1) == truncated


def test_a_step_limit_truncates():
    config = gymnasium.make("two-way-v0").unwrapped.config
    task = task_vector(TWO_WAY, config, step_limit=15)
    assert not is_truncated(task, 14.0, 14)
    assert is_truncated(task, 15.0, 15)
