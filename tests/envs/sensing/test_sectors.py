"""Cones of sight with blind zones between them: where they are, and that nothing leaks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from drivemem_envs.sensing import MISSED_PRESETS, SECTOR_PRESETS, Sector, Sensors
from drivemem_envs.sensing.pipeline import SensorState
from tests.envs.sensing.sensed import DT, actor, assert_same, drive, some_actor, some_actors


@settings(max_examples=30, deadline=None)
@given(actors=some_actors, width=st.floats(1, 360), reach=st.floats(1, 60))
def test_one_sector_ahead_is_a_field_of_view_and_a_range(actors, width, reach):
    ids = np.arange(len(actors))
    sector = Sensors(sectors=(Sector(centre_deg=0, width_deg=width, range_m=reach),))
    cone = Sensors(field_of_view_deg=width, range_m=reach)
    both = [drive(sensors, ids, actors, 6, tracker="hold_last") for sensors in (sector, cone)]
    assert_same(*both)


@settings(max_examples=20, deadline=None)
@given(actors=some_actors, count=st.integers(1, 8), centre=st.floats(-360, 360))
def test_sectors_all_round_without_end_are_full_sensors(actors, count, centre):
    ids = np.arange(len(actors))
    around = Sensors(sectors=(Sector(centre_deg=centre, width_deg=360),) * count)
    assert_same(drive(around, ids, actors, 4), drive(Sensors(), ids, actors, 4))


@settings(max_examples=60, deadline=None)
@given(
    heading=st.floats(-np.pi, np.pi),
    places=st.lists(st.tuples(st.floats(-180, 180), st.floats(0.5, 90)), min_size=1, max_size=8),
    layout_name=st.sampled_from(sorted(SECTOR_PRESETS)),
)
def test_sectors_are_where_they_say_and_blind_between(heading, places, layout_name):
    sectors = SECTOR_PRESETS[layout_name]
    state = SensorState(Sensors(sectors=sectors), DT)
    others = [
        actor(d * np.cos(heading + np.radians(a)), d * np.sin(heading + np.radians(a)))
        for a, d in places
    ]
    percepts = state.sense(range(len(others) + 1), [actor(0, 0, heading=heading), *others])
    for (angle, distance), perceived in zip(places, percepts.perceived[1:], strict=True):
        apart = [abs((angle - one.centre_deg + 180) % 360 - 180) for one in sectors]
        margins = [
            min(one.width_deg / 2 - off, one.range_m - distance)
            for one, off in zip(sectors, apart, strict=True)
        ]
        if min(abs(margin) for margin in margins) > 1e-6:  # at an edge rounding decides
            assert bool(perceived) is (max(margins) > 0)


def test_a_right_angle_is_to_the_right_where_y_points_down():
    state = SensorState(Sensors(sectors="90:20:30"), DT)
    percepts = state.sense([0, 1, 2], [actor(0, 0), actor(0, 10), actor(0, -10)])
    assert percepts.perceived.tolist() == [True, True, False]


@settings(max_examples=40, deadline=None)
@given(
    hidden=some_actor, elsewhere=some_actor, seen=some_actor, seed=st.integers(0, 2**32),
    tracker=st.sampled_from(["none", "hold_last", "constant_velocity"]),
    missed=st.sampled_from([None, *MISSED_PRESETS.values()]),
)  # fmt: skip
def test_where_an_actor_is_in_a_blind_zone_does_not_show(
    hidden, elsewhere, seen, seed, tracker, missed
):
    """Moving or removing it changes nothing, not even what is missed of the others."""
    blind = Sensors(sectors="front_and_rear", missed=missed)
    at_rest = [actor(0, 0), *([[*one[:3], 0.0, 0.0, *one[5:]] for one in (hidden, elsewhere)])]
    state = SensorState(blind.model_copy(update={"missed": None}), DT)
    if state.sense(range(3), at_rest).perceived[1:].any():
        return
    one, other = ([at_rest[0], place, seen] for place in at_rest[1:])
    first = drive(blind, range(3), one, 12, seed=seed, tracker=tracker)
    assert_same(first, drive(blind, range(3), other, 12, seed=seed, tracker=tracker))
    without = drive(blind, [0, 2], [at_rest[0], seen], 12, seed=seed, tracker=tracker)
    for before, after in zip(first, without, strict=True):
        np.testing.assert_array_equal(before.ids, after.ids)
        np.testing.assert_array_equal(before.rows, after.rows)
