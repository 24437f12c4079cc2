"""From arrays back into a live highway-env world, so that its own renderer can draw it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from drivemem_envs.compiled.export.scene import Scene
from drivemem_envs.compiled.records import (
    BICYCLE,
    LINEAR,
    MDP,
    NONE,
    Worlds,
)


def write_back(
    scene: Scene, env_or_road: Any, worlds: Worlds | None = None, index: int = 0
) -> None:
    """Write the state of a world into the live objects that its scene was exported from.

    Vehicles that appeared since are made in the likeness of one of the same kind; those that are
    gone leave the road. Trajectories that highway-env draws (`show_trajectories`) are not kept.

    Args:
        scene: the exported scene.
        env_or_road: the environment or road that it was exported from; written.
        worlds: where the world has been simulated; None: in the scene itself.
        index: which of those worlds.
    """
    batch = scene.worlds if worlds is None else worlds
    world = batch.world[index]
    env = getattr(env_or_road, "unwrapped", None)
    road = env_or_road if env is None else env.road
    actors = batch.actors[index]
    vehicles = []
    for row in range(world.vehicles):
        vehicle = _live_vehicle(scene, actors, row)
        _write_actor(vehicle, actors[row], scene)
        _write_vehicle(vehicle, actors[row], batch.routes[index, row], scene)
        vehicles.append(vehicle)
    for row in range(world.first_object, world.first_object + world.objects):
        _write_actor(scene.live[int(actors[row].id)], actors[row], scene)
    road.vehicles = vehicles
    if world.regulated:
        road.steps = int(world.road_steps)
    if env is not None:
        env.steps = int(world.steps)
        if world.ego != NONE:
            env.controlled_vehicles = [vehicles[world.ego]]


def _live_vehicle(scene: Scene, actors: Any, row: int) -> Any:
    """The live vehicle of a row; for a new one, a copy of another that drives the same way."""
    identity = int(actors[row].id)
    if identity not in scene.live:
        alike = [
            int(other.id)
            for other in scene.worlds.actors[0]
            if other.kind == actors[row].kind and other.driver == actors[row].driver
        ]
        if not alike:
            raise ValueError(
                f"actor {identity} appeared after the export and the scene has no vehicle like it "
                "to make it from; export the live world again"
            )
        vehicle = copy.copy(scene.live[alike[0]])
        vehicle.action = dict(vehicle.action)
        vehicle.history = type(vehicle.history)(maxlen=vehicle.history.maxlen)
        scene.live[identity] = vehicle
    return scene.live[identity]


def _write_actor(thing: Any, record: Any, scene: Scene) -> None:
    thing.position = np.array([record.x, record.y])
    thing.heading, thing.speed = float(record.heading), float(record.speed)
    thing.crashed, thing.hit = bool(record.crashed), bool(record.hit)
    thing.LENGTH, thing.WIDTH = float(record.length), float(record.width)
    thing.diagonal = float(record.diagonal_m)
    thing.lane_index = scene.network.lane_indices[record.lane]
    thing.lane = thing.road.network.get_lane(thing.lane_index)


def _write_vehicle(vehicle: Any, record: Any, route: Any, scene: Scene) -> None:
    vehicle.action = {
        "steering": float(record.steering),
        "acceleration": float(record.acceleration),
    }
    pushed = np.array([record.impact_x, record.impact_y])
    vehicle.impact = pushed if record.has_impact else None
    if record.kind == BICYCLE:
        vehicle.lateral_speed = float(record.lateral_speed)
        vehicle.yaw_rate = float(record.yaw_rate)
    if record.kind > MDP:
        return
    vehicle.target_lane_index = scene.network.lane_indices[record.target_lane]
    vehicle.target_speed = float(record.target_speed)
    if record.kind == MDP:
        vehicle.speed_index = int(record.speed_index)
    if record.kind <= LINEAR:
        vehicle.timer, vehicle.DELTA = float(record.timer), float(record.delta)
        vehicle.enable_lane_change = bool(record.enable_lane_change)
    vehicle.route = _route(record, route, scene)
    _write_yielding(vehicle, record)


def _route(record: Any, route: Any, scene: Scene) -> Any:
    if not record.has_route:
        return None
    return [
        (*scene.network.road_names[road], None if number == NONE else int(number))
        for road, number in route[record.route_start : record.route_end].tolist()
    ]


def _write_yielding(vehicle: Any, record: Any) -> None:
    """A yielding vehicle has a colour of its own until it goes on (`enforce_road_rules`)."""
    if record.yielding:
        vehicle.color = vehicle.road.YIELDING_COLOR
        vehicle.yield_timer = int(record.yield_timer)
    elif getattr(vehicle, "is_yielding", False):
        del vehicle.color
    if record.yielding or hasattr(vehicle, "is_yielding"):
        vehicle.is_yielding = bool(record.yielding)
