"""How traffic decides: highway_env.vehicle.behavior, IDMVehicle and LinearVehicle.

IDM or a linear law gives the acceleration, MOBIL the lane changes. Parameters come from each
vehicle's driver record, never from anything global.
"""

from __future__ import annotations

from drivemem_envs._jit import jit
from drivemem_envs.compiled.dynamics.control import (
    clip,
    follow_road,
    follows_lanes,
    not_zero,
    steering_control,
)
from drivemem_envs.compiled.dynamics.lanes import heading_at, is_reachable, wrap_to_pi
from drivemem_envs.compiled.dynamics.neighbours import neighbours
from drivemem_envs.compiled.dynamics.network import coordinates
from drivemem_envs.compiled.records import (
    LINEAR,
    NONE,
    OBSTACLE,
    ROUTE_LANE,
    OneWorld,
    Record,
)


@jit
def lane_gap(one: OneWorld, actor: int, other: int) -> float:
    """`RoadObject.lane_distance_to`: how far ahead another is along the actor's own lane, m."""
    lane = int(one.actors[actor].lane)
    there, _ = coordinates(one, other, lane)
    here, _ = coordinates(one, actor, lane)
    return there - here


@jit
def desired_gap(one: OneWorld, driver: Record, actor: int, front: int) -> float:
    """`IDMVehicle.desired_gap`, m, with the speeds projected on the actor's heading."""
    it, ahead = one.actors[actor], one.actors[front]
    dvx = it.speed * it.cos_heading - ahead.speed * ahead.cos_heading
    dvy = it.speed * it.sin_heading - ahead.speed * ahead.sin_heading
    dv = dvx * it.cos_heading + dvy * it.sin_heading
    gap = driver.distance_wanted + it.speed * driver.time_wanted
    return float(gap + it.speed * dv / driver.twice_root_ab)


@jit
def _idm_acceleration(one: OneWorld, driver: Record, delta: float, actor: int, front: int) -> float:
    """`IDMVehicle.acceleration`: of any vehicle, by the parameters of the one who thinks."""
    if actor == NONE or one.actors[actor].kind >= OBSTACLE:
        return 0.0
    it = one.actors[actor]
    # A plain vehicle has no target speed: highway-env takes 0, so its followers seem to stop it.
    target = it.target_speed if follows_lanes(it) else 0.0
    lane = one.lanes[it.lane]
    if lane.has_speed_limit:
        target = clip(target, 0.0, lane.speed_limit)
    share = max(it.speed, 0.0) / abs(not_zero(target))
    acceleration = driver.comfort_acc_max * (1 - share**delta)
    if front != NONE:
        gap = not_zero(lane_gap(one, actor, front))
        pressure = desired_gap(one, driver, actor, front) / gap
        acceleration -= driver.comfort_acc_max * (pressure * pressure)
    return float(acceleration)


@jit
def _linear_acceleration(one: OneWorld, driver: Record, actor: int, front: int) -> float:
    """`LinearVehicle.acceleration`: three weighted features. Speed limits play no part."""
    speed_error = front_speed = front_gap = 0.0
    if actor != NONE:
        it = one.actors[actor]
        if follows_lanes(it):
            speed_error = it.target_speed - it.speed
        safe = driver.distance_wanted + max(it.speed, 0.0) * driver.time_wanted
        if front != NONE:
            gap = lane_gap(one, actor, front)
            front_speed = min(one.actors[front].speed - it.speed, 0.0)
            front_gap = min(gap - safe, 0.0)
    weighted = driver.speed_weight * speed_error + driver.front_speed_weight * front_speed
    return float(weighted + driver.front_gap_weight * front_gap)


@jit
def acceleration_of(one: OneWorld, thinker: int, actor: int, front: int) -> float:
    """What the thinker expects an actor behind `front` to accelerate, m/s²; NONE: nobody."""
    mind = one.actors[thinker]
    driver = one.drivers[mind.driver]
    if mind.kind == LINEAR:
        return _linear_acceleration(one, driver, actor, front)
    return _idm_acceleration(one, driver, mind.delta, actor, front)


@jit
def _linear_steering(one: OneWorld, actor: int, driver: Record) -> float:
    """`LinearVehicle.steering_control`: two weighted features."""
    it = one.actors[actor]
    target = int(it.target_lane)
    longitudinal, lateral = coordinates(one, actor, target)
    ahead = longitudinal + it.speed * driver.tau_pursuit
    lane_heading = heading_at(one.lanes[target], one.points, ahead)
    speed = not_zero(it.speed)
    heading_error = wrap_to_pi(lane_heading - it.heading) * it.length / speed
    # The exponent is data because the compiler would turn a literal square into a product, which
    # the C library's power, that Python calls, differs from in one case of a thousand.
    lateral_error = -lateral * it.length / speed**driver.square
    return float(driver.heading_weight * heading_error + driver.lateral_weight * lateral_error)


