"""A scene: one world at a moment, exported from live highway-env objects.

`export` reads everything that the kernels need; `write_back` (its own module) is the way back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from highway_env.envs.common.abstract import AbstractEnv
from highway_env.road.regulation import RegulatedRoad
from highway_env.road.road import Road

from drivemem_envs.compiled import records
from drivemem_envs.compiled.export.actions import Actions, export_actions
from drivemem_envs.compiled.export.actors import ActorTables, export_actors
from drivemem_envs.compiled.export.network import NetworkTables, export_network
from drivemem_envs.compiled.export.supported import known_base, refuse
from drivemem_envs.compiled.random import STREAM, copy_stream
from drivemem_envs.compiled.records import NONE, Worlds

_PLAIN, _REGULATED = range(2)
_DEFAULT_FREQUENCY = 15


@dataclass
class Scene:
    """One world as arrays, and the live objects that it was read from."""

    worlds: Worlds
    """The arrays, with N = M = 1."""
    network: NetworkTables
    """The road network."""
    live: dict[int, Any] = field(repr=False)
    """Live vehicles and objects by their id in `worlds.actors`."""
    controls: Any = None
    """(actions, 2) float32 throttle and steering of each discrete action, if those are such."""

    @property
    def world(self) -> Any:
        """The WORLD record."""
        return self.worlds.world[0]


def export(
    env_or_road: Any, *, own_time: bool = False, network: NetworkTables | None = None
) -> Scene:
    """Read a live highway-env world.

    Args:
        env_or_road: a highway-env environment (wrapped or not) or a road without an agent.
        own_time: the caller reproduces what the environment does in its own `_simulate`.
        network: the tables of its roads where they are known; None: read.

    Raises:
        CompiledUnsupported: the world has something that the kernels do not reproduce; the
            message names it.
    """
    env = getattr(env_or_road, "unwrapped", None)
    road = env_or_road if env is None else env.road
    refuse(road is None, f"{type(env).__name__} has no road yet")
    regulated = known_base(road, {Road: _PLAIN, RegulatedRoad: _REGULATED}) == _REGULATED
    network = export_network(road.network) if network is None else network
    egos = [] if env is None else list(env.controlled_vehicles)
    refuse(len(egos) > 1, f"{type(env).__name__} has {len(egos)} agents")
    ego = egos[0] if egos else None
    actions = Actions() if env is None else export_actions(env, ego)
    actors = export_actors(road, network, ego, actions.speed_range)
    world = np.zeros(1, records.WORLD)
    _fill_world(world[0], road, network, actors, regulated)
    _fill_time(world[0], road, env, own_time)
    actions.fill(world[0])
    worlds = Worlds(
        world,
        actors.actors[None],
        actors.routes[None],
        actors.drivers[None],
        actions.speeds[None],
        _stream(road.np_random)[None],
        network.lanes[None],
        network.roads[None],
        network.links[None],
        network.points[None],
    )
    return Scene(worlds, network, actors.live, actions.controls)


def _stream(generator: Any) -> Any:
    """The stream of a road's generator; zeros for other than Gymnasium's kind."""
    bits = getattr(generator, "bit_generator", None)
    if not isinstance(bits, np.random.PCG64):
        return np.zeros(STREAM, dtype=np.int64)
    return copy_stream(generator)


def _fill_world(
    world: Any, road: Any, network: NetworkTables, actors: ActorTables, regulated: bool
) -> None:
    world.vehicles, world.objects = len(road.vehicles), len(road.objects)
    world.first_object = len(road.vehicles)
    world.ego = actors.ego
    world.next_id = len(road.vehicles) + (1 if actors.ego == NONE else 0)
    world.lanes, world.roads = len(network.lanes), len(network.roads)
    world.connected = road.neighbour_vehicles_connected_lanes
    world.regulated = regulated
    if regulated:
        refuse(
            not network.lanes["has_speed_limit"].all(),
            "a regulated road has a lane without speed limit",
        )
        world.road_steps = road.steps
        world.yield_duration = road.YIELD_DURATION * road.REGULATION_FREQUENCY


def _fill_time(world: Any, road: Any, env: Any, own_time: bool) -> None:
    frequency, decisions = _DEFAULT_FREQUENCY, 1
    if env is not None:
        changed = type(env)._simulate is not AbstractEnv._simulate
        refuse(changed and not own_time, f"{type(env).__name__} has a `_simulate` of its own")
        refuse(bool(env.config["manual_control"]), "the configuration asks for manual_control")
        frequency, decisions = env.config["simulation_frequency"], env.config["policy_frequency"]
        world.steps = env.steps
    world.frames = int(frequency // decisions)
    world.dt = 1 / frequency
    if world.regulated:
        # highway-env computes the period anew in each step, from the same numbers.
        world.regulation_period = int(1 / (1 / frequency) / road.REGULATION_FREQUENCY)
