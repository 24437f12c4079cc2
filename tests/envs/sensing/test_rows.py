"""Rows of the observation: equal to highway-env's Kinematics, and blind to what is hidden."""

import gymnasium
import highway_env  # noqa: F401
import numpy as np
import pytest
from highway_env.vehicle.objects import Landmark

from drivemem_envs.sensing import Sensors, layout, rows
from drivemem_envs.sensing.pipeline import SensorState

IDS = [
    "highway-fast-v0", "merge-v0", "merge-v1", "merge-generic-v1", "roundabout-v1",
    "roundabout-generic-v0", "intersection-v0", "intersection-v2",
]  # fmt: skip


def table(env):
    """The actors of a live highway-env world: road vehicles, then objects."""
    found = []
    for actor in [*env.road.vehicles, *env.road.objects]:
        values = actor.to_dict()
        kind = layout.VEHICLE
        if actor in env.road.objects:
            kind = layout.LANDMARK if isinstance(actor, Landmark) else layout.OBSTACLE
        found.append(
            [
                values["x"], values["y"], actor.heading, values["vx"], values["vy"],
                actor.LENGTH, actor.WIDTH, kind,
                *(values.get(k, 0.0) for k in ("cos_d", "sin_d", "long_off", "lat_off", "ang_off")),
            ]
        )  # fmt: skip
    return np.array(found), env.road.vehicles.index(env.vehicle)


def table_of(percepts):
    """Percepts as the kernels have them, (P, C + PERCEPT_COLUMNS)."""
    behind = percepts.ids, percepts.age_s, percepts.sd_position, percepts.sd_velocity
    return np.column_stack([percepts.rows, *behind])


def observe(env, percepts, actors, ego):
    kind = env.observation_type
    ranges = kind.features_range or {}
    codes, scale = rows.feature_table(kind.features, ranges)
    options = rows.options_vector(
        absolute=kind.absolute, see_behind=kind.see_behind, clip=kind.clip,
        include_obstacles=kind.include_obstacles, distance_m=env.PERCEPTION_DISTANCE,
        ego_length_m=env.vehicle.LENGTH,
    )  # fmt: skip
    full = table_of(percepts)
    along = np.array(
        [
            env.vehicle.lane.local_coordinates(row[:2])[0]
            - env.vehicle.lane.local_coordinates(env.vehicle.position)[0]
            for row in percepts.rows
        ]
    )
    order = np.zeros(len(full), dtype=np.int64)
    chosen = rows.order_percepts(full, len(full), *env.vehicle.position, along, options, order)
    out = np.full((kind.vehicles_count, len(codes)), np.nan, dtype=np.float32)
    rows.write_rows(actors, ego, full, order, chosen, codes, scale, options, out)
    return out


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("identifier", IDS)
def test_full_sensors_give_highway_envs_own_rows(identifier):
    env = gymnasium.make(identifier).unwrapped
    for seed in range(2):
        expected, _ = env.reset(seed=seed)
        state = SensorState(Sensors(), 1.0)
        for step in range(5):
            actors, ego = table(env)
            percepts = state.sense(range(len(actors)), actors, ego=ego)
            np.testing.assert_array_equal(observe(env, percepts, actors, ego), expected)
            before = list(env.road.vehicles)
            expected, _, terminated, _, _ = env.step(step % env.action_space.n)
            # The intersection spawns and clears after its observation.
            env.road.vehicles = before
            if terminated:
                break
    env.close()


def actor(x, y, vx=0.0, kind=layout.VEHICLE):
    return [x, y, 0.0, vx, 0.0, 5.0, 2.0, kind, 0, 0, 0, 0, 0]


def simple(actors, sensors=None, count=4, **options):
    """Rows of an ego at the origin on a lane along x."""
    chosen = dict(
        absolute=False, see_behind=True, include_obstacles=True, clip=True, distance_m=200.0,
        ego_length_m=5.0,
    )  # fmt: skip
    vector = rows.options_vector(**{**chosen, **options})
    codes, scale = rows.feature_table(
        ("presence", "x", "vx", "cos_h", "sin_h"), {"x": (-100, 100), "vx": (-50, 50)}
    )
    percepts = SensorState(sensors or Sensors(), 0.2).sense(range(len(actors)), actors)
    full = table_of(percepts)
    order = np.zeros(len(full), dtype=np.int64)
    number = rows.order_percepts(full, len(full), 0.0, 0.0, full[:, 0].copy(), vector, order)
    out = np.zeros((count, 5), dtype=np.float32)
    rows.write_rows(np.array(actors, float), 0, full, order, number, codes, scale, vector, out)
    return out


def test_rows_are_sorted_by_distance_along_the_lane_and_cut_to_the_count():
    out = simple([actor(0, 0, 10), actor(30, 0), actor(-10, 0), actor(20, 0), actor(40, 0)])
    assert out[:, 1].tolist() == pytest.approx([0, -0.1, 0.2, 0.3])
    assert out[:, 0].tolist() == [1, 1, 1, 1]


def test_relative_velocities_and_absolute_ones():
    world = [actor(0, 0, 10), actor(30, 0, 25)]
    assert simple(world)[:2, 2].tolist() == pytest.approx([0.2, 0.3])
    assert simple(world, absolute=True)[:2, 2].tolist() == pytest.approx([0.2, 0.5])


def test_behind_and_obstacles_and_far():
    world = [actor(0, 0), actor(-11, 0), actor(-12, 0, kind=layout.OBSTACLE), actor(150, 0)]
    assert simple(world)[:, 0].tolist() == [1, 1, 1, 0]  # an obstacle behind is never shown
    assert simple(world, see_behind=False)[:, 0].tolist() == [1, 1, 0, 0]
    assert simple(world, distance_m=100.0)[:, 0].tolist() == [1, 1, 0, 0]
    ahead = [actor(0, 0), actor(12, 0, kind=layout.OBSTACLE)]
    assert simple(ahead)[:, 0].tolist() == [1, 1, 0, 0]
    assert simple(ahead, include_obstacles=False)[:, 0].tolist() == [1, 0, 0, 0]


def test_clipping():
    assert simple([actor(0, 0), actor(150, 0)])[1, 1] == 1.0
    assert simple([actor(0, 0), actor(150, 0)], clip=False)[1, 1] == 1.5


def test_hidden_features_are_zero_and_the_egos_stay():
    out = simple([actor(0, 0, 10), actor(30, 0, 25)], Sensors(hide=("velocity", "heading")))
    assert out[0].tolist() == pytest.approx([1, 0, 0.2, 1, 0])
    assert out[1].tolist() == pytest.approx([1, 0.3, 0, 0, 0])


def test_a_hidden_actor_leaves_no_trace_in_the_rows():
    world = [actor(0, 0, 10), actor(30, 0), actor(60, 0)]
    sensors = Sensors(range_m=50)
    np.testing.assert_array_equal(simple(world, sensors), simple(world[:2], sensors))


def test_unknown_features_are_refused():
    with pytest.raises(ValueError, match=r"unknown features \['speed'\]"):
        rows.feature_table(("x", "speed"), {})
