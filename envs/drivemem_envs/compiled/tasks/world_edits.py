"""Pieces that worlds of drivemem's own are built from: gates, and traffic that goes away."""

from __future__ import annotations

import math

from drivemem_envs._jit import jit
from drivemem_envs.compiled.records import OneWorld


@jit
def put_ego(one: OneWorld, lane: int, x: float, y: float, heading: float, speed: float) -> None:
    """Fix the ego's pose, speed, controls and lanes, so that none of them can store a bit.

    Its speed index and target speed stay: worlds whose ego chooses speeds must fix them as well.

    Args:
        one: the world.
        lane: row of the lane that it is put on and wants to keep.
        x: m.
        y: m.
        heading: rad.
        speed: m/s.
    """
    ego = one.actors[one.world[0].ego]
    ego.x, ego.y, ego.heading, ego.speed = x, y, heading, speed
    ego.cos_heading, ego.sin_heading = math.cos(heading), math.sin(heading)
    ego.steering = ego.acceleration = 0.0
    ego.lane = ego.target_lane = lane


@jit
def take_traffic_away(one: OneWorld) -> None:
    """Leave no vehicle but the ego."""
    world = one.world[0]
    if world.ego != 0:
        one.actors[0] = one.actors[world.ego]
        for step in range(one.routes.shape[1]):
            one.routes[0, step, 0] = one.routes[world.ego, step, 0]
            one.routes[0, step, 1] = one.routes[world.ego, step, 1]
    world.ego, world.vehicles = 0, 1