@jit
def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


@jit
def mobil(one: OneWorld, actor: int, lane: int) -> bool:
    """`IDMVehicle.mobil`: whether to change to a lane. Leaves out what has weight zero."""
    it = one.actors[actor]
    driver = one.drivers[it.driver]
    new_front, new_rear = neighbours(one, actor, lane)
    new_rear_after = acceleration_of(one, actor, new_rear, actor)
    if new_rear_after < -driver.max_braking_imposed:
        return False
    after = acceleration_of(one, actor, actor, new_front)
    if it.route_start < it.route_end and one.routes[actor, it.route_start, ROUTE_LANE] != NONE:
        wished = int(one.routes[actor, it.route_start, ROUTE_LANE])
        present = int(one.lanes[it.target_lane].number)
        if _sign(int(one.lanes[lane].number) - present) != _sign(wished - present):
            return False
        return bool(after >= -driver.max_braking_imposed)
    old_front, old_rear = neighbours(one, actor, int(it.lane))
    gain = after - acceleration_of(one, actor, actor, old_front)
    if driver.politeness != 0.0:
        new_rear_before = acceleration_of(one, actor, new_rear, new_front)
        old_rear_before = acceleration_of(one, actor, old_rear, actor)
        old_rear_after = acceleration_of(one, actor, old_rear, old_front)
        others = new_rear_after - new_rear_before + old_rear_after - old_rear_before
        gain = gain + driver.politeness * others
    return bool(gain >= driver.min_acc_gain)


@jit
def _abort_lane_change(one: OneWorld, actor: int) -> None:
    """Give way to another vehicle that is changing into the same lane just ahead.

    The one place where the order of vehicles matters within a frame: those earlier in the list
    have decided already.
    """
    it = one.actors[actor]
    driver = one.drivers[it.driver]
    for other in range(int(one.world[0].vehicles)):
        ahead = one.actors[other]
        if (
            ahead.target_lane == it.target_lane
            and ahead.lane != it.target_lane
            and other != actor
            and follows_lanes(ahead)
        ):
            gap = lane_gap(one, actor, other)
            if 0 < gap < desired_gap(one, driver, actor, other):
                it.target_lane = it.lane
                return


@jit(inline="always")
def change_lane_policy(one: OneWorld, actor: int) -> None:
    """`IDMVehicle.change_lane_policy`: once per `lane_change_delay`, look at both sides."""
    it = one.actors[actor]
    lane = one.lanes[it.lane]
    if it.lane != it.target_lane:
        if lane.road == one.lanes[it.target_lane].road:
            _abort_lane_change(one, actor)
        return
    if not one.drivers[it.driver].lane_change_delay < it.timer:
        return
    it.timer = 0.0
    if abs(it.speed) < 1:
        return
    # Left, then right; with both worth it the right one wins.
    for side in (-1, 1):
        number = int(lane.number) + side
        if number < 0 or number >= one.roads[lane.road].lanes:
            continue
        candidate = int(it.lane) + side
        longitudinal, lateral = coordinates(one, actor, candidate)
        if is_reachable(one.lanes[candidate], one.points, longitudinal, lateral) and mobil(
            one, actor, candidate
        ):
            it.target_lane = candidate


@jit(inline="always")
def drive(one: OneWorld, actor: int) -> None:
    """`IDMVehicle.act` and `LinearVehicle.act`. A crashed vehicle keeps its last controls."""
    it = one.actors[actor]
    if it.crashed:
        return
    driver = one.drivers[it.driver]
    follow_road(one, actor)
    if it.enable_lane_change:
        change_lane_policy(one, actor)
    limit = driver.max_steering_angle
    if it.kind == LINEAR:
        it.steering = clip(_linear_steering(one, actor, driver), -limit, limit)
    else:
        it.steering = steering_control(one, actor, driver)
    front, _ = neighbours(one, actor, int(it.lane))
    acceleration = acceleration_of(one, actor, actor, front)
    if it.lane != it.target_lane:
        front, _ = neighbours(one, actor, int(it.target_lane))
        acceleration = min(acceleration, acceleration_of(one, actor, actor, front))
    it.acceleration = clip(acceleration, -driver.acc_max, driver.acc_max)
