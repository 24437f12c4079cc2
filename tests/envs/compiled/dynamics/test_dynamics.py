"""The kernels move every highway-env world exactly as highway-env does, to the last bit."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivemem_envs.highway_env_ids import HIGHWAY_ENV_IDS

# Enough to reach lane changes, ends of lanes and crashes where the world has them.
QUICK = {"highway-v0": 3, "lane-keeping-v0": 60, "parking-v0": 40, "parking-parked-v0": 40}
MODES = ("random", "brake", "weave")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", HIGHWAY_ENV_IDS)
def test_every_id_is_equal_to_the_last_bit(name, mode, compare_exactly):
    steps = QUICK.get(name, 12)
    assert compare_exactly(name, steps=steps, mode=mode)["difference"] is None


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", HIGHWAY_ENV_IDS)
def test_every_id_stays_equal_through_crashes(name, mode, compare_exactly):
    seeds, steps = (4, 40) if name == "highway-v0" else (15, 60)
    answer = compare_exactly(name, seeds=seeds, first_seed=100, steps=steps, mode=mode)
    assert answer["difference"] is None


def test_crashes_are_among_what_is_compared(compare_exactly):
    answer = compare_exactly("highway-fast-v0", seeds=3, steps=15, mode="weave")
    assert answer["difference"] is None
    assert answer["crashes"] > 5


TRAFFIC = st.sampled_from(["IDMVehicle", "LinearVehicle", "AggressiveVehicle", "DefensiveVehicle"])
HIGHWAYS = st.fixed_dictionaries(
    {
        "lanes_count": st.integers(1, 6),
        "vehicles_count": st.integers(0, 25),
        "vehicles_density": st.floats(0.5, 4.0),
        "simulation_frequency": st.sampled_from([5, 10, 15]),
        "policy_frequency": st.sampled_from([1, 5]),
        "neighbour_vehicles_connected_lanes": st.booleans(),
        "other_vehicles_type": TRAFFIC.map("highway_env.vehicle.behavior.{}".format),
        "action": st.sampled_from(
            [
                {"type": "DiscreteMetaAction", "target_speeds": [0, 10, 20, 30]},
                {"type": "DiscreteMetaAction", "lateral": False},
                {"type": "DiscreteMetaAction", "longitudinal": False},
                {"type": "ContinuousAction", "speed_range": [5, 25]},
                {"type": "ContinuousAction", "lateral": False, "acceleration_range": [-9, 4]},
                {"type": "ContinuousAction", "dynamical": True, "steering_range": [-0.1, 0.1]},
            ]
        ),
    }
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(config=HIGHWAYS, seed=st.integers(0, 10_000))
def test_random_highways_are_equal(config, seed, compare_exactly):
    answer = compare_exactly("highway-fast-v0", config=config, first_seed=seed, steps=6)
    assert answer["difference"] is None


CROSSINGS = st.fixed_dictionaries(
    {
        "initial_vehicle_count": st.integers(1, 14),
        "neighbour_vehicles_connected_lanes": st.booleans(),
        "simulation_frequency": st.sampled_from([10, 15]),
        "other_vehicles_type": TRAFFIC.map("highway_env.vehicle.behavior.{}".format),
    }
)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(config=CROSSINGS, seed=st.integers(0, 10_000))
def test_random_intersections_are_equal(config, seed, compare_exactly):
    answer = compare_exactly("intersection-v0", config=config, first_seed=seed, steps=6)
    assert answer["difference"] is None
