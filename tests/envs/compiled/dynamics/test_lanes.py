"""Lane geometry, the closest lane and neighbours against highway-env's own methods."""

from __future__ import annotations

import gymnasium
import highway_env  # noqa: F401  registers its ids
import numpy as np
import pytest
from highway_env.road.lane import CircularLane, PolyLane, PolyLaneFixedWidth, SineLane, StraightLane
from highway_env.road.road import Road, RoadNetwork
from highway_env.vehicle.behavior import IDMVehicle
from hypothesis import given, settings
from hypothesis import strategies as st

from drivemem_envs.compiled.dynamics import lanes, neighbours, network
from drivemem_envs.compiled.dynamics.step import forget_all, world_of
from drivemem_envs.compiled.export.network import export_network
from drivemem_envs.compiled.export.scene import export
from drivemem_envs.compiled.records import NONE
from drivemem_envs.compiled.worlds import scratch_for

BEND = [(0, 0), (10, 1), (18, 6), (22, 15), (21, 27), (12, 33)]
LEFT = [(x - 2, y + 3) for x, y in BEND]
RIGHT = [(x + 2, y - 3) for x, y in BEND]
LANES = {
    "straight": StraightLane([3, -2], [40, 25], width=3.5),
    "sine": SineLane([0, 4], [60, -20], amplitude=3.3, pulsation=0.2, phase=0.4),
    "clockwise": CircularLane([5, 6], 20, -0.3, 2.5),
    "anticlockwise": CircularLane([5, 6], 12, 3.0, -1.0, clockwise=False),
    "long arc": CircularLane([0, 0], 15, 0.0, 6.0),
    "polyline": PolyLaneFixedWidth(BEND, width=5),
    "wide polyline": PolyLane(BEND, LEFT, RIGHT),
}
POSITIONS = st.tuples(st.floats(-80, 80), st.floats(-80, 80))


def tables(*given_lanes):
    net = RoadNetwork()
    for number, lane in enumerate(given_lanes):
        net.add_lane(f"n{number}", f"n{number + 1}", lane)
    return net, export_network(net)


@pytest.mark.parametrize("name", LANES)
@settings(max_examples=60, deadline=None)
@given(position=POSITIONS, lateral=st.floats(-9, 9), heading=st.floats(-10, 10))
def test_geometry_is_highway_envs(name, position, lateral, heading):
    lane = LANES[name]
    _, found = tables(lane)
    record, points = found.lanes[0], found.points
    here = np.array(position)
    s, r = lane.local_coordinates(here)
    assert lanes.local_coordinates(record, points, *position) == pytest.approx((s, r), abs=1e-9)
    ours = lanes.position_at(record, points, s, lateral)
    assert ours == pytest.approx(tuple(lane.position(s, lateral)), abs=1e-9)
    assert lanes.heading_at(record, points, s) == pytest.approx(lane.heading_at(s), abs=1e-9)
    assert lanes.width_at(record, points, s) == lane.width_at(s)
    assert lanes.is_on_lane(record, points, s, r, 1.0) == lane.on_lane(here, s, r, margin=1)
    assert lanes.is_reachable(record, points, s, r) == lane.is_reachable_from(here)
    ours = lanes.lane_distance_with_heading(record, points, s, r, heading)
    assert ours == pytest.approx(lane.distance_with_heading(here, heading), abs=1e-9)


@pytest.mark.parametrize("name", [name for name in LANES if "polyline" not in name])
@settings(max_examples=60, deadline=None)
@given(position=POSITIONS)
def test_boxes_leave_nothing_out(name, position):
    lane = LANES[name]
    record = tables(lane)[1].lanes[0]
    x, y = position
    s, r = lane.local_coordinates(np.array(position))
    dx = max(record.left - x, x - record.right, 0.0)
    dy = max(record.bottom - y, y - record.top, 0.0)
    assert np.hypot(dx, dy) <= lane.distance(np.array(position)) + 1e-9
    if lane.on_lane(np.array(position), s, r, margin=1):
        assert record.on_left <= x <= record.on_right
        assert record.on_bottom <= y <= record.on_top


WORLDS = ("roundabout-v1", "racetrack-large-v0", "exit-v1", "intersection-v2", "merge-v1")


def arrays_of(road):
    scene = export(road)
    one = world_of(scene.worlds, scratch_for(scene.worlds, 1), 0, 0)
    forget_all(one)
    return scene, one


@pytest.fixture(scope="module")
def roads():
    made = {}
    for name in WORLDS:
        env = gymnasium.make(name, disable_env_checker=True).unwrapped
        env.reset(seed=3)
        made[name] = env.road
    return made


@pytest.mark.parametrize("name", WORLDS)
def test_the_closest_lane_is_highway_envs_from_any_guess(name, roads):
    net = roads[name].network
    road = Road(net)
    draw = np.random.default_rng(0)
    ends = np.array([lane.position(s, 0) for lane in net.lanes_list() for s in (0, lane.length)])
    low, high = ends.min(axis=0) - 20, ends.max(axis=0) + 20
    for _ in range(40):
        position, heading = draw.uniform(low, high), draw.uniform(-7, 7)
        road.vehicles.append(IDMVehicle(road, position, heading, 5.0))
    scene, one = arrays_of(road)
    for row, vehicle in enumerate(road.vehicles):
        for guess in draw.integers(len(scene.network.lanes), size=4):
            one.actors["lane"][row] = guess
            found = network.closest_lane(one, row)
            assert scene.network.lane_indices[found] == vehicle.lane_index


def level(one, other, net, index):
    """Whether two vehicles stand at one coordinate of an arc, to the last bits."""
    lane = net.get_lane(index)
    at = [lane.local_coordinates(vehicle.position)[0] for vehicle in (one, other) if vehicle]
    return isinstance(lane, CircularLane) and len(at) == 2 and abs(at[0] - at[1]) < 1e-9


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("name", WORLDS)
def test_neighbours_are_highway_envs(name, connected, roads):
    net = roads[name].network
    road = Road(net, neighbour_vehicles_connected_lanes=connected)
    draw = np.random.default_rng(1)
    every = net.lanes_list()
    for _ in range(30):
        lane = every[draw.integers(len(every))]
        # Steps of a metre, so that several vehicles stand at the same coordinate; between whole
        # metres, where lanes end, and the last bit decides who is on one.
        along, aside = draw.integers(-6, int(lane.length) + 6), draw.integers(-4, 5)
        road.vehicles.append(IDMVehicle(road, lane.position(along + 0.3, aside + 0.6), 0.0, 5.0))
    scene, one = arrays_of(road)
    neighbours.list_members(one)
    rows = {id(vehicle): row for row, vehicle in enumerate(road.vehicles)} | {id(None): NONE}
    for row, vehicle in enumerate(road.vehicles):
        for lane, index in enumerate(scene.network.lane_indices):
            ours = neighbours.neighbours(one, row, lane)
            for mine, other in zip(ours, road.neighbour_vehicles(vehicle, index), strict=True):
                # On an arc, NumPy's vector instructions and the kernels may differ in the last
                # bit, so that of vehicles at one coordinate either may be the nearer.
                one_of = None if mine == NONE else road.vehicles[mine]
                assert mine == rows[id(other)] or level(one_of, other, net, index)
