"""Dials that strangers turn: one line that says what fits, or a world that runs."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import drivemem_envs
from drivemem_envs import Scenario, make, scenario


@pytest.mark.parametrize(
    ("name", "dials", "message"),
    [
        ("blackout-highway", {"policy_frequency": 0}, "policy_frequency=0 .* a number from"),
        ("blackout-highway", {"simulation_frequency": 0}, "simulation_frequency=0 "),
        ("blackout-highway", {"vehicles_density": 0}, "vehicles_density=0 "),
        ("blackout-highway", {"lanes_count": 2.5}, "lanes_count=2.5 .* a whole number from 1"),
        ("blackout-highway", {"lanes_count": 0}, "lanes_count=0 "),
        ("blackout-highway", {"initial_lane_id": 9}, "initial_lane_id=9 .*0 to 2"),
        ("blackout-highway", {"duration": math.nan}, "duration=nan "),
        ("blackout-highway", {"duration": "long"}, "duration='long' "),
        ("blackout-highway", {"action": 5}, "action=5 .* a table"),
        ("blackout-highway", {"action": {"type": "Discrete"}}, "DiscreteMetaAction"),
        ("blackout-highway", {"other_vehicles_type": "nomod.X"}, "other_vehicles_type='nomod.X' "),
        ("blackout-highway", {"other_vehicles_type": "os.path"}, "class of vehicles"),
        ("blackout-highway", {"other_vehicles_type": "../../escaped"}, "class of vehicles"),
        ("blackout-highway", {"vehicles_count": 10**12}, "from 0 to 1000"),
        ("blackout-highway", {"reward_speed_range": [20, 20]}, "the lower first"),
        ("exit-recall", {"exits_count": 9}, "choose 2 to 5"),
        ("hidden-crossing", {"hidden_s": -1.0}, "hidden_s=-1.0 "),
        ("hidden-crossing", {"early_s": [2.2, 1.8]}, "the lower first"),
        ("hidden-crossing", {"early_s": [1.0]}, "a list of 2 numbers"),
    ],
)
def test_a_dial_that_does_not_fit_is_refused_in_one_line(name, dials, message):
    with pytest.raises(ValueError, match=message) as told:
        scenario(name).with_(config=dials)
    assert "\n" not in str(told.value)


class Theirs(scenario("two-way-v0").world_class()):
    """A world of another package, with dials of its own."""

    @classmethod
    def default_config(cls):
        return {**super().default_config(), "places_s": [], "mode": "auto"}


def test_dials_of_other_packages_may_be_of_several_kinds():
    world = Scenario(name="theirs-v0", world=f"{__name__}:Theirs")
    changed = world.with_(config={"places_s": [-1.0, 2.0, 3.0], "mode": 4})
    assert changed.resolved_config()["mode"] == 4
    with pytest.raises(ValueError, match="places_s"):
        world.with_(config={"places_s": [math.nan]})
    with pytest.raises(ValueError, match="policy_frequency=0"):
        world.with_(config={"policy_frequency": 0})


def test_a_trial_leaves_highway_envs_drivers_as_they_were(pristine_traffic):
    from highway_env.vehicle.behavior import IDMVehicle

    scenario("intersection-v0").with_(config={"duration": 12})
    assert IDMVehicle.DISTANCE_WANTED == 10.0


WORDS = st.sampled_from(["", "o1", "true", "highway_env.vehicle.behavior.LinearVehicle", "no.X"])
NUMBERS = st.one_of(
    st.integers(-3, 12),
    st.floats(-50.0, 50.0),
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1e-300, 1e30, 10**12, -(10**12)]),
)
VALUES = st.one_of(
    NUMBERS, WORDS, st.none(), st.booleans(), st.lists(NUMBERS, max_size=3),
    st.dictionaries(st.sampled_from(["type", "lateral", "target_speeds"]), NUMBERS | WORDS),
)  # fmt: skip
DIALS = [
    (name, dial)
    for name in drivemem_envs.scenario_names()
    if name.endswith("-easy-v0") or ("-hard" not in name and "-medium" not in name)
    for dial in scenario(name).resolved_config()
    if dial not in ("observation", "controlled_vehicles")
]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(DIALS), VALUES, st.integers(0, 2**31 - 1))
def test_every_dial_is_refused_in_one_line_or_runs(where, value, seed):
    name, dial = where
    try:
        changed = scenario(name).with_(config={dial: value})
    except ValueError as error:
        assert "\n" not in str(error)
        return
    assume(dial not in ("vehicles_count", "simulation_frequency") or value <= 30)
    env = make(changed)
    env.reset(seed=seed)
    for action in range(3):
        _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        assert math.isfinite(reward), action
        if terminated or truncated:
            break
