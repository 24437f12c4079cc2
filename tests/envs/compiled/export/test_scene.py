"""Scenes: what is exported, what is refused by name, and the way back into live objects."""

from __future__ import annotations

import gymnasium
import highway_env  # noqa: F401  registers its ids
import numpy as np
import pytest
from highway_env.envs.highway_env import HighwayEnvFast
from highway_env.road.lane import StraightLane
from highway_env.road.road import Road
from highway_env.vehicle.behavior import IDMVehicle
from highway_env.vehicle.objects import RoadObject

import drivemem_envs
from drivemem_envs.compiled.dynamics.step import simulate
from drivemem_envs.compiled.export.scene import export
from drivemem_envs.compiled.export.supported import CompiledUnsupported
from drivemem_envs.compiled.export.write_back import write_back
from drivemem_envs.compiled.worlds import put, scratch_for, stack

pytestmark = pytest.mark.usefixtures("pristine_traffic")


def live(name, seed=0, **kwargs):
    env = gymnasium.make(name, disable_env_checker=True, **kwargs).unwrapped
    env.reset(seed=seed)
    return env


def fast(**config):
    env = HighwayEnvFast({"vehicles_count": 4, **config})
    env.reset(seed=0)
    return env


class CarefulVehicle(IDMVehicle):
    TIME_WANTED = 3.0


class ChattyVehicle(IDMVehicle):
    def randomize_behavior(self):
        pass

    def greet(self):
        return "hello"


class BrakingVehicle(IDMVehicle):
    def acceleration(self, ego_vehicle, front_vehicle=None, rear_vehicle=None):
        return -1.0


class MoodyVehicle(IDMVehicle):
    @property
    def POLITENESS(self):
        return 0.5


class Pothole(RoadObject):
    def __init__(self, road, position, heading=0, speed=0):
        super().__init__(road, position, heading, speed)


class WavyLane(StraightLane):
    def heading_at(self, longitudinal):
        return 0.1


class SlowRoad(Road):
    def step(self, dt):
        super().step(dt / 2)


class OwnTime(HighwayEnvFast):
    def _simulate(self, action=None):
        super()._simulate(action)


def traffic(kind):
    return fast(other_vehicles_type=f"{__name__}.{kind.__name__}")


def with_class(env, thing, kind):
    thing.__class__ = kind
    return env


def test_subclasses_that_change_numbers_compile():
    env = fast()
    for kind in (CarefulVehicle, ChattyVehicle):
        env.road.vehicles[1].__class__ = kind
        scene = export(env)
        assert scene.worlds.drivers["time_wanted"].max() == kind.TIME_WANTED


def broken(part):
    env = fast()
    road = env.road
    if part == "method":
        road.vehicles[2].__class__ = BrakingVehicle
    elif part == "property":
        road.vehicles[2].__class__ = MoodyVehicle
    elif part == "instance":
        road.vehicles[2].act = lambda action=None: None
    elif part == "object":
        road.objects.append(Pothole(road, [10.0, 0.0]))
    elif part == "lane":
        road.network.get_lane(("0", "1", 0)).__class__ = WavyLane
    elif part == "road":
        road.__class__ = SlowRoad
    elif part == "env":
        env.__class__ = OwnTime
    elif part == "route":
        road.vehicles[1].route = road.vehicles[2].route = [("0", "1", None)]
    elif part == "ego":
        env.controlled_vehicles = road.vehicles[:2]
    return env


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("method", "BrakingVehicle.*`acceleration`"),
        ("property", "MoodyVehicle.*`POLITENESS`"),
        ("instance", "IDMVehicle.*`act`"),
        ("object", "Pothole is unknown"),
        ("lane", "WavyLane.*`heading_at`"),
        ("road", "SlowRoad.*`step`"),
        ("env", "OwnTime has a `_simulate`"),
        ("route", "share one route"),
        ("ego", "2 agents"),
    ],
)
def test_what_the_kernels_cannot_run_is_refused_by_name(part, told):
    with pytest.raises(CompiledUnsupported, match=f"(?s){told}.*backend='reference'"):
        export(broken(part))


def test_an_own_simulate_may_be_vouched_for():
    assert export(broken("env"), own_time=True).world.vehicles == 5


