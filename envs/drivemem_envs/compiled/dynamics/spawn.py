"""Traffic that appears and disappears: vehicle constructors and highway_env's IntersectionEnv.

`clear_and_spawn` is what that environment does after each decision.
"""

from __future__ import annotations

import math

from drivemem_envs._jit import jit
from drivemem_envs.compiled import random
from drivemem_envs.compiled.dynamics.control import speed_to_index
from drivemem_envs.compiled.dynamics.lanes import heading_at, local_coordinates, position_at
from drivemem_envs.compiled.dynamics.network import closest_lane, forget
from drivemem_envs.compiled.records import LINEAR, MDP, OneWorld
from drivemem_envs.compiled.template import OTHER, Template

# Template.spawning: least and highest IDM exponent, probability of spawning after a decision.
DELTA_LOW, DELTA_HIGH, PROBABILITY = range(3)
# Template.lane_rows of a world that spawns: by arm, the lane that enters; behind these, the lanes
# (rows) on which vehicles leave, up to the end of the array.
ARMS = 4

_NEAREST_SPAWN = 15.0


@jit
def place(
    one: OneWorld,
    template: Template,
    prototype: int,
    x: float,
    y: float,
    heading: float,
    speed: float,
) -> int:
    """Construct a vehicle at a pose behind the last one; returns its row."""
    world = one.world[0]
    row = int(world.vehicles)
    world.vehicles = row + 1
    one.actors[row] = template.prototypes[prototype]
    it = one.actors[row]
    it.x, it.y, it.heading, it.speed = x, y, heading, speed
    it.cos_heading, it.sin_heading = math.cos(heading), math.sin(heading)
    if it.kind <= MDP:
        it.target_speed = speed
    if it.kind <= LINEAR:
        # A clock that starts anywhere within its period, the same for the same place.
        it.timer = ((x + y) * math.pi) % one.drivers[it.driver].lane_change_delay
    elif it.kind == MDP:
        it.speed_index = speed_to_index(one.speeds, world.speeds, speed)
        it.target_speed = one.speeds[it.speed_index]
    forget(one, row)
    it.lane = 0
    it.lane = closest_lane(one, row)
    it.target_lane = it.lane
    return row


@jit
def place_on_lane(
    one: OneWorld, template: Template, prototype: int, lane: int, longitudinal: float, speed: float
) -> int:
    """`Vehicle.make_on_lane`: on the centre line, along it; returns the row."""
    x, y = position_at(one.lanes[lane], one.points, longitudinal, 0.0)
    heading = heading_at(one.lanes[lane], one.points, longitudinal)
    return place(one, template, prototype, x, y, heading, speed)


@jit
def plan_route(one: OneWorld, template: Template, row: int, destination: int) -> None:
    """`ControlledVehicle.plan_route_to`; plain vehicles have no route."""
    it = one.actors[row]
    if it.kind > MDP:
        return
    steps = int(template.route_steps[destination, it.lane])
    for step in range(steps):
        one.routes[row, step, 0] = template.routes[destination, it.lane, step, 0]
        one.routes[row, step, 1] = template.routes[destination, it.lane, step, 1]
    it.route_start, it.route_end, it.has_route = 0, steps, True


@jit
def randomize_behavior(one: OneWorld, template: Template, row: int) -> None:
    """`IDMVehicle.randomize_behavior`."""
    low, high = template.spawning[DELTA_LOW], template.spawning[DELTA_HIGH]
    one.actors[row].delta = random.uniform(one.stream, low, high)


@jit
def remove(one: OneWorld, row: int) -> None:
    """Take a vehicle off the road; those behind it in the list move up."""
    world = one.world[0]
    for behind in range(row + 1, world.vehicles):
        one.actors[behind - 1] = one.actors[behind]
        for step in range(one.routes.shape[1]):
            one.routes[behind - 1, step, 0] = one.routes[behind, step, 0]
            one.routes[behind - 1, step, 1] = one.routes[behind, step, 1]
    if world.ego > row:
        world.ego -= 1
    world.vehicles -= 1


@jit
def number_actors(one: OneWorld) -> None:
    """Ids at the begin of an episode: the ego 0, others in order of the list."""
    world = one.world[0]
    identity = 1
    for row in range(int(world.vehicles)):
        if row == world.ego:
            one.actors[row].id = 0
        else:
            one.actors[row].id = identity
            identity += 1
    world.next_id = identity


@jit
def spawn_vehicle(
    one: OneWorld,
    template: Template,
    longitudinal: float,
    probability: float,
    goes_straight: bool,
    place_deviation: float,
    speed_deviation: float,
) -> None:
    """`IntersectionEnv._spawn_vehicle`: a vehicle entering on one arm, if there is room."""
    world = one.world[0]
    if random.random(one.stream) > probability:
        return
    arm, towards = random.two_of(one.stream, ARMS)
    if goes_straight:
        towards = (arm + 2) % ARMS
    along = longitudinal + 5.0 + random.normal(one.stream) * place_deviation
    speed = 8.0 + random.normal(one.stream) * speed_deviation
    lane = int(template.lane_rows[arm])
    x, y = position_at(one.lanes[lane], one.points, along, 0.0)
    for other in range(int(world.vehicles)):
        dx, dy = one.actors[other].x - x, one.actors[other].y - y
        if math.sqrt(dx * dx + dy * dy) < _NEAREST_SPAWN:
            return
    if world.vehicles >= one.routes.shape[0]:
        return  # no room; `families` sizes worlds so that this cannot be within an episode
    row = place_on_lane(one, template, OTHER, lane, along, speed)
    plan_route(one, template, row, towards)
    randomize_behavior(one, template, row)
    one.actors[row].id = world.next_id
    world.next_id += 1


@jit
def _is_leaving(one: OneWorld, template: Template, row: int) -> bool:
    """Whether a vehicle is at the end of a lane that leads away."""
    it = one.actors[row]
    for place_index in range(ARMS, template.lane_rows.shape[0]):
        if template.lane_rows[place_index] == it.lane:
            lane = one.lanes[it.lane]
            longitudinal, _ = local_coordinates(lane, one.points, it.x, it.y)
            return bool(longitudinal >= lane.length - 4 * it.length)
    return False


@jit
def clear_vehicles(one: OneWorld, template: Template) -> None:
    """`IntersectionEnv._clear_vehicles`."""
    world = one.world[0]
    row = 0
    while row < world.vehicles:
        gone = _is_leaving(one, template, row) or not one.actors[row].has_route
        if row != world.ego and gone:
            remove(one, row)
        else:
            row += 1


@jit
def clear_and_spawn(one: OneWorld, template: Template) -> None:
    """What comes after a decision's reward and ends: `IntersectionEnv.step`'s last lines.

    Does nothing in worlds whose traffic stays. Drops no scratch memory: `advance` does.

    Args:
        one: the world; its vehicles, their routes and its stream change.
        template: its scenario's.
    """
    if not template.spawns:
        return
    clear_vehicles(one, template)
    spawn_vehicle(one, template, 0.0, template.spawning[PROBABILITY], False, 1.0, 1.0)
