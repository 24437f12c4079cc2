"""Low-level control and the agent's actions: highway_env.vehicle.controller, common.action.

`ControlledVehicle` steers towards its target lane and tracks its target speed; `MDPVehicle` adds
the discrete speeds of the agent's meta actions.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, jit
from drivemem_envs.compiled.dynamics.lanes import heading_at, is_reachable, wrap_to_pi
from drivemem_envs.compiled.dynamics.network import coordinates, next_lane
from drivemem_envs.compiled.records import (
    CONTROLLED,
    FASTER,
    IDLE,
    LANE_LEFT,
    LANE_RIGHT,
    LINEAR,
    LONGITUDINAL_ACTIONS,
    MDP,
    SLOWER,
    OneWorld,
    Record,
)

_QUARTER_PI = math.pi / 4
# ControlledVehicle.DELTA_SPEED is read by no vehicle that an agent drives.


@jit
def clip(value: float, low: float, high: float) -> float:
    """`np.clip` of a number."""
    return min(max(value, low), high)


@jit
def not_zero(value: float) -> float:
    """`utils.not_zero`: away from zero by at least 0.01, keeping the sign."""
    if abs(value) > 1e-2:
        return value
    return 1e-2 if value >= 0 else -1e-2


@jit
def _arcsin(value: float) -> float:
    return math.asin(value) if value != 0.0 else value


@jit
def follow_road(one: OneWorld, actor: int) -> None:
    """`ControlledVehicle.follow_road`: at the end of the target lane, go on to the next one."""
    it = one.actors[actor]
    target = int(it.target_lane)
    longitudinal, _ = coordinates(one, actor, target)
    if longitudinal > one.lanes[target].end:
        it.target_lane = next_lane(one, actor, target)


@jit
def steering_control(one: OneWorld, actor: int, driver: Record) -> float:
    """`ControlledVehicle.steering_control`: lateral position → heading → yaw rate → steering.

    Divides by the speed, so that below 0.3 m/s one last bit grows eightfold in each frame.
    """
    it = one.actors[actor]
    target = int(it.target_lane)
    longitudinal, lateral = coordinates(one, actor, target)
    ahead = longitudinal + it.speed * driver.tau_pursuit
    lane_heading = heading_at(one.lanes[target], one.points, ahead)
    speed = not_zero(it.speed)
    lateral_speed = -driver.kp_lateral * lateral
    towards = clip(_arcsin(clip(lateral_speed / speed, -1.0, 1.0)), -_QUARTER_PI, _QUARTER_PI)
    wished = lane_heading + towards
    rate = driver.kp_heading * wrap_to_pi(wished - it.heading)
    slip = _arcsin(clip(it.length / 2 / speed * rate, -1.0, 1.0))
    if slip == 0.0:
        return slip
    steering = math.atan(2 * math.tan(slip))
    return clip(steering, -driver.max_steering_angle, driver.max_steering_angle)


@jit
def control(one: OneWorld, actor: int) -> None:
    """`ControlledVehicle.act()` without an action: what is asked for in each frame."""
    follow_road(one, actor)
    it = one.actors[actor]
    driver = one.drivers[it.driver]
    it.steering = steering_control(one, actor, driver)
    it.acceleration = driver.kp_a * (it.target_speed - it.speed)


@jit
def _round_half_even(value: float) -> float:
    """`np.round`, written out because CUDA lacks it."""
    below = math.floor(value)
    above = value - below > 0.5 or (value - below == 0.5 and below % 2 != 0)
    return below + 1.0 if above else below + 0.0


@jit
def speed_to_index(speeds: Floats, count: int, speed: float) -> int:
    """`MDPVehicle.speed_to_index`: the nearest of equally spaced target speeds."""
    share = (speed - speeds[0]) / (speeds[count - 1] - speeds[0])
    return int(clip(_round_half_even(share * (count - 1)), 0.0, count - 1.0))


@jit
def meta_action(vocabulary: int, choice: int) -> int:
    """`DiscreteMetaAction.actions`: what an index of the action space means."""
    if vocabulary != LONGITUDINAL_ACTIONS:
        return choice
    if choice == 0:
        return SLOWER
    return IDLE if choice == 1 else FASTER


@jit
def take_meta_action(one: OneWorld, choice: int) -> None:
    """`MDPVehicle.act(action)` of the ego, but for the controls: `control` follows in the frame.

    Faster and slower start from the speed driven, not from the speed wished for.
    """
    world = one.world[0]
    ego = one.actors[world.ego]
    action = meta_action(world.vocabulary, choice)
    if ego.kind == MDP and action in (FASTER, SLOWER):
        index = speed_to_index(one.speeds, world.speeds, ego.speed)
        index += 1 if action == FASTER else -1
        ego.speed_index = min(max(index, 0), world.speeds - 1)
        ego.target_speed = one.speeds[ego.speed_index]
    follow_road(one, int(world.ego))
    if action in (LANE_LEFT, LANE_RIGHT):
        lane = one.lanes[ego.target_lane]
        road = one.roads[lane.road]
        number = int(lane.number) + (1 if action == LANE_RIGHT else -1)
        wished = int(road.first_lane) + min(max(number, 0), int(road.lanes) - 1)
        longitudinal, lateral = coordinates(one, int(world.ego), wished)
        if is_reachable(one.lanes[wished], one.points, longitudinal, lateral):
            ego.target_lane = wished


@jit
def _stretch(share: np.float32, low: float, high: float, wide: bool) -> float:
    """`utils.lmap(share, [-1, 1], [low, high])` of a float32, in highway-env's precision.

    NumPy computes it in float32, unless a bound is itself a NumPy number.
    """
    if wide:
        return low + float(share - np.float32(-1.0)) * (high - low) / 2.0
    span = np.float32(high - low)
    return float(np.float32(low) + (share - np.float32(-1.0)) * span / np.float32(2.0))


@jit
def take_low_level_action(one: OneWorld, controls: NDArray[np.float32]) -> None:
    """`ContinuousAction.act` of the ego.

    Args:
        one: the world.
        controls: (2,) throttle and steering, or only one of them first, in [-1, 1].
    """
    world = one.world[0]
    ego = one.actors[world.ego]
    first, second = controls[0], controls[1]
    if world.clips:
        first = min(max(first, np.float32(-1.0)), np.float32(1.0))
        second = min(max(second, np.float32(-1.0)), np.float32(1.0))
    ego.acceleration = ego.steering = 0.0
    if world.longitudinal:
        low, high = world.acceleration_low, world.acceleration_high
        ego.acceleration = _stretch(first, low, high, world.wide_acceleration)
    if world.lateral:
        low, high = world.steering_low, world.steering_high
        share = second if world.longitudinal else first
        ego.steering = _stretch(share, low, high, world.wide_steering)


@jit
def drives_itself(it: Record) -> bool:
    """Whether an actor is traffic: IDM or linear."""
    return bool(it.kind <= LINEAR)


@jit
def follows_lanes(it: Record) -> bool:
    """Whether highway-env's object is a `ControlledVehicle`."""
    return bool(it.kind <= MDP)


@jit
def is_plainly_controlled(it: Record) -> bool:
    """Whether an actor's `act` is `ControlledVehicle.act`."""
    return bool(it.kind == CONTROLLED or it.kind == MDP)
