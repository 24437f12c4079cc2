"""From live vehicles and objects to actor, route and driver tables."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
from highway_env.vehicle.behavior import IDMVehicle, LinearVehicle
from highway_env.vehicle.controller import ControlledVehicle, MDPVehicle
from highway_env.vehicle.dynamics import BicycleVehicle
from highway_env.vehicle.kinematics import Vehicle
from highway_env.vehicle.objects import Landmark, Obstacle
from numpy.typing import NDArray

from drivemem_envs.compiled import records
from drivemem_envs.compiled.export.network import NetworkTables
from drivemem_envs.compiled.export.supported import known_base, refuse
from drivemem_envs.compiled.records import (
    BICYCLE,
    CONTROLLED,
    IDM,
    KINEMATIC,
    LANDMARK,
    LINEAR,
    MDP,
    NONE,
    OBSTACLE,
    Records,
)
from drivemem_envs.sensing.layout import FIRST_OBJECT_ID

VEHICLES = {
    Vehicle: KINEMATIC,
    ControlledVehicle: CONTROLLED,
    MDPVehicle: MDP,
    IDMVehicle: IDM,
    LinearVehicle: LINEAR,
    BicycleVehicle: BICYCLE,
}
OBJECTS = {Obstacle: OBSTACLE, Landmark: LANDMARK}

# Field of DRIVER: highway-env's attribute.
_CONTROLLER = {
    "tau_pursuit": "TAU_PURSUIT", "kp_a": "KP_A", "kp_heading": "KP_HEADING",
    "kp_lateral": "KP_LATERAL", "max_steering_angle": "MAX_STEERING_ANGLE",
}  # fmt: skip
_TRAFFIC = {
    "acc_max": "ACC_MAX", "comfort_acc_max": "COMFORT_ACC_MAX",
    "distance_wanted": "DISTANCE_WANTED", "time_wanted": "TIME_WANTED",
    "politeness": "POLITENESS", "min_acc_gain": "LANE_CHANGE_MIN_ACC_GAIN",
    "max_braking_imposed": "LANE_CHANGE_MAX_BRAKING_IMPOSED",
    "lane_change_delay": "LANE_CHANGE_DELAY",
}  # fmt: skip
_TYRES = {
    "mass": "MASS", "length_a": "LENGTH_A", "length_b": "LENGTH_B", "inertia_z": "INERTIA_Z",
    "friction_front": "FRICTION_FRONT", "friction_rear": "FRICTION_REAR",
    "max_angular_speed": "MAX_ANGULAR_SPEED",
}  # fmt: skip


@dataclass(frozen=True)
class ActorTables:
    """The vehicles and objects of one world."""

    actors: Records
    """(V + O,) ACTOR."""
    routes: NDArray[np.int16]
    """(V, R, 2)."""
    drivers: Records
    """(D,) DRIVER."""
    ego: int
    """Row of the ego or NONE."""
    live: dict[int, Any]
    """Live vehicles and objects by id."""


def kind_of(vehicle: Any) -> int:
    """The kind of a live vehicle.

    Raises:
        CompiledUnsupported: it is of a class that the kernels do not reproduce.
    """
    return known_base(vehicle, VEHICLES)


def export_actors(
    road: Any, network: NetworkTables, ego: Any, speed_range: tuple[float, float] | None
) -> ActorTables:
    """Read the vehicles and objects of a road.

    Args:
        road: highway-env's road.
        network: its network's tables.
        ego: the agent's vehicle or None.
        speed_range: the ego's least and highest speed where its action type sets them, m/s.

    Raises:
        CompiledUnsupported: an unknown class, or state that the kernels cannot hold.
    """
    lanes = {index: row for row, index in enumerate(network.lane_indices)}
    routes = export_routes(road.vehicles, network)
    found: list[SimpleNamespace] = []
    drivers: dict[tuple[Any, ...], int] = {}
    live: dict[int, Any] = {}
    others = count(1)
    for vehicle in road.vehicles:
        kind = kind_of(vehicle)
        record = _blank()
        fill_actor(record, vehicle, kind, lanes)
        fill_vehicle(record, vehicle, kind, lanes)
        record.id = 0 if vehicle is ego else next(others)
        driver = _driver(vehicle, kind, speed_range if vehicle is ego else None)
        record.driver = drivers.setdefault(driver, len(drivers))
        steps = vehicle_route(vehicle)
        record.has_route, record.route_end = steps is not None, len(steps or ())
        found.append(record)
        live[record.id] = vehicle
    for number, thing in enumerate(road.objects):
        record = _blank()
        fill_actor(record, thing, known_base(thing, OBJECTS), lanes)
        record.id = FIRST_OBJECT_ID + number
        found.append(record)
        live[record.id] = thing
    actors = np.zeros(len(found), records.ACTOR)
    for row, record in enumerate(found):
        actors[row] = _values(record, records.ACTOR)
    table = np.zeros(max(len(drivers), 1), records.DRIVER)
    for driver, row in drivers.items():
        table[row] = driver
    row_of_ego = next((row for row, it in enumerate(road.vehicles) if it is ego), NONE)
    return ActorTables(actors, routes, table, row_of_ego, live)


def _blank() -> SimpleNamespace:
    """An ACTOR of zeros, to be filled; a NumPy record's own fields are slow to write."""
    return SimpleNamespace(**dict.fromkeys(records.ACTOR.names or (), 0))


