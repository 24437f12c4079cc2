from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drivemem_envs
from drivemem_envs import Scenario, Sensors


@pytest.fixture
def highway() -> Scenario:
    return drivemem_envs.scenario("highway-fast-v0")


def test_configuration_is_the_worlds_default_with_the_changes(highway):
    changed = highway.with_(config={"vehicles_count": 7})
    default = highway.resolved_config()
    assert changed.resolved_config() == {**default, "vehicles_count": 7}


def test_actions_change_key_by_key_within_their_type(highway):
    changed = highway.with_(config={"action": {"type": "DiscreteMetaAction", "lateral": False}})
    assert changed.resolved_config()["action"]["lateral"] is False


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"vehicle_count": 7}, "unknown configuration key 'vehicle_count'; did you mean 'vehicles"),
        ({"policy_frequency": 2, "simulation_frequency": 15}, "no multiple of policy_frequency=2"),
        ({"controlled_vehicles": 2}, "drives several agents"),
        ({"observation": {"type": "Kinematics"}}, r"observation=\{"),
    ],
)
def test_bad_configurations_are_refused(highway, config, message):
    with pytest.raises(ValueError, match=message):
        highway.with_(config=config)


def test_unknown_fields_are_refused(highway):
    with pytest.raises(
        ValueError, match=r"^scenario: unknown field 'sensor'; did you mean 'sensors'"
    ):
        Scenario(name="a-v0", world="a:B", sensor=Sensors())
    with pytest.raises(
        ValueError, match=r"^sensors: unknown field 'range'; did you mean 'range_m'"
    ):
        highway.with_(sensors={"range": 30.0})
    with pytest.raises(ValueError, match="unknown feature 'speed'"):
        highway.with_(observation={"features": ("x", "speed")})


@pytest.mark.parametrize(
    "wrong",
    [
        {"on_time_mps": 0.0}, {"on_time_mps": -3.0}, {"on_time_mps": float("inf")},
        {"on_time_mps": float("nan")}, {"tags": "free-driving"}, {"tags": ("Free driving",)},
        {"tags": ("a,b",)}, {"tags": ("",)},
    ],
)  # fmt: skip
def test_speeds_and_tags_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=rf"^scenario: {next(iter(wrong))}[^\n]+$"):
        Scenario(name="a-v0", world="a:B", **wrong)


def test_levels_and_twins_keep_speed_and_tags():
    easy = Scenario(
        name="a-easy-v0", world="a:B", on_time_mps=28.0, tags=("free-driving", "rewriting")
    )
    for other in (easy.level("hard"), easy.twin()):
        assert (other.on_time_mps, other.tags) == (28.0, ("free-driving", "rewriting"))


ANYTHING = st.one_of(
    st.floats(),
    st.floats(0.0, 1e6),
    st.integers(-2, 20),
    st.sampled_from([5e-324, 1e-9, 1e6, float("inf"), float("nan"), -1.0, None]),
)
NUMERIC = [
    name
    for name, field in Sensors.model_fields.items()
    if field.annotation in (float, float | None) and name != "latency_s"
]


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(st.sampled_from(NUMERIC), ANYTHING, min_size=1))
def test_limits_of_sensors_are_refused_or_give_finite_observations(limits):
    try:
        sensors = Sensors(**limits)
    except ValueError:
        return
    env = drivemem_envs.make("two-way-v0", sensors=sensors, tracker="constant_velocity")
    observations = [env.reset(seed=0)[0], *(env.step(1)[0] for _ in range(3))]
    assert all(np.isfinite(each["vehicles"]).all() for each in observations)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -0.2, 1e9])
def test_a_latency_that_no_buffer_holds_is_refused(value):
    with pytest.raises(ValueError, match=r"^sensors: latency_s is .*: input should be [^\n]*$"):
        Sensors(latency_s=value)


@pytest.mark.parametrize("part", ["sensors", "observation", "config"])
def test_what_changes_a_part_is_a_dict(highway, part):
    with pytest.raises(ValueError, match=rf"{part} is \[1, 2\]: give a dict"):
        highway.with_(**{part: [1, 2]})


