"""Batches of worlds: allocate arrays for many scenes of one shape and put scenes into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from drivemem_envs.compiled import records
from drivemem_envs.compiled.export.scene import Scene
from drivemem_envs.compiled.parallel_for import scratch_rows
from drivemem_envs.compiled.random import STREAM
from drivemem_envs.compiled.records import Scratch, Worlds


def stack(
    scenes: Sequence[Scene], *, vehicles: int = 0, objects: int = 0, route_steps: int = 0
) -> Worlds:
    """One batch of all scenes; equal road networks are held once.

    Args:
        scenes: at least one.
        vehicles: room for at least so many vehicles in each world.
        objects: room for at least so many objects in each world.
        route_steps: room for at least so many steps in each route.

    Raises:
        ValueError: no scene was given.
    """
    if not scenes:
        raise ValueError("stack() needs at least one scene")
    parts = [scene.worlds for scene in scenes]
    room = max(vehicles, *(int(part.world["vehicles"][0]) for part in parts), 1)
    objects = max(objects, *(int(part.world["objects"][0]) for part in parts))
    steps = max(route_steps, *(part.routes.shape[2] for part in parts), 1)
    networks = {scene.network.key(): scene.worlds for scene in scenes}
    order = list(networks)
    tables = list(networks.values())
    count = len(scenes)
    worlds = Worlds(
        np.zeros(count, records.WORLD),
        np.zeros((count, room + objects), records.ACTOR),
        np.full((count, room, steps, 2), records.NONE, dtype=np.int16),
        _padded([part.drivers for part in parts]),
        _padded([part.speeds for part in parts]),
        np.zeros((count, STREAM), dtype=np.int64),
        *(
            _padded([getattr(t, name) for t in tables])
            for name in ("lanes", "roads", "links", "points")
        ),
    )
    for index, scene in enumerate(scenes):
        put(worlds, index, scene, order.index(scene.network.key()))
    return worlds


def put(worlds: Worlds, index: int, scene: Scene, network: int) -> None:
    """Copy a scene into a batch.

    Args:
        worlds: the batch, with room for the scene.
        index: which world to overwrite.
        scene: the scene.
        network: which of the batch's networks is the scene's.

    Raises:
        ValueError: the scene has more actors, route steps, drivers or speeds than there is room.
    """
    part, world = scene.worlds, worlds.world[index]
    first = worlds.routes.shape[1]
    vehicles, objects = int(scene.world.vehicles), int(scene.world.objects)
    needed = (vehicles, objects, part.routes.shape[2], part.drivers.shape[1], part.speeds.shape[1])
    room = (
        first, worlds.actors.shape[1] - first, worlds.routes.shape[2], worlds.drivers.shape[1],
        worlds.speeds.shape[1],
    )  # fmt: skip
    if any(need > there for need, there in zip(needed, room, strict=True)):
        raise ValueError(
            f"a scene needs room for {needed} vehicles, objects, route steps, drivers and speeds; "
            f"the batch has {room}: stack() it with more"
        )
    worlds.world[index] = part.world[0]
    world.network, world.first_object = network, first
    worlds.actors[index] = np.zeros((), records.ACTOR)
    worlds.actors[index, :vehicles] = part.actors[0, :vehicles]
    own_first = int(scene.world.first_object)
    worlds.actors[index, first : first + objects] = part.actors[0, own_first : own_first + objects]
    worlds.routes[index] = records.NONE
    worlds.routes[index, : part.routes.shape[1], : part.routes.shape[2]] = part.routes[0]
    worlds.drivers[index, : part.drivers.shape[1]] = part.drivers[0]
    worlds.speeds[index, : part.speeds.shape[1]] = part.speeds[0]
    worlds.streams[index] = part.streams[0]


def scratch_for(worlds: Worlds, threads: int) -> Scratch:
    """Working memory for a batch.

    Args:
        worlds: the batch.
        threads: how many threads shall share the work.

    Raises:
        ValueError: fewer than one thread.
    """
    if threads < 1:
        raise ValueError(f"threads is {threads}; it must be at least 1")
    actors, lanes = worlds.actors.shape[1], worlds.lanes.shape[1]
    rows = scratch_rows(threads)
    return Scratch(
        np.zeros((rows, actors, lanes, 2)),
        np.zeros((rows, actors, lanes), np.uint8),
        np.zeros((rows, actors, lanes), np.uint8),
        np.zeros((rows, lanes, actors), np.int16),
        np.zeros((rows, lanes), np.int32),
        np.zeros((rows, actors, 3)),
        np.zeros((rows, worlds.routes.shape[1], records.PREDICTIONS, 4)),
    )


def _padded(tables: Sequence[Any]) -> Any:
    """Tables (1, n, …) stacked to (count, most, …), filled up with zeros."""
    most = max(max(table.shape[1] for table in tables), 1)
    stacked = np.zeros((len(tables), most, *tables[0].shape[2:]), tables[0].dtype)
    for row, table in enumerate(tables):
        stacked[row, : table.shape[1]] = table[0]
    return stacked
