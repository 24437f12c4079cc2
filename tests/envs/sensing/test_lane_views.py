"""The grid and the lanes: what stands where, in hand-computed scenes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivemem_envs import scenario
from drivemem_envs.scenario_spec import ObservationSpec
from drivemem_envs.sensing.lane_views import STANCE, make_lane_views, write_lane_views

PRESENCE, VX, VY = range(3)
OWN, LEFT, RIGHT = 2, 1, 3
"""Rows of `lanes` with two on each side."""
AHEAD, BEHIND = 2, 6
"""First column of the nearest actor's features."""


def actor(x, y, vx=20.0, vy=0.0, heading=0.0, length=5.0, width=2.0, kind=0.0):
    return [x, y, heading, vx, vy, length, width, kind]


def views(others, *, ego=None, number=1, lanes=3, target=(25.0, 1), **extent):
    """What an ego on the middle of three straight lanes is shown, its lane along x at y = 0."""
    spec = ObservationSpec(views=("grid", "lanes"), **extent)
    made = make_lane_views(1, spec.views, spec.grid, spec.lanes)
    own = np.array(actor(0.0, 0.0) if ego is None else ego)
    rows = np.array(others, dtype=np.float64).reshape(-1, 8)
    stance = np.array([own[0], own[1], 4.0, 0.0, number, lanes, *target], dtype=np.float64)
    assert stance.shape == (STANCE,)
    parts = [part[0] for part in made[1:]]
    write_lane_views(rows, rows[:, :2].copy(), len(rows), own, stance, made.settings, *parts)
    return parts


def test_a_car_covers_its_share_of_cells():
    grid, _, _ = views([actor(12.5, 4.0, vx=24.0)])
    # 40 m behind in cells of 5 m: from 10 m to 15 m ahead is cell 10; y from 3 to 5 m is half of
    # the 4 m of the cell from 2 to 6 m.
    assert np.argwhere(grid[PRESENCE]).tolist() == [[10, 3]]
    assert grid[PRESENCE, 10, 3] == 0.5
    assert grid[VX, 10, 3] == pytest.approx(0.5 * 4.0 / 40.0)
    assert not grid[VY].any()


def test_a_car_between_cells_is_shared_out():
    grid, _, _ = views([actor(14.5, 0.0)])
    assert grid[PRESENCE, 10:12, 2] == pytest.approx([0.5 * 0.6, 0.5 * 0.4])
    assert grid[PRESENCE].sum() == pytest.approx(5.0 * 2.0 / 20.0)


def test_a_truck_is_longer_than_a_car_and_what_crosses_lies_across():
    truck, _, _ = views([actor(20.0, 0.0, length=15.0)])
    crossing, _, _ = views([actor(20.0, 0.0, vx=0.0, vy=10.0, heading=math.pi / 2, length=15.0)])
    assert np.count_nonzero(truck[PRESENCE].any(axis=1)) == 4
    assert np.count_nonzero(crossing[PRESENCE].any(axis=0)) == 5
    assert crossing[VY].max() == pytest.approx(0.2 * 10.0 / 40.0)  # 1 m on either side of a border


def test_the_nearest_of_each_lane_ahead_and_behind():
    _, lanes, _ = views(
        [actor(30.0, 0.0, vx=15.0), actor(60.0, 0.0), actor(-40.0, -4.0, vx=30.0, length=10.0)]
    )
    assert lanes[OWN, AHEAD : AHEAD + 4] == pytest.approx([1.0, 0.25, 5.0 / 40.0, 0.25])
    assert lanes[LEFT, BEHIND : BEHIND + 4] == pytest.approx([1.0, 0.325, 10.0 / 40.0, 0.5])
    for empty in (lanes[OWN, BEHIND : BEHIND + 4], lanes[RIGHT, AHEAD : AHEAD + 4]):
        assert empty.tolist() == [0.0, 1.0, 0.0, 0.0]


def test_lanes_that_are_not_there_and_those_without_room():
    _, lanes, _ = views([actor(3.0, 4.0)])
    assert lanes[:, 0].tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
    assert lanes[:, 1].tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]


def test_who_changes_lanes_is_on_both():
    _, lanes, _ = views([actor(30.0, 2.0)])
    assert lanes[[OWN, RIGHT], AHEAD].tolist() == [1.0, 1.0]
    _, lanes, _ = views([actor(30.0, 3.0)])
    assert lanes[[OWN, RIGHT], AHEAD].tolist() == [0.0, 1.0]


def test_the_ego_knows_what_it_was_told():
    _, _, own = views([], ego=actor(0.0, 1.0), number=0, target=(28.0, 1))
    assert own == pytest.approx([0.5, 0.25, 0.0, 0.2, 0.25, 0.0, 0.5])


def test_what_is_not_sensed_is_zero():
    unknown = actor(12.5, 0.0, vx=math.nan, vy=math.nan, heading=math.nan)
    grid, lanes, _ = views([unknown])
    assert grid[PRESENCE].any() and not grid[1:].any()
    assert lanes[OWN, AHEAD + 2] == 0.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            actor,
            *[st.floats(-200, 200)] * 2,
            *[st.floats(-60, 60)] * 2,
            st.floats(-4, 4),
            st.floats(0.5, 25),
            st.floats(0.5, 4),
            st.sampled_from([0.0, 1.0, 2.0]),
        ),
        max_size=12,
    )
)
def test_views_keep_within_bounds(others):
    for part in views(others):
        assert np.isfinite(part).all()
        assert np.abs(part).max(initial=0.0) <= 1.0


@pytest.mark.parametrize("backend", ["reference", "compiled"])
def test_both_backends_show_what_is_asked_for(backend):
    import drivemem_envs

    asked = scenario("blackout-highway").with_(views=("lanes", "grid"))
    env = drivemem_envs.make_vec(asked, num_envs=2, backend=backend)
    observation, _ = env.reset(seed=[1, 2])
    assert set(observation) == {"grid", "lanes", "ego"}
    assert env.observation_space.contains(observation)
    env.close()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"views": ("rows", "rows")}, "name each once"),
        ({"views": ()}, "at least 1"),
        ({"views": ("grid",), "grid": {"cell_m": (5.0, 30.0)}}, "cell_m is"),
        ({"views": ("grid",), "native": {"type": "OccupancyGrid"}}, "named 'grid'"),
    ],
)
def test_views_that_cannot_be_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        ObservationSpec(**given)


def test_a_driver_that_reads_rows_says_so():
    from drivemem_envs.drivers import make_driver

    asked = scenario("blackout-highway").with_(views=("grid",))
    with pytest.raises(ValueError, match="add 'rows' to views"):
        make_driver("oracle", asked, None)
