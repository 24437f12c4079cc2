"""From a live, reset world to the template that kernels reset and spawn from."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from highway_env import utils
from highway_env.vehicle.behavior import IDMVehicle
from highway_env.vehicle.controller import ControlledVehicle

from drivemem_envs.compiled import codes, records
from drivemem_envs.compiled.export.actors import driver_of, fill_actor, fill_vehicle, kind_of
from drivemem_envs.compiled.export.scene import Scene
from drivemem_envs.compiled.export.supported import refuse
from drivemem_envs.compiled.families import (
    SPAWNING,
    TRAFFIC_METHODS,
    Reset,
    changed_methods,
    spawns,
)
from drivemem_envs.compiled.records import IDM
from drivemem_envs.compiled.template import EGO, OTHER, Template, empty_template


def make_template(scene: Scene, env: Any, reset: Reset | None) -> Template:
    """What a live, reset environment's episodes have in common.

    Args:
        scene: exported from it; its table of drivers grows by that of its traffic.
        env: the environment.
        reset: its compiled reset; None: the template can only spawn, if the world does.

    Raises:
        CompiledUnsupported: traffic that spawns in a way that is not compiled.
    """
    world = env.scenario.world_class()
    spawning = spawns(world)
    if reset is None and not spawning:
        return empty_template()
    if reset is None:
        kind = utils.class_from_path(env.config["other_vehicles_type"])
        changed = changed_methods(kind, IDMVehicle, TRAFFIC_METHODS)
        refuse(bool(changed), f"{kind.__name__} spawns with its own {', '.join(changed)}")
    form = SPAWNING if reset is None else reset
    rows = {index: row for row, index in enumerate(scene.network.lane_indices)}
    routes, steps = _routes(scene, env, form.destinations(env))
    traffic = _traffic(env)
    prototypes = _prototypes(scene, traffic, rows, form)
    first = int(scene.world.first_object)
    return Template(
        codes.NO_RESET if reset is None else reset.code,
        spawning,
        prototypes,
        scene.worlds.actors[0, first : first + int(scene.world.objects)].copy(),
        routes,
        steps,
        np.array(form.params(env), dtype=np.float64),
        np.array([*traffic.DELTA_RANGE, env.config.get("spawn_probability", 0.0)]),
        np.array(form.lane_rows(env, rows), dtype=np.int64),
    )


def _traffic(env: Any) -> Any:
    """One vehicle of the scenario's traffic, not on the road."""
    kind = utils.class_from_path(env.config["other_vehicles_type"])
    first = next(iter(env.road.network.lanes_list()))
    return kind(env.road, first.position(0.0, 0.0))


def _prototypes(scene: Scene, traffic: Any, rows: dict[Any, int], reset: Reset) -> Any:
    """The vehicles that a reset copies."""
    if reset.code == codes.SINGLE_DECISION:
        cars = scene.worlds.actors[0, : scene.world.vehicles]
        made = np.array([_as_made(each) for each in cars], records.ACTOR)
        made["steering"] = cars["steering"]  # cars on a circle are made with it
        return made
    prototypes = np.zeros(2, records.ACTOR)
    prototypes[EGO] = _as_made(scene.worlds.actors[0, scene.world.ego])
    prototypes[OTHER] = _prototype(scene, traffic, rows)
    return prototypes


def _prototype(scene: Scene, vehicle: Any, rows: dict[Any, int]) -> Any:
    kind = kind_of(vehicle)
    refuse(kind != IDM, f"traffic of class {type(vehicle).__name__}")
    record = np.zeros(1, records.ACTOR)[0]
    fill_actor(record, vehicle, kind, rows)
    fill_vehicle(record, vehicle, kind, rows)
    record.check_collisions = _checks(scene)
    driver = driver_of(vehicle, kind)
    known = [row.tobytes() for row in scene.worlds.drivers[0]]
    if driver.tobytes() not in known:
        table = np.append(scene.worlds.drivers[0], np.zeros(1, records.DRIVER)).view(records.DRIVER)
        table[-1] = driver
        scene.worlds = scene.worlds._replace(drivers=table[None])
        known.append(driver.tobytes())
    record.driver = known.index(driver.tobytes())
    return record


def _checks(scene: Scene) -> bool:
    """Whether traffic looks for contacts among itself (highway-env's fast highway: no)."""
    world = scene.world
    others = [row for row in range(world.vehicles) if row != world.ego]
    return bool(scene.worlds.actors[0, others[0]].check_collisions) if others else True


def _as_made(actor: Any) -> Any:
    """A vehicle without what happened to it."""
    fresh = actor.copy()
    for name in ("steering", "acceleration", "impact_x", "impact_y", "lateral_speed", "yaw_rate"):
        setattr(fresh, name, 0.0)
    for name in ("crashed", "hit", "has_impact", "yielding", "has_route"):
        setattr(fresh, name, False)
    fresh.route_start = fresh.route_end = fresh.yield_timer = 0
    return fresh


def _routes(scene: Scene, env: Any, destinations: Sequence[str]) -> tuple[Any, Any]:
    """`plan_route_to` for each destination from each lane."""
    roads = {name: row for row, name in enumerate(scene.network.road_names)}
    planned = []
    for destination in destinations:
        for index in scene.network.lane_indices:
            planner = SimpleNamespace(road=env.road, lane_index=index, route=None)
            ControlledVehicle.plan_route_to(planner, destination)
            planned.append(planner.route)
    lanes = len(scene.network.lane_indices)
    longest = max((len(route) for route in planned), default=1)
    table = np.full((max(len(destinations), 1), lanes, longest, 2), records.NONE, np.int16)
    steps = np.zeros(table.shape[:2], np.int16)
    for number, route in enumerate(planned):
        place = divmod(number, lanes)
        steps[place] = len(route)
        for step, (start, end, lane) in enumerate(route):
            table[(*place, step)] = roads[start, end], records.NONE if lane is None else lane
    return table, steps
