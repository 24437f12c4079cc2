"""highway-env's own observations in kernels: what they see under limits, and what is refused."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import drivemem_envs
from drivemem_envs.compiled.codes import HIGHWAY, PARKING
from drivemem_envs.compiled.dynamics.step import world_of
from drivemem_envs.compiled.export.scene import export
from drivemem_envs.compiled.export.supported import CompiledUnsupported
from drivemem_envs.compiled.perception.native_observations import native_kind
from drivemem_envs.compiled.perception.occupancy_grid import grid_layers
from drivemem_envs.compiled.perception.time_to_collision import is_connected
from drivemem_envs.compiled.tasks.parking import feature_codes
from drivemem_envs.compiled.worlds import scratch_for

NATIVE = ["two-way-v0", "u-turn-v0", "racetrack-v0", "parking-parked-v0", "lane-keeping-v0"]
LIMITS = {
    "line_of_sight": ["actors"], "range_m": 40.0, "dropout_per_s": 1.0, "blackout_per_s": 0.3,
    "noise_position_m": 1.0, "noise_speed_mps": 1.0,
}  # fmt: skip


@pytest.mark.parametrize("hide", [[], ["velocity", "heading"]])
@pytest.mark.parametrize("name", NATIVE)
def test_native_parts_see_only_what_is_perceived(name, hide, compare_backends):
    changes = {"sensors": {**LIMITS, "hide": hide}}
    assert compare_backends(name, steps=15, changes=changes)["difference"] is None


@pytest.mark.parametrize("tracker", ["kalman", "perfect_recall"])
@pytest.mark.parametrize("name", NATIVE)
def test_native_parts_show_what_a_tracker_believes(name, tracker, compare_backends):
    changes = {"sensors": {**LIMITS, "hide": ["velocity"]}, "tracker": tracker}
    assert compare_backends(name, steps=15, changes=changes)["difference"] is None


@pytest.mark.parametrize("name", NATIVE)
def test_native_parts_are_part_of_a_flat_vector(name, compare_backends):
    assert compare_backends(name, steps=5, changes={"flat": True})["difference"] is None


@pytest.mark.parametrize("name", ["u-turn-v0", "two-way-v0", "merge-v0"])
def test_roads_are_connected_as_in_highway_env(name):
    env = gymnasium.make(name).unwrapped
    env.reset(seed=0)
    scene, network = export(env), env.road.network
    one = world_of(scene.worlds, scratch_for(scene.worlds, 1), 0, 0)
    indices = scene.network.lane_indices
    found = np.zeros((len(indices), len(indices)), dtype=bool)
    wanted = np.zeros_like(found)
    for row, lane in enumerate(indices):
        for column, other in enumerate(indices):
            road, there = scene.network.lanes["road"][[row, column]]
            found[row, column] = is_connected(one, scene.world.ego, int(road), int(there))
            wanted[row, column] = network.is_connected_road(
                lane, other, route=env.vehicle.route, depth=3
            )
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"features": ["cos_d"]}, "cos_d"),
        ({"as_image": True}, "image"),
        ({"absolute": True}, "abs"),
    ],
)
def test_grids_that_the_kernel_does_not_know_are_refused(config, word):
    with pytest.raises(CompiledUnsupported, match=word):
        grid_layers(config)


def test_goals_that_the_kernel_does_not_know_are_refused():
    with pytest.raises(CompiledUnsupported, match="lat_off"):
        feature_codes(["x", "lat_off"])


def test_an_observation_that_belongs_to_a_task_is_refused_elsewhere():
    parking = drivemem_envs.scenario("parking-v0")
    assert native_kind(parking, PARKING) > 0
    with pytest.raises(CompiledUnsupported, match="KinematicsGoal"):
        native_kind(parking, HIGHWAY)


def test_an_image_is_refused():
    spec = drivemem_envs.scenario("highway-v0").observation
    native = {"type": "GrayscaleObservation"}
    scenario = drivemem_envs.scenario("highway-v0").model_copy(
        update={"observation": spec.model_copy(update={"native": native})}
    )
    with pytest.raises(CompiledUnsupported, match="GrayscaleObservation"):
        native_kind(scenario, HIGHWAY)
