"""How an episode ended: exactly one outcome, for every world of highway-env and drivemem.

Tested in this order: collision, off_road, wrong_route, violation (of a
traffic rule), success, stuck, timeout.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from highway_env.envs.common.abstract import AbstractEnv
from highway_env.envs.exit_env import ExitEnv
from highway_env.envs.intersection_env import IntersectionEnv
from highway_env.envs.parking_env import ParkingEnv

from drivemem_envs._jit import Floats, jit

Outcome = Literal[
    "collision", "off_road", "wrong_route", "violation", "success", "stuck", "timeout"
]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
COLLISION, OFF_ROAD, WRONG_ROUTE, VIOLATION, SUCCESS, STUCK, TIMEOUT = range(len(OUTCOMES))

STUCK_SPEED = 0.5
"""Slower than this for most of the last third of the episode is stuck, m/s."""

EXIT_X = 500.0
"""Where highway-env's exit lies behind the ego, m (`ExitEnv._create_road`)."""


def outcome_of(env: AbstractEnv, terminated: bool, speeds: Floats) -> Outcome:
    """The outcome of an episode that ends now.

    Success is the world's own `is_success()`, or else: arrived (intersection), the exit lane
    taken (exit), parked (parking), terminated without a crash (merge: the end of the road is
    reached), or, in worlds that only a time limit ends, unharmed at the time limit and not stuck.

    Args:
        env: highway-env's world after its last step; what it may define for itself is told at
            `ReferenceEnvironment`.
        terminated: whether the world itself ended the episode.
        speeds: (T,) ego's speed at each decision, m/s.
    """
    stuck = bool(is_stuck(speeds))
    code = first_outcome(
        crashed=bool(env.vehicle.crashed),
        off_road=not env.vehicle.on_road and not isinstance(env, ParkingEnv),
        wrong=_wrong_route(env),
        violation=bool(hasattr(env, "is_violation") and env.is_violation()),
        success=_success(env, terminated, stuck),
        stuck=stuck,
    )
    return OUTCOMES[code]


@jit
def first_outcome(
    crashed: bool, off_road: bool, wrong: bool, violation: bool, success: bool, stuck: bool
) -> int:
    """The code of the one outcome: the first that holds."""
    if crashed:
        return COLLISION
    if off_road:
        return OFF_ROAD
    if wrong:
        return WRONG_ROUTE
    if violation:
        return VIOLATION
    if success:
        return SUCCESS
    return STUCK if stuck else TIMEOUT


@jit
def is_stuck(speeds: Floats) -> bool:
    """Whether the ego stood for most of the last third of its episode.

    Args:
        speeds: (T,) ego's speed at each decision, m/s.
    """
    last = max(1, len(speeds) // 3)
    slow = 0
    for step in range(len(speeds) - last, len(speeds)):
        if abs(speeds[step]) < STUCK_SPEED:
            slow += 1
    return slow / last > 0.5


def _success(env: Any, terminated: bool, stuck: bool) -> bool:
    if hasattr(env, "is_success"):
        return bool(env.is_success())
    if isinstance(env, IntersectionEnv):
        return bool(env.has_arrived(env.vehicle))
    if isinstance(env, ExitEnv):
        return bool(env._is_success())
    if isinstance(env, ParkingEnv):
        goal = env.observation_type_parking.observe()
        return bool(env._is_success(goal["achieved_goal"], goal["desired_goal"]))
    return terminated or not stuck


def _wrong_route(env: Any) -> bool:
    if hasattr(env, "is_wrong_route"):
        return bool(env.is_wrong_route())
    if isinstance(env, ExitEnv):
        return bool(not env._is_success() and env.vehicle.position[0] > EXIT_X)
    return False


def ego_x(env: Any) -> float:
    """The x of the ego's own row: along the exit lane in the exit world (`ExitObservation`)."""
    if isinstance(env, ExitEnv):
        lane = env.road.network.get_lane(("1", "2", -1))
        return float(lane.local_coordinates(env.vehicle.position)[0])
    return float(env.vehicle.position[0])
