"""What a learner sees of compiled worlds equals the reference backend's, to the last bit.

Observations, truth (visibility and ages with it), rewards and their terms, ends, outcomes,
metrics, action masks.
"""

from __future__ import annotations

import pytest

import drivemem_envs
from drivemem_envs.making import compiles
from drivemem_envs.names import SUITE
from drivemem_envs.scenarios.shared.single_decision import SingleDecisionWorld
from drivemem_envs.sensing import TRACKERS

COMPILED = [
    name
    for name in drivemem_envs.scenario_names()
    if compiles(drivemem_envs.scenario(name)) is None
]
CHOICES = [
    name
    for name in SUITE
    if issubclass(drivemem_envs.scenario(name).world_class(), SingleDecisionWorld)
]
LIMITS = {
    "line_of_sight": {"line_of_sight": ["actors", "occluders"]},
    "range": {"range_m": 40.0},
    "field_of_view": {"field_of_view_deg": 120.0},
    "dropout": {"dropout_per_s": 1.0},
    "blackout": {"blackout_per_s": 0.5, "blackout_mean_s": 1.0},
    "noise": {"noise_position_m": 1.0, "noise_speed_mps": 1.0, "noise_growth_per_m": 0.01},
    "hide": {"hide": ["velocity", "heading"]},
    "missed": {"missed": "camera"},
    "sectors": {"sectors": "front_rear_mirrors"},
}
ALL = {
    key: value
    for name, limit in LIMITS.items()
    if name != "sectors"
    for key, value in limit.items()
}
"""But for sectors, which stand in place of range and field of view."""
ON_CARS = {
    "line_of_sight": ["actors", "occluders"], "sectors": "front_rear_mirrors", "missed": "lidar",
}  # fmt: skip
MODES = ("random", "brake", "weave")


@pytest.mark.parametrize("name", COMPILED)
def test_every_scenario_is_equal(name, compare_backends):
    assert compare_backends(name, steps=12)["difference"] is None


@pytest.mark.parametrize("name", COMPILED)
def test_every_scenario_is_equal_with_sensors_as_on_cars(name, compare_backends):
    changes = {"sensors": ON_CARS, "tracker": "hold_last"}
    assert compare_backends(name, steps=12, changes=changes)["difference"] is None


@pytest.mark.parametrize("name", COMPILED)
def test_every_scenario_is_equal_in_the_frame_of_its_lane(name, compare_backends):
    native = drivemem_envs.scenario(name).observation.native or {}
    grid = native.get("type") != "OccupancyGrid"
    changes = {
        "sensors": {"noise_position_m": 0.5, "hide": ["heading"]},
        "tracker": "constant_velocity",
        "views": ["rows", "lanes", *(["grid"] if grid else [])],
    }
    assert compare_backends(name, steps=12, changes=changes)["difference"] is None


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", COMPILED)
def test_every_scenario_stays_equal_over_episodes(name, mode, compare_backends):
    steps = 15 if name == "highway-v0" else 80
    answer = compare_backends(name, worlds=3, steps=steps, mode=mode, first_seed=50)
    assert answer["difference"] is None


def test_episodes_end_and_begin_equal(compare_backends):
    answer = compare_backends("exit-recall-v0", worlds=4, steps=70)
    assert answer["difference"] is None
    assert answer["ended"] >= 6


@pytest.mark.parametrize("name", CHOICES)
def test_scenes_with_one_choice_are_equal_to_their_end(name, compare_backends):
    answer = compare_backends(name, worlds=3, steps=90)
    assert answer["difference"] is None
    assert answer["ended"] >= 3


@pytest.mark.parametrize("limit", LIMITS)
def test_every_limit_is_equal(limit, compare_backends):
    changes = {"sensors": LIMITS[limit]}
    answer = compare_backends("blackout-highway-v0", steps=25, mode="weave", changes=changes)
    assert answer["difference"] is None


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize("slots", ["sorted", "fixed"])
def test_all_limits_together_are_equal(slots, tracker, compare_backends):
    changes = {"sensors": {**ALL, "latency_s": 1.0}, "slots": slots, "tracker": tracker}
    answer = compare_backends("blackout-highway-v0", steps=30, changes=changes)
    assert answer["difference"] is None


@pytest.mark.parametrize("name", ["exit-recall-v0", "merge-v1"])
def test_one_flat_vector_is_equal(name, compare_backends):
    assert compare_backends(name, steps=10, changes={"flat": True})["difference"] is None
