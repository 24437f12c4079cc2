"""Which worlds have a compiled reset, and the source of scenes that uses it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from types import SimpleNamespace
from typing import Any

import numpy as np
from highway_env import utils
from highway_env.envs.exit_env import ExitEnv
from highway_env.envs.highway_env import HighwayEnv, HighwayEnvFast
from highway_env.envs.intersection_env import ContinuousIntersectionEnv, IntersectionEnv
from highway_env.envs.merge_env import MergeEnv, MergeGenericEnv
from highway_env.envs.racetrack_env import RacetrackEnv, RacetrackEnvLarge, RacetrackEnvOval
from highway_env.envs.roundabout_env import RoundaboutEnv, RoundaboutGenericEnv
from highway_env.envs.two_way_env import TwoWayEnv
from highway_env.envs.u_turn_env import UTurnEnv
from highway_env.vehicle.behavior import IDMVehicle
from highway_env.vehicle.controller import ControlledVehicle
from numpy.typing import NDArray

from drivemem_envs.compiled import records
from drivemem_envs.compiled.export.actors import driver_of, fill_actor, fill_vehicle, kind_of
from drivemem_envs.compiled.export.scene import Scene, export
from drivemem_envs.compiled.export.supported import CompiledUnsupported, refuse
from drivemem_envs.compiled.records import IDM
from drivemem_envs.compiled.resets import (
    commitment,
    exit_recall,
    highway,
    intersection,
    merge,
    racetrack,
    roundabout,
    two_way,
    u_turn,
)
from drivemem_envs.compiled.resets import template as templates
from drivemem_envs.compiled.resets.dispatch import reset_worlds
from drivemem_envs.compiled.resets.template import Template
from drivemem_envs.compiled.tasks import custom_tasks as own
from drivemem_envs.compiled.worlds import scratch_for, stack
from drivemem_envs.reference.environment import make_reference

# Not from `_jit`: what imports that is taken for a source of kernels, and compiles them anew.
Ints = NDArray[np.int64]
Numbers = Callable[[Any], list[float]]
Places = Callable[[Any, dict[Any, int]], list[int]]


@dataclass(frozen=True)
class Family:
    """One kind of reset."""

    code: int
    """`templates`' number of it."""
    base: type[Any]
    """The class whose `_reset` and what it calls are compiled."""
    numbers: Numbers
    places: Places
    destinations: Callable[[Any], Sequence[str]] = lambda env: ()
    """Names of the nodes to which routes are planned, in order."""
    most_vehicles: Callable[[Any], int] | None = None
    """Room needed; None: as many as a live reset makes."""


def _arms(env: Any) -> list[str]:
    return [f"o{arm}" for arm in range(4)]


def _most_at_intersection(env: Any) -> int:
    """Each decision adds one vehicle at most; challenger, ego and one to spare."""
    config = env.config
    decisions = ceil(config["duration"] * config["policy_frequency"])
    return int(config["initial_vehicle_count"] + 3 + decisions)


def _most_on_track(env: Any) -> int:
    return int(env.config["other_vehicles"]) + 2


def _own() -> list[Family]:
    """Worlds of drivemem's own; imported late, for scenarios import much."""
    from drivemem_envs.scenarios._shared.single_decision import SingleDecisionWorld
    from drivemem_envs.scenarios.exit_recall import ExitRecallWorld

    return [
        Family(templates.EXIT_RECALL, ExitRecallWorld, exit_recall.exit_recall_numbers,
               exit_recall.exit_recall_places),
        Family(templates.COMMITMENT, SingleDecisionWorld, commitment.commitment_numbers,
               commitment.commitment_places),
    ]  # fmt: skip