@pytest.mark.parametrize(
    "wrong",
    [
        {"vehicles_count": 0}, {"vehicles_count": 10**12}, {"vehicles_count": 2.5},
        {"features": ()}, {"features_range": {"x": (1.0, 1.0)}},
        {"features_range": {"x": (2.0, -2.0)}}, {"features_range": {"x": (0.0, float("nan"))}},
        {"features_range": {"speed": (0.0, 1.0)}},
    ],
)  # fmt: skip
def test_rows_that_cannot_be_are_refused(highway, wrong):
    with pytest.raises(ValueError, match=r"^observation: [^\n]+$"):
        highway.with_(observation=wrong)


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        ({"type": "Kinematics", "order": "shuffled"}, "slots='fixed'"),
        ({"type": "Kinematics", "vehicle_count": 3}, "did you mean 'vehicles_count'"),
        ({"type": "OccupancyGrid", "as_images": True}, "did you mean 'as_image'"),
        ({"type": "Kinematic"}, "Kinematics, "),
        (5, "a table with a type"),
    ],
)
def test_observations_that_highway_env_would_ignore_are_refused(observation, message):
    with pytest.raises(ValueError, match=message) as told:
        Scenario.from_highway_env("highway-fast-v0", {"observation": observation})
    assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match=r"^scenario: observation.*Kinematic[^\n]+$"):
        Scenario(name="a-v0", world="a:B", observation={"native": {"type": "Kinematic"}})


def test_an_action_key_that_highway_env_would_ignore_is_refused(highway):
    with pytest.raises(ValueError, match="did you mean 'lateral'"):
        highway.with_(config={"action": {"type": "DiscreteMetaAction", "latral": True}})


def test_sensors_change_field_by_field_or_as_a_whole():
    dark = drivemem_envs.scenario("blackout-highway-v0")
    assert dark.with_(sensors={"range_m": 50.0}).sensors.blackout_per_s > 0
    assert dark.with_(sensors=Sensors(range_m=50.0)).sensors.blackout_per_s == 0


def test_sectors_take_the_place_of_the_range_that_a_scenario_has():
    near = drivemem_envs.scenario("range-only-highway")
    assert near.sensors.range_m == 50.0
    sensors = near.with_(sensors={"sectors": "front_camera"}).sensors
    assert (sensors.range_m, len(sensors.sectors)) == (None, 1)
    with pytest.raises(ValueError, match="in place of range_m=40"):
        near.with_(sensors={"sectors": "front_camera", "range_m": 40.0})
    with pytest.raises(ValueError, match="or no sectors"):
        near.with_(sensors=sensors).with_(sensors={"range_m": 40.0})
    assert near.with_(sensors=sensors).with_(sensors={"range_m": 40.0, "sectors": ()}) == (
        near.with_(sensors=Sensors(range_m=40.0))
    )


def test_the_twin_differs_in_sensors_only():
    scenario = drivemem_envs.scenario("occluded-intersection-v0")
    twin = scenario.twin()
    assert twin.sensors.is_full
    assert twin.model_copy(update={"sensors": scenario.sensors}) == scenario


def test_hash_follows_what_episodes_depend_on(highway):
    assert highway.hash() == drivemem_envs.scenario("highway-fast-v0").hash()
    said = {"summary": "other words", "tags": ("free-driving",), "on_time_mps": 20.0}
    assert highway.hash() == highway.model_copy(update=said).hash()
    others = [
        highway.with_(config={"vehicles_count": 7}),
        highway.with_(sensors={"range_m": 30.0}),
        highway.with_(slots="fixed"),
    ]
    assert len({highway.hash(), *(other.hash() for other in others)}) == 4


class SensorsOfTomorrow(Sensors):
    polarised: bool = False


class ScenarioOfTomorrow(Scenario):
    sensors: SensorsOfTomorrow = SensorsOfTomorrow()
    weather: str = "dry"