def _values(filled: SimpleNamespace, kind: np.dtype[Any]) -> tuple[Any, ...]:
    """What was filled in, in the order of a record type's fields."""
    values = vars(filled)
    return tuple(values[name] for name in kind.names or ())


def vehicle_route(vehicle: Any) -> Any:
    """A vehicle's planned route or None; plain vehicles have none."""
    return getattr(vehicle, "route", None)


def export_routes(vehicles: list[Any], network: NetworkTables) -> NDArray[np.int16]:
    """The routes of vehicles as (V, R, 2): a road and a lane number or NONE for each step.

    Raises:
        CompiledUnsupported: a route uses a road that does not exist, or two share one list.
    """
    roads = {name: row for row, name in enumerate(network.road_names)}
    planned = [vehicle_route(vehicle) or [] for vehicle in vehicles]
    shared = len({id(route) for route in planned if route}) < sum(bool(r) for r in planned)
    refuse(
        shared, "two vehicles share one route object, so that one's progress changes the other's"
    )
    longest = max((len(route) for route in planned), default=0)
    table = np.full((len(vehicles), max(longest, 1), 2), NONE, dtype=np.int16)
    for row, route in enumerate(planned):
        for step, (start, end, number) in enumerate(route):
            refuse((start, end) not in roads, f"a route uses the missing road {start!r}-{end!r}")
            table[row, step] = roads[start, end], NONE if number is None else number
    return table


def driver_of(vehicle: Any, kind: int) -> Any:
    """The DRIVER record of a live vehicle, from its class and its own attributes."""
    driver = np.zeros(1, records.DRIVER)
    driver[0] = _driver(vehicle, kind, None)
    return driver[0]


def _driver(vehicle: Any, kind: int, speed_range: tuple[float, float] | None) -> tuple[float, ...]:
    """The values of a vehicle's DRIVER, with the ego's own least and highest speed."""
    driver = SimpleNamespace(**dict.fromkeys(records.DRIVER.names or (), 0.0))
    driver.max_speed, driver.min_speed = vehicle.MAX_SPEED, vehicle.MIN_SPEED
    fields: dict[str, str] = {}
    if kind <= MDP:
        fields |= _CONTROLLER
    if kind <= LINEAR:
        fields |= _TRAFFIC
        comfort = -vehicle.COMFORT_ACC_MAX * vehicle.COMFORT_ACC_MIN
        driver.twice_root_ab = 2 * np.sqrt(comfort)
    if kind == LINEAR:
        weights = vehicle.ACCELERATION_PARAMETERS
        driver.speed_weight, driver.front_speed_weight, driver.front_gap_weight = weights
        driver.heading_weight, driver.lateral_weight = vehicle.STEERING_PARAMETERS
        driver.square = 2.0
    if kind == BICYCLE:
        fields |= _TYRES
    for name, attribute in fields.items():
        setattr(driver, name, getattr(vehicle, attribute))
    if speed_range:
        driver.min_speed, driver.max_speed = speed_range
    return tuple(float(value) for value in _values(driver, records.DRIVER))


def fill_actor(record: Any, thing: Any, kind: int, lanes: dict[Any, int]) -> None:
    """Write what every live thing has into an ACTOR record; `lanes` are rows by index."""
    record.kind = kind
    record.x, record.y = thing.position
    record.heading, record.speed = thing.heading, thing.speed
    record.cos_heading, record.sin_heading = np.cos(thing.heading), np.sin(thing.heading)
    record.length, record.width = thing.LENGTH, thing.WIDTH
    record.diagonal_m = thing.diagonal
    record.crashed, record.hit = bool(thing.crashed), bool(thing.hit)
    record.check_collisions = thing.check_collisions
    record.collidable, record.solid = thing.collidable, thing.solid
    record.lane = record.target_lane = lanes[thing.lane_index]


def fill_vehicle(record: Any, vehicle: Any, kind: int, lanes: dict[Any, int]) -> None:
    """Write what only vehicles have, and what their kind has, into an ACTOR record."""
    record.steering = vehicle.action["steering"]
    record.acceleration = vehicle.action["acceleration"]
    record.predicts_straight = vehicle.prediction_type == "zero_steering"
    if vehicle.impact is not None:
        record.has_impact = True
        record.impact_x, record.impact_y = vehicle.impact
    if kind == BICYCLE:
        record.lateral_speed, record.yaw_rate = vehicle.lateral_speed, vehicle.yaw_rate
    if kind > MDP:
        return
    refuse(
        vehicle.target_lane_index not in lanes,
        f"a vehicle drives towards the missing lane {vehicle.target_lane_index}",
    )
    record.target_lane = lanes[vehicle.target_lane_index]
    record.target_speed = vehicle.target_speed
    record.yielding = getattr(vehicle, "is_yielding", False)
    record.yield_timer = getattr(vehicle, "yield_timer", 0)
    if kind == MDP:
        record.speed_index = vehicle.speed_index
    if kind <= LINEAR:
        record.timer, record.delta = vehicle.timer, vehicle.DELTA
        record.enable_lane_change = vehicle.enable_lane_change