def families() -> list[Family]:
    """All, the more special ones before those that they derive from."""
    crossing = (
        intersection.intersection_numbers, intersection.intersection_places, _arms,
        _most_at_intersection,
    )  # fmt: skip
    track = racetrack.racetrack_places, lambda env: (), _most_on_track
    return [
        *_own(),
        Family(templates.EXIT, ExitEnv, highway.exit_numbers, highway.first_road,
               lambda env: ["3"]),
        Family(templates.HIGHWAY, HighwayEnvFast, highway.highway_numbers, highway.first_road),
        Family(templates.HIGHWAY, HighwayEnv, highway.highway_numbers, highway.first_road),
        Family(templates.MERGE_GENERIC, MergeGenericEnv, merge.generic_numbers, merge.merge_places,
               most_vehicles=lambda env: int(env.config["vehicles_count"]) + 2),
        Family(templates.MERGE, MergeEnv, merge.merge_numbers, merge.merge_places),
        Family(templates.INTERSECTION, ContinuousIntersectionEnv, *crossing),
        Family(templates.INTERSECTION, IntersectionEnv, *crossing),
        Family(templates.ROUNDABOUT_GENERIC, RoundaboutGenericEnv, roundabout.generic_numbers,
               roundabout.generic_places, lambda env: roundabout.GENERIC_DESTINATIONS,
               lambda env: int(env.config["vehicles_count"]) + 1),
        Family(templates.ROUNDABOUT, RoundaboutEnv, roundabout.roundabout_numbers,
               roundabout.roundabout_places, lambda env: roundabout.DESTINATIONS),
        Family(templates.TWO_WAY, TwoWayEnv, two_way.two_way_numbers, two_way.two_way_places),
        Family(templates.U_TURN, UTurnEnv, u_turn.u_turn_numbers, u_turn.u_turn_places,
               lambda env: ["d"]),
        Family(templates.RACETRACK, RacetrackEnvOval, racetrack.oval_numbers, *track),
        Family(templates.RACETRACK, RacetrackEnvLarge, racetrack.racetrack_numbers, *track),
        Family(templates.RACETRACK, RacetrackEnv, racetrack.racetrack_numbers, *track),
    ]  # fmt: skip


# What a reset calls, of worlds and of their traffic: a subclass with its own is not compiled.
_WORLD_METHODS = (
    "reset", "_reset", "_make_road", "_make_vehicles", "_create_road", "_create_vehicles",
    "_spawn_vehicle", "_clear_vehicles",
)  # fmt: skip
_TRAFFIC_METHODS = (
    "__init__",
    "__new__",
    "create_random",
    "make_on_lane",
    "randomize_behavior",
    "plan_route_to",
)


def _changed(kind: type[Any], base: type[Any], methods: Sequence[str]) -> list[str]:
    missing = object()
    return [
        name
        for name in methods
        if inspect.getattr_static(kind, name, missing)
        is not inspect.getattr_static(base, name, missing)
    ]


def family_of(scenario: Any) -> Family | str:
    """The family of a scenario's world, or why there is none."""
    world = scenario.world_class()
    known = next((family for family in families() if issubclass(world, family.base)), None)
    if known is None:
        return f"{world.__name__} derives from no world whose reset is compiled"
    changed = _changed(world, known.base, _WORLD_METHODS)
    if changed:
        return f"{world.__name__} replaces {', '.join(changed)} of {known.base.__name__}"
    config = scenario.resolved_config()
    traffic = utils.class_from_path(config["other_vehicles_type"])
    if not issubclass(traffic, IDMVehicle):
        return f"traffic of class {traffic.__name__} is no IDMVehicle"
    changed = _changed(traffic, IDMVehicle, _TRAFFIC_METHODS)
    if changed:
        return f"{traffic.__name__} replaces {', '.join(changed)} of IDMVehicle"
    if known.code == templates.RACETRACK and traffic is not IDMVehicle:
        return f"{world.__name__} makes IDMVehicles, whatever other_vehicles_type says"
    lane = config.get("initial_lane_id")
    if (
        known.code == templates.HIGHWAY
        and lane is not None
        and not 0 <= lane < config["lanes_count"]
    ):
        return f"initial_lane_id {lane} is no lane"
    if config.get("no_lanes") == 0 or config.get("length") == 0:
        return "no_lanes or length 0 draws the road anew, by no seed"
    return known


def why_not(scenario: Any) -> str | None:
    """Why a scenario has no compiled reset; None: it has."""
    found = family_of(scenario)
    return found if isinstance(found, str) else None


def spawns(world: type[Any]) -> bool:
    """Whether a world's traffic comes and goes as in highway-env's intersection.

    Raises:
        CompiledUnsupported: it does, in a way of its own.
    """
    if not issubclass(world, IntersectionEnv):
        return False
    changed = _changed(world, IntersectionEnv, ("_spawn_vehicle", "_clear_vehicles"))
    refuse(bool(changed), f"{world.__name__} replaces {', '.join(changed)}")
    return True