@pytest.mark.parametrize("name", ["blackout-highway", "exit-recall-hard", "merge-v1"])
def test_a_new_field_with_a_default_leaves_the_hash_as_it_was(name):
    today = drivemem_envs.scenario(name)
    fields = today.model_dump()
    tomorrow = ScenarioOfTomorrow(**fields)
    assert tomorrow.hash() == today.hash()
    assert tomorrow.model_copy(update={"weather": "snow"}).hash() != today.hash()
    fields["sensors"]["polarised"] = True
    assert ScenarioOfTomorrow(**fields).hash() != today.hash()


def test_the_hash_follows_the_world_but_not_where_drivemem_keeps_it(highway, monkeypatch):
    """Were exit-recall's class kept in another module, its episodes would be the same."""
    today = drivemem_envs.scenario("exit-recall")
    room, _, world = today.world.partition(":")
    monkeypatch.setitem(sys.modules, "drivemem_envs.elsewhere", sys.modules[room])
    moved = today.model_copy(update={"world": f"drivemem_envs.elsewhere:{world}"})
    assert moved.hash() == today.hash()
    other = highway.model_copy(update={"world": "highway_env.envs.highway_env:HighwayEnv"})
    assert other.resolved_config() != highway.resolved_config()
    assert other.hash() != highway.hash()
    monkeypatch.setitem(sys.modules, "theirs", sys.modules[room])
    assert today.model_copy(update={"world": f"theirs:{world}"}).hash() != today.hash()


@pytest.mark.parametrize(
    "change",
    [{"time_limit_s": 3.0}, {"memory_horizon_s": 9.0}, {"name": "exit-recall-v1"}],
)
def test_a_changed_field_changes_the_hash(change):
    today = drivemem_envs.scenario("exit-recall")
    assert today.model_copy(update=change).hash() != today.hash()


def test_a_default_that_is_written_out_is_no_change(highway):
    default = highway.resolved_config()["vehicles_count"]
    assert highway.with_(config={"vehicles_count": default}).hash() == highway.hash()


def test_a_world_that_is_none_is_refused():
    with pytest.raises(ValueError, match="cannot be imported"):
        drivemem_envs.make(Scenario(name="a-v0", world="drivemem_envs:Nothing"))
    with pytest.raises(ValueError, match=r"default_config|AbstractEnv"):
        drivemem_envs.make(Scenario(name="a-v0", world="collections:OrderedDict"))


def test_rows_and_columns_follow_the_spec():
    env = drivemem_envs.make(
        "two-way-v0", observation={"vehicles_count": 3, "features": ("x", "y")}
    )
    observation, _ = env.reset(seed=0)
    assert observation["vehicles"].shape == (3, 2)


def test_a_single_row_is_the_ego_alone():
    """highway-env itself gives every vehicle a row when asked for one."""
    env = drivemem_envs.make("two-way-v0", observation={"vehicles_count": 1})
    observation, _ = env.reset(seed=0)
    assert observation["vehicles"].shape == (1, 7)
    assert env.observation_space.contains(observation)


def test_flat_is_one_vector_of_all_parts():
    env = drivemem_envs.make("two-way-v0", flat=True)
    parts = drivemem_envs.make("two-way-v0")
    flat, _ = env.reset(seed=3)
    named, _ = parts.reset(seed=3)
    joined = np.concatenate([named[key].ravel() for key in sorted(named)])
    np.testing.assert_array_equal(flat, joined)
    assert env.observation_space.contains(flat)


@pytest.mark.parametrize("normalize", [True, False])
def test_a_column_of_rows_is_in_its_own_unit(normalize):
    spec = drivemem_envs.scenario("blackout-highway").observation
    spec = spec.model_copy(update={"normalize": normalize})
    rows = np.zeros((2, 8, len(spec.features)))
    rows[..., spec.features.index("y")] = 0.5
    rows[..., spec.features.index("sin_h")] = 0.1
    np.testing.assert_allclose(spec.column(rows, "y"), np.full((2, 8), 6.0 if normalize else 0.5))
    np.testing.assert_allclose(spec.column(rows, "sin_h"), np.full((2, 8), 0.1))