def test_private_traffic_of_drivemem_compiles():
    env = drivemem_envs.make("intersection-v0")
    env.reset(seed=1)
    drivers = export(env).worlds.drivers[0]
    # highway-env writes these on the class of its intersections' traffic.
    assert set(drivers["distance_wanted"][drivers["acc_max"] > 0]) == {7.0}


def test_equal_networks_are_held_once():
    scenes = [export(live("roundabout-v0", seed)) for seed in range(3)]
    worlds = stack([*scenes, export(fast())])
    assert len(worlds.lanes) == 2
    assert worlds.world["network"].tolist() == [0, 0, 0, 1]


def test_a_scene_too_large_for_a_batch_is_refused():
    worlds = stack([export(fast())])
    with pytest.raises(ValueError, match="needs room"):
        put(worlds, 0, export(fast(vehicles_count=9)), 0)


def test_worlds_do_not_depend_on_their_neighbours_in_the_batch():
    """However worlds are shared among threads, and whatever scratch memory held before."""
    scenes = [export(live(name, 2)) for name in ("merge-v1", "highway-fast-v0", "u-turn-v0")] * 3
    alone = [stack([scene]) for scene in scenes]
    for worlds in alone:
        simulate(worlds, scratch_for(worlds, 1), np.array([3]), 15)
    for threads in (1, 2):
        together = stack(scenes)
        simulate(together, scratch_for(together, threads), np.full(len(scenes), 3), 15)
        for index, worlds in enumerate(alone):
            vehicles = int(worlds.world["vehicles"][0])
            for name in ("x", "y", "heading", "speed", "lane", "target_lane", "crashed"):
                np.testing.assert_array_equal(
                    together.actors[name][index, :vehicles], worlds.actors[name][0, :vehicles]
                )


def test_actions_of_a_wrong_shape_are_refused():
    worlds = stack([export(fast())] * 2)
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        simulate(worlds, scratch_for(worlds, 1), np.zeros(3), 5)


@pytest.mark.parametrize(
    "name", ["highway-fast-v0", "merge-v1", "intersection-v0", "roundabout-v0", "parking-v0"]
)
def test_a_world_written_back_is_drawn_the_same(name):
    env, twin = (live(name, 5, render_mode="rgb_array") for _ in range(2))
    scene = export(twin)
    worlds = stack([scene])
    scratch = scratch_for(worlds, 1)
    draw = np.random.default_rng(0)
    for _ in range(4):
        action = env.action_space.sample() if name.startswith("parking") else int(draw.integers(3))
        env._simulate(action)
        simulate(worlds, scratch, np.array([action]), int(scene.world.frames))
    write_back(scene, twin, worlds)
    np.testing.assert_array_equal(env.render(), twin.render())
    for vehicle, ours in zip(env.road.vehicles, twin.road.vehicles, strict=True):
        assert getattr(vehicle, "route", None) == getattr(ours, "route", None)
        assert vehicle.lane_index == ours.lane_index
    env.close()
    twin.close()


def test_a_written_back_world_goes_on_as_before():
    """Exporting again gives the arrays that were written."""
    env = live("intersection-v0", 4)
    scene = export(env)
    worlds = stack([scene])
    scratch = scratch_for(worlds, 1)
    for action in (0, 2, 1):
        simulate(worlds, scratch, np.array([action]), int(scene.world.frames))
    write_back(scene, env, worlds)
    again = stack([export(env)])
    vehicles = int(worlds.world["vehicles"][0])
    for name in worlds.actors.dtype.names:
        if name in ("route_start", "route_end", "yield_timer"):
            continue  # what is behind on a route is not kept; the timer only while yielding
        np.testing.assert_array_equal(
            again.actors[name][0, :vehicles], worlds.actors[name][0, :vehicles], err_msg=name
        )


def test_vehicles_that_appeared_are_made_on_write_back():
    env = fast()
    scene = export(env)
    worlds = stack([scene], vehicles=8)
    world = worlds.world[0]
    worlds.actors[0, world.vehicles] = worlds.actors[0, 2]
    worlds.actors[0, world.vehicles].x += 40.0
    worlds.actors[0, world.vehicles].id = world.next_id
    world.vehicles += 1
    write_back(scene, env, worlds)
    new, old = env.road.vehicles[-1], env.road.vehicles[2]
    assert len(env.road.vehicles) == 6
    assert new is not old
    assert new.position[0] == old.position[0] + 40.0
