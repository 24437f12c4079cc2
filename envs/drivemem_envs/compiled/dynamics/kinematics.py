"""How vehicles move: highway_env.vehicle.kinematics.Vehicle and dynamics.BicycleVehicle.

Both are bicycles; the second one's tyres slip and it is integrated by Runge-Kutta.
"""

from __future__ import annotations

import math

from drivemem_envs._jit import jit
from drivemem_envs.compiled.dynamics.control import clip, drives_itself
from drivemem_envs.compiled.records import BICYCLE, Record

State = tuple[float, float, float, float, float, float]
"""x, y, heading, speed, lateral speed, yaw rate; also their derivatives."""


@jit
def clip_actions(it: Record, driver: Record) -> None:
    """`Vehicle.clip_actions`. What it clips stays clipped in the frames until the next action."""
    if it.crashed:
        it.steering = 0.0
        it.acceleration = -1.0 * it.speed
    if it.speed > driver.max_speed:
        it.acceleration = min(it.acceleration, 1.0 * (driver.max_speed - it.speed))
    elif it.speed < driver.min_speed:
        it.acceleration = max(it.acceleration, 1.0 * (driver.min_speed - it.speed))
    if it.kind == BICYCLE:
        it.steering = clip(it.steering, -math.pi / 2, math.pi / 2)
        limit = driver.max_angular_speed
        it.yaw_rate = clip(it.yaw_rate, -limit, limit)


@jit
def _roll(it: Record, dt: float) -> None:
    """`Vehicle.step` after `clip_actions`: a kinematic bicycle, then the push-out of a crash."""
    # Vehicles that go straight on are the rule: nothing to compute, and the same result.
    beta = math.atan(0.5 * math.tan(it.steering)) if it.steering != 0.0 else 0.0
    cosine, sine = it.cos_heading, it.sin_heading
    if beta != 0.0:
        cosine, sine = math.cos(it.heading + beta), math.sin(it.heading + beta)
    it.x += it.speed * cosine * dt
    it.y += it.speed * sine * dt
    if it.has_impact:
        # A contact predicted for this frame counts as a crash now, even if it was avoided.
        it.x += it.impact_x
        it.y += it.impact_y
        it.crashed = True
        it.has_impact = False
    if beta != 0.0:
        it.heading += it.speed * math.sin(beta) / (it.length / 2) * dt
        it.cos_heading = math.cos(it.heading)
        it.sin_heading = math.sin(it.heading)
    it.speed += it.acceleration * dt


@jit
def derivative(it: Record, driver: Record, state: State) -> State:
    """`BicycleVehicle.derivative_func` (Rajamani 2011, chapter 2)."""
    _, _, heading, speed, lateral_speed, yaw_rate = state
    slip_front = math.atan2(lateral_speed + driver.length_a * yaw_rate, speed)
    slip_rear = math.atan2(lateral_speed - driver.length_b * yaw_rate, speed)
    force_front = 2 * driver.friction_front * (it.steering - slip_front)
    force_rear = 2 * driver.friction_rear * (0 - slip_rear)
    if abs(speed) < 1:  # damping; highway-env uses length_a for both axles here
        turning = driver.inertia_z / driver.length_a * yaw_rate
        force_front = -driver.mass * lateral_speed - turning
        force_rear = -driver.mass * lateral_speed + turning
    sideways = 1 / driver.mass * (force_front + force_rear) - yaw_rate * speed
    torque = driver.length_a * force_front - driver.length_b * force_rear
    cosine, sine = math.cos(heading), math.sin(heading)
    return (
        cosine * speed + -sine * lateral_speed,
        sine * speed + cosine * lateral_speed,
        yaw_rate,
        it.acceleration,
        sideways,
        1 / driver.inertia_z * torque,
    )


@jit
def _ahead(state: State, slope: State, dt: float) -> State:
    return (
        state[0] + slope[0] * dt,
        state[1] + slope[1] * dt,
        state[2] + slope[2] * dt,
        state[3] + slope[3] * dt,
        state[4] + slope[4] * dt,
        state[5] + slope[5] * dt,
    )


@jit
def _weighted(k: int, slopes: tuple[State, State, State, State]) -> float:
    f1, f2, f3, f4 = slopes
    return f1[k] + 2 * f2[k] + 2 * f3[k] + f4[k]


@jit
def _slide(it: Record, driver: Record, dt: float) -> None:
    """`BicycleVehicle.step` after `clip_actions`: one step of `rk4`. Push-outs do not apply."""
    state = (it.x, it.y, it.heading, it.speed, it.lateral_speed, it.yaw_rate)
    f1 = derivative(it, driver, state)
    f2 = derivative(it, driver, _ahead(state, f1, dt / 2))
    f3 = derivative(it, driver, _ahead(state, f2, dt / 2))
    f4 = derivative(it, driver, _ahead(state, f3, dt))
    slopes = (f1, f2, f3, f4)
    it.x = state[0] + dt / 6 * _weighted(0, slopes)
    it.y = state[1] + dt / 6 * _weighted(1, slopes)
    it.heading = state[2] + dt / 6 * _weighted(2, slopes)
    it.speed = state[3] + dt / 6 * _weighted(3, slopes)
    it.lateral_speed = state[4] + dt / 6 * _weighted(4, slopes)
    it.yaw_rate = state[5] + dt / 6 * _weighted(5, slopes)
    it.cos_heading = math.cos(it.heading)
    it.sin_heading = math.sin(it.heading)


@jit
def move(it: Record, driver: Record, dt: float) -> None:
    """`step` of any vehicle, but for looking up its lane."""
    if drives_itself(it):
        it.timer += dt
    clip_actions(it, driver)
    if it.kind == BICYCLE:
        _slide(it, driver, dt)
    else:
        _roll(it, dt)
