"""Actions that no world takes are refused by either backend, naming world and value."""

from __future__ import annotations

import math

import numpy as np
import pytest

from drivemem_envs import make, make_vec
from drivemem_envs.actions import check_rewards

BACKENDS = pytest.mark.parametrize("backend", ["reference", "compiled"])


@BACKENDS
@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([1.0, math.nan], "action nan of world 1.*takes 0 to 4"),
        ([math.inf, 1.0], "action inf of world 0"),
        ([1, 5], "action 5 of world 1"),
        ([-1, 1], "action -1 of world 0"),
        ([1.5, 1.0], "action 1.5 of world 0"),
        ([1, 1, 1], "shape"),
        ([[1, 1], [1, 1]], "shape"),
        (["left", "right"], "takes 0 to 4"),
        (None, "actions are None"),
    ],
)
def test_discrete_actions_that_are_none_are_refused(backend, actions, message):
    env = make_vec("highway-fast-v0", 2, backend=backend)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(actions)
    env.step([1, 1])


@BACKENDS
@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([[0.0, 0.0], [math.nan, 0.0]], r"action \[nan, 0.0\] of world 1.*2 finite numbers"),
        ([[0.0, -math.inf], [0.0, 0.0]], "of world 0"),
        ([0.0, 0.0], "shape"),
        ([[0.0], [0.0]], "shape"),
        ([[0.0, 0.0, 0.0]] * 2, "shape"),
    ],
)
def test_continuous_actions_that_are_not_finite_are_refused(backend, actions, message):
    env = make_vec("intersection-v1", 2, backend=backend)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(actions)
    env.step(np.zeros((2, 2)))


def test_a_single_world_refuses_them_too():
    env = make("highway-fast-v0")
    env.reset(seed=0)
    for wrong in (math.nan, 5, -1, None, [1, 1]):
        with pytest.raises(ValueError, match="action"):
            env.step(wrong)
    env.step(np.int64(1))


def test_a_reward_that_is_not_finite_is_named():
    with pytest.raises(ValueError, match=r"reward nan of world 2.*mine-v0"):
        check_rewards("mine-v0", [0.0, 1.0, math.nan])