def make_template(scene: Scene, env: Any, family: Family | None) -> Template:
    """What a live, reset environment's episodes have in common.

    Args:
        scene: exported from it; its table of drivers grows by that of its traffic.
        env: the environment.
        family: its family; None: the template can only spawn, if the world does.

    Raises:
        CompiledUnsupported: traffic that spawns in a way that is not compiled.
    """
    world = env.scenario.world_class()
    spawning = spawns(world)
    if family is None and not spawning:
        return templates.empty_template()
    if family is None:
        kind = utils.class_from_path(env.config["other_vehicles_type"])
        changed = _changed(kind, IDMVehicle, _TRAFFIC_METHODS)
        refuse(bool(changed), f"{kind.__name__} spawns with its own {', '.join(changed)}")
        family = next(each for each in families() if each.base is IntersectionEnv)
    rows = {index: row for row, index in enumerate(scene.network.lane_indices)}
    routes, steps = _routes(scene, env, family.destinations(env))
    traffic = _traffic(env)
    prototypes = _prototypes(scene, traffic, rows, family)
    first = int(scene.world.first_object)
    has_reset = not isinstance(family_of(env.scenario), str)
    return Template(
        family.code if has_reset else templates.NO_RESET,
        spawning,
        prototypes,
        scene.worlds.actors[0, first : first + int(scene.world.objects)].copy(),
        routes,
        steps,
        np.array(family.numbers(env), dtype=np.float64),
        np.array([*traffic.DELTA_RANGE, env.config.get("spawn_probability", 0.0)]),
        np.array(family.places(env, rows), dtype=np.int64),
    )


def _traffic(env: Any) -> Any:
    """One vehicle of the scenario's traffic, not on the road."""
    kind = utils.class_from_path(env.config["other_vehicles_type"])
    first = next(iter(env.road.network.lanes_list()))
    return kind(env.road, first.position(0.0, 0.0))


def _prototypes(scene: Scene, traffic: Any, rows: dict[Any, int], family: Family) -> Any:
    """The vehicles that a reset copies."""
    if family.code == templates.COMMITMENT:
        cars = scene.worlds.actors[0, : scene.world.vehicles]
        made = np.array([_as_made(each) for each in cars], records.ACTOR)
        made["steering"] = cars["steering"]  # cars on a circle are made with it
        return made
    prototypes = np.zeros(2, records.ACTOR)
    prototypes[templates.EGO] = _as_made(scene.worlds.actors[0, scene.world.ego])
    prototypes[templates.OTHER] = _prototype(scene, traffic, rows)
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


class CompiledResets:
    """A `scenes.SceneSource` whose scenes are made by kernels.

    Args:
        scenario: one with a compiled reset.
        count: worlds.
        threads: threads that share the work.

    Raises:
        CompiledUnsupported: the world has something that does not compile.
    """

    compiled = True

    def __init__(self, scenario: Any, count: int, threads: int = 1) -> None:
        found = family_of(scenario)
        if isinstance(found, str):
            raise CompiledUnsupported(f"{found}: use the scene bank or backend='reference'")
        self.env = make_reference(scenario)
        self.env.reset(seed=0)
        self.scene = export(self.env, own_time=True)
        self.template = make_template(self.scene, self.env, found)
        most = found.most_vehicles(self.env) if found.most_vehicles else 0
        self.worlds = stack(
            [self.scene] * count, vehicles=most, route_steps=self.template.routes.shape[2]
        )
        self.scratch = scratch_for(self.worlds, threads)
        cue, latent = self.env.cue(), self.env.latent()
        self._has_cue = cue is not None
        self.latent = np.zeros((count, len(latent)))
        self.cue = np.zeros((count, len(latent) if self._has_cue else 0), np.float32)
        self._hidden_of = own.from_latent(found.base)
        self.hidden = self._hidden_of(self.latent)
        self._seeds = np.zeros(count, np.int64)
        self.sensor_seed = self._seeds.view(np.uint64)
        self.slots = np.zeros((count, scenario.observation.vehicles_count - 1), np.int64)
        occluders = self.env.occluders()
        self.occluders = np.repeat(occluders[None], count, axis=0)
        self.occluder_counts = np.full(count, len(occluders), np.int64)
        self.first_road_lanes = np.zeros(count, np.int64)

    def fill(self, rows: Ints, seeds: Ints) -> None:
        """Begin the episodes of seeds (n,) in worlds (n,)."""
        rows, seeds = np.asarray(rows, np.int64), np.asarray(seeds, np.int64)
        reset_worlds(
            self.worlds, self.scratch, self.template, rows, seeds, self.latent, self._seeds,
            self.slots,
        )  # fmt: skip
        if self._has_cue:
            self.cue[rows] = self.latent[rows]
        self.hidden[rows] = self._hidden_of(self.latent[rows])
        egos = self.worlds.actors[rows, self.worlds.world["ego"][rows]]
        road = self.worlds.lanes["road"][0, egos["lane"]]
        self.first_road_lanes[rows] = self.worlds.roads["lanes"][0, road]

    def prefetch(self, seeds: Sequence[int]) -> None:
        """Nothing: scenes are made when they are needed."""

    def close(self) -> None:
        """Close the live environment."""
        self.env.close()
