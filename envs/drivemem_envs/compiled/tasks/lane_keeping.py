"""highway-env's lane keeping: the lane to keep, and the AttributesObservation with its noise.

A world's task_state params (1 + STREAM,) are the lane's number (0, then 1) and the world's random
stream. Numbers (2,) are the rows of those two lanes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled import codes
from drivemem_envs.compiled.dynamics.control import take_low_level_action
from drivemem_envs.compiled.dynamics.kinematics import derivative
from drivemem_envs.compiled.dynamics.lanes import heading_at, is_on_lane, local_coordinates
from drivemem_envs.compiled.export.supported import refuse
from drivemem_envs.compiled.random import copy_stream, uniform
from drivemem_envs.compiled.records import OneWorld

_LANES = (("c", "d", 0), ("a", "b", 0))
_LANE, _STREAM = 0, 1

# What can be observed, by code. Each but the last draws its noise when it is looked at.
ATTRIBUTES = ("state", "derivative", "reference_state")
_STATE, _DERIVATIVE = 0, 1
SIZE = 4
"""Values of each attribute: y m, heading rad, lateral speed m/s, yaw rate rad/s, or their rates."""


def attribute_codes(attributes: Any) -> Ints:
    """Codes of the attributes observed (A,).

    Raises:
        CompiledUnsupported: an attribute that the kernel does not know, or one twice.
    """
    unknown = sorted(set(attributes) - set(ATTRIBUTES))
    refuse(bool(unknown), f"the attributes {', '.join(unknown)}")
    refuse(len(set(attributes)) < len(attributes), "an attribute observed twice")
    return np.array([ATTRIBUTES.index(name) for name in attributes], dtype=np.int64)


def noises_of(config: Mapping[str, Any]) -> Floats:
    """Largest noise of each attribute (3,), from the environment's configuration."""
    return np.array([config["state_noise"], config["derivative_noise"], 0.0])


def task_state_of(env: Any) -> list[int]:
    """The task_state params of a live world, as they were before its first observation."""
    bits = copy.deepcopy(env.np_random.bit_generator)
    attributes = env.config["observation"].get("attributes", ())
    bits.advance(-SIZE * sum(name != "reference_state" for name in attributes))
    return [len(_LANES) - 1 - len(env.lanes), *copy_stream(np.random.Generator(bits)).tolist()]


def params_of(lanes: Mapping[tuple[str, str, int], int]) -> list[float]:
    """The params of a world whose lanes have these rows."""
    return [float(lanes[index]) for index in _LANES]


@jit
def steer(one: OneWorld, params: Floats, task_state: Ints, action: NDArray[np.float32]) -> None:
    """What `LaneKeepingEnv.step` does before it observes; the frames come after that.

    Args:
        one: the world.
        params: see the module (2,).
        task_state: see the module.
        action: (2,) what the agent chose.
    """
    ego = one.actors[one.world[0].ego]
    if task_state[_LANE] == 0:
        lane = one.lanes[int(params[0])]
        longitudinal, lateral = local_coordinates(lane, one.points, ego.x, ego.y)
        if not is_on_lane(lane, one.points, longitudinal, lateral, 0.0):
            task_state[_LANE] = 1
    take_low_level_action(one, action)


@jit
def show(
    one: OneWorld, params: Floats, task_state: Ints, codes: Ints, noises: Floats, parts: Floats
) -> None:
    """Write the observation.

    Args:
        one: the world.
        params: see the module (2,).
        task_state: see the module; its stream is drawn from.
        codes: of the attributes (A,).
        noises: largest noise of each of `ATTRIBUTES` (3,).
        parts: written (A, 4).
    """
    ego = one.actors[one.world[0].ego]
    state = (ego.x, ego.y, ego.heading, ego.speed, ego.lateral_speed, ego.yaw_rate)
    rates = derivative(ego, one.drivers[ego.driver], state)
    lane = one.lanes[int(params[task_state[_LANE]])]
    longitudinal, lateral = local_coordinates(lane, one.points, ego.x, ego.y)
    for row in range(codes.shape[0]):
        if codes[row] == _STATE:
            parts[row, 0], parts[row, 1] = state[1], state[2]
            parts[row, 2], parts[row, 3] = state[4], state[5]
        elif codes[row] == _DERIVATIVE:
            parts[row, 0], parts[row, 1] = rates[1], rates[2]
            parts[row, 2], parts[row, 3] = rates[4], rates[5]
        else:
            parts[row, 0] = state[1] - lateral
            parts[row, 1] = heading_at(lane, one.points, longitudinal)
            parts[row, 2], parts[row, 3] = 0.0, 0.0
            continue
        most = noises[codes[row]]
        for column in range(SIZE):
            parts[row, column] += uniform(task_state[_STREAM:], -most, most)


@jit
def find_facts(one: OneWorld, params: Floats, task_state: Ints, facts: Floats) -> None:
    """Write where the ego is on the lane to keep.

    Args:
        one: the world.
        params: see the module (2,).
        task_state: see the module.
        facts: written (FACTS,).
    """
    ego = one.actors[one.world[0].ego]
    lane = one.lanes[int(params[task_state[_LANE]])]
    _, lateral = local_coordinates(lane, one.points, ego.x, ego.y)
    facts[codes.LATERAL], facts[codes.LANE_WIDTH] = lateral, lane.width
