"""What an ego perceives through each limit: identity, no leaks, rates in seconds, trackers."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivemem_envs.sensing import MISSED_PRESETS, SECTOR_PRESETS, Missed, Sector, Sensors, layout
from drivemem_envs.sensing.pipeline import SensorState

DT = 0.2
WALL = [[15.0, 0.0, 0.0, 1.0, 40.0]]
LIMITED = {
    "line_of_sight": Sensors(line_of_sight=("occluders",)),
    "range": Sensors(range_m=20),
    "field_of_view": Sensors(field_of_view_deg=120),
    "dropout": Sensors(dropout_per_s=2.0),
    "blackout": Sensors(blackout_per_s=0.5, blackout_mean_s=0.6),
    "noise": Sensors(noise_position_m=0.5, noise_speed_mps=0.3, noise_growth_per_m=0.02),
    "latency": Sensors(latency_s=0.4),
    "hide": Sensors(hide=("velocity", "heading")),
    "sectors": Sensors(sectors=SECTOR_PRESETS["front_rear_mirrors"]),
    "missed": Sensors(missed=Missed(mean_gap_s=0.5, recall_near=0.8, recall_far=0.3)),
}
LIMITED["all"] = Sensors(
    line_of_sight=("occluders",), range_m=30, field_of_view_deg=200, dropout_per_s=1.0,
    blackout_per_s=0.3, blackout_mean_s=0.5, noise_position_m=0.5, noise_speed_mps=0.3,
    noise_growth_per_m=0.02, latency_s=0.6, hide=("velocity",), missed=MISSED_PRESETS["camera"],
)  # fmt: skip


def actor(x, y, heading=0.0, vx=0.0, vy=0.0):
    return [x, y, heading, vx, vy, 5.0, 2.0, layout.VEHICLE]


def moved(actors, seconds):
    actors = np.array(actors, dtype=np.float64)
    actors[:, layout.X] += seconds * actors[:, layout.VX]
    actors[:, layout.Y] += seconds * actors[:, layout.VY]
    return actors


def drive(sensors, ids, actors, decisions=20, *, seed=1, tracker="none", occluders=WALL, dt=DT):
    """Percepts of all decisions while everybody drives straight on."""
    state = SensorState(sensors, dt, tracker)
    state.reset(seed)
    return [
        state.sense(ids, moved(actors, k * dt), occluders=occluders) for k in range(decisions)
    ]  # fmt: skip


def assert_same(first, second):
    for one, other in zip(first, second, strict=True):
        for name in ("ids", "rows", "age_s", "perceived", "actor_age_s", "visible_fraction"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


coordinate = st.floats(-40, 40)
speed = st.floats(-15, 15)
some_actor = st.tuples(
    coordinate, coordinate, st.floats(-np.pi, np.pi), speed, speed
).map(lambda values: actor(*values))  # fmt: skip
some_actors = st.lists(some_actor, min_size=2, max_size=6)


@settings(max_examples=50, deadline=None)
@given(actors=some_actors, seed=st.integers(0, 2**64 - 1))
def test_full_sensors_are_the_identity(actors, seed):
    ids = np.arange(len(actors)) * 3 + 2
    for k, percepts in enumerate(drive(Sensors(), ids, actors, 4, seed=seed)):
        assert percepts.ids.tolist() == ids[1:].tolist()
        np.testing.assert_array_equal(percepts.rows, moved(actors, k * DT)[1:])
        assert percepts.perceived.all()
        assert (percepts.age_s == 0).all()
        assert (percepts.actor_age_s == 0).all()
        assert (percepts.visible_fraction == 1).all()


@pytest.mark.parametrize("tracker", ["none", "hold_last", "constant_velocity"])
@pytest.mark.parametrize("limit", LIMITED)
@settings(max_examples=20, deadline=None)
@given(actors=some_actors, hidden=some_actor, seed=st.integers(0, 2**32))
def test_one_more_actor_changes_nothing_about_the_others(limit, tracker, actors, hidden, seed):
    ids = np.arange(len(actors))
    without = drive(LIMITED[limit], ids, actors, 8, seed=seed, tracker=tracker)
    # The newcomer stands in the middle of the list and has an id in the middle.
    ids_with = np.insert(ids * 2, 1, 1)
    actors_with = [actors[0], hidden, *actors[1:]]
    renamed = drive(LIMITED[limit], ids * 2, actors, 8, seed=seed, tracker=tracker)
    with_it = drive(LIMITED[limit], ids_with, actors_with, 8, seed=seed, tracker=tracker)
    for before, after in zip(renamed, with_it, strict=True):
        others = after.ids != 1
        np.testing.assert_array_equal(after.ids[others], before.ids)
        np.testing.assert_array_equal(after.rows[others], before.rows)
        np.testing.assert_array_equal(after.age_s[others], before.age_s)
        rest = ids_with != 1
        np.testing.assert_array_equal(after.actor_age_s[rest], before.actor_age_s)
        np.testing.assert_array_equal(after.perceived[rest], before.perceived)
    assert len(without) == len(renamed)


@pytest.mark.parametrize("tracker", ["none", "hold_last", "constant_velocity"])
@pytest.mark.parametrize("limit", ["line_of_sight", "range", "field_of_view", "sectors"])
def test_a_hidden_actor_leaves_no_trace(limit, tracker):
    seen, hidden = actor(8, 6, vx=-1), actor(-39, -3, vx=0.5)
    if limit == "line_of_sight":
        hidden = actor(35, 0, vx=0.5)
    if limit == "sectors":
        seen, hidden = actor(12, 3, vx=-1), actor(3, -20, vx=0.5)
    with_it = drive(LIMITED[limit], [0, 1, 2], [actor(0, 0), hidden, seen], tracker=tracker)
    without = drive(LIMITED[limit], [0, 2], [actor(0, 0), seen], tracker=tracker)
    for one, other in zip(with_it, without, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.age_s, other.age_s)
        assert not one.perceived[1]
        assert one.actor_age_s[1] == np.inf


@pytest.mark.parametrize("limit", LIMITED)
def test_sensing_never_touches_the_world(limit):
    actors = np.array([actor(0, 0), actor(10, 3, vx=1), actor(30, 0, vy=2)])
    before = actors.copy()
    state = SensorState(LIMITED[limit], DT, "constant_velocity")
    for _ in range(5):
        state.sense([0, 1, 2], actors, occluders=WALL)
    np.testing.assert_array_equal(actors, before)


def test_a_field_of_view_and_a_range_end_where_they_say():
    state = SensorState(Sensors(field_of_view_deg=90, range_m=10), DT)
    angles = np.radians([44, 46, -44, -46, 180])
    around = [actor(9 * np.cos(a + 0.5), 9 * np.sin(a + 0.5)) for a in angles]
    far = [actor(10.01 * np.cos(0.5), 10.01 * np.sin(0.5))]
    percepts = state.sense(range(7), [actor(0, 0, heading=0.5), *around, *far])
    assert percepts.perceived.tolist() == [True, True, False, True, False, False, False]
    assert (percepts.visible_fraction == 1).all()


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


def test_the_visible_fraction_is_geometry_whatever_else_hides():
    blind = Sensors(line_of_sight=("occluders",), range_m=1, blackout_per_s=50, dropout_per_s=50)
    for percepts in drive(blind, [0, 1, 2], [actor(0, 0), actor(30, 0), actor(8, 0)]):
        assert percepts.visible_fraction.tolist() == [1, 0, 1]


def test_the_least_visible_fraction_counts_rays():
    half_wall = [[15, 10.001, 0, 1, 20]]  # leaves three of five rays
    for least, expected in [(0.2, True), (0.6, True), (0.61, False), (1.0, False)]:
        sensors = Sensors(line_of_sight=("occluders",), min_visible_fraction=least)
        state = SensorState(sensors, DT)
        percepts = state.sense([0, 1], [actor(0, 0), actor(30, 0)], occluders=half_wall)
        assert percepts.visible_fraction[1] == 0.6
        assert bool(percepts.perceived[1]) is expected


def dark_runs(dark):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(dark, dtype=int), [0]])))
    return edges[1::2] - edges[::2]


@pytest.mark.parametrize("dt", [0.05, 0.2, 1.0])
def test_blackouts_have_their_law_in_seconds_whatever_the_decision_period(dt):
    onset, mean = 0.25, 2.0
    state = SensorState(Sensors(blackout_per_s=onset, blackout_mean_s=mean), dt)
    state.reset(11)
    seconds = 6000.0
    dark = []
    for _ in range(int(seconds / dt)):
        state.sense([0], [actor(0, 0)])
        dark.append(state.is_dark)
    assert not dark[0]
    share = onset / (onset + 1 / mean)  # stationary share of a two-state Markov process
    assert np.mean(dark) == pytest.approx(share, abs=0.04)
    leave = -np.expm1(-(onset + 1 / mean) * dt) * (1 - share)
    assert np.mean(dark_runs(dark)) == pytest.approx(1 / leave, rel=0.12)


def test_a_blackout_hides_everybody_at_once():
    lights_out = Sensors(blackout_per_s=2.0, blackout_mean_s=1.0)
    counts = {len(p.ids) for p in drive(lights_out, range(4), [actor(x, 5) for x in range(4)], 60)}
    assert counts == {0, 3}


@pytest.mark.parametrize("dt", [0.1, 0.5])
def test_dropout_has_its_rate_and_is_independent_between_actors_and_decisions(dt):
    rate = 1.5
    actors = [actor(x, 5) for x in range(4)]
    percepts = drive(Sensors(dropout_per_s=rate), range(4), actors, 4000, dt=dt)
    missed = np.array([~p.perceived[1:] for p in percepts], dtype=float)
    assert missed.mean() == pytest.approx(-np.expm1(-rate * dt), abs=0.02)
    assert np.abs(np.corrcoef(missed.T) - np.eye(3)).max() < 0.07
    assert abs(np.corrcoef(missed[1:, 0], missed[:-1, 0])[0, 1]) < 0.07


@pytest.mark.parametrize("dt", [0.1, 0.5])
@pytest.mark.parametrize(("distance", "recall"), [(0.0, 0.8), (25.0, 0.55), (90.0, 0.3)])
def test_misses_come_in_runs_of_their_law_in_seconds(dt, distance, recall):
    missed = Missed(mean_gap_s=1.0, recall_near=0.8, recall_far=0.3, far_m=50.0)
    actors = [actor(0, 0), *([actor(0, distance)] * 12)]
    state = SensorState(Sensors(missed=missed), dt)
    state.reset(3)
    gone = np.array([~state.sense(range(13), actors).perceived[1:] for _ in range(2500)])
    assert gone.mean() == pytest.approx(1 - recall, abs=0.035)
    redrawn = -np.expm1(-dt)
    runs = np.concatenate([dark_runs(one) for one in gone.T])
    assert runs.mean() == pytest.approx(1 / (redrawn * recall), rel=0.08)
    # No memory beyond the state of now: runs are geometric.
    assert (runs > 1).mean() == pytest.approx(1 - redrawn * recall, abs=0.03)
    seen = np.concatenate([dark_runs(~one) for one in gone.T])
    assert seen.mean() == pytest.approx(1 / (redrawn * (1 - recall)), rel=0.1)
    independent = 2500 * redrawn / (2 - redrawn)  # decisions worth of them, for runs this long
    correlations = np.corrcoef(gone.T.astype(float)) - np.eye(12)
    assert np.abs(correlations).max() < 4.5 / np.sqrt(independent)


def test_what_is_half_hidden_is_missed_more_often():
    half_wall = [[15, 10.001, 0, 1, 20]]  # leaves three of five rays
    missed = Missed(mean_gap_s=0.2, recall_near=0.9, recall_far=0.9, recall_occluded=0.5)
    sensors = Sensors(line_of_sight=("occluders",), missed=missed)
    percepts = drive(sensors, [0, 1], [actor(0, 0), actor(30, 0)], 6000, occluders=half_wall)
    share = np.mean([p.perceived[1] for p in percepts])
    assert share == pytest.approx(0.9 * (1 - 0.4 * 0.5), abs=0.03)


def test_who_comes_nearer_is_detected_and_stays_so():
    missed = Missed(mean_gap_s=60.0, recall_near=1.0, recall_far=0.0, far_m=100.0)
    ids, actors = range(40), [actor(0, 0), *([actor(-95, 0, vx=9.0)] * 39)]
    seen = np.array([p.perceived[1:] for p in drive(Sensors(missed=missed), ids, actors, 50)])
    changes = np.diff(seen.astype(int), axis=0)
    assert seen[-1].mean() > 0.8 > 0.2 > seen[0].mean()
    assert (changes < 0).sum() < 0.2 * (changes > 0).sum()


@pytest.mark.parametrize(("name", "longest_s"), [("lidar", 1.7), ("camera", 4.3)])
def test_presets_have_the_longest_gaps_that_they_say(name, longest_s):
    missed, gaps = MISSED_PRESETS[name], []
    actors = [actor(0, 0), *([actor(0, missed.far_m / 2)] * 300)]
    percepts = drive(Sensors(missed=missed), range(301), actors, 40, dt=0.5, occluders=None)
    for gone in np.array([~p.perceived[1:] for p in percepts]).T:
        gaps.append(0.5 * dark_runs(gone).max(initial=0))
    assert np.mean(gaps) == pytest.approx(longest_s, abs=0.3)


def test_noise_has_its_deviations_and_grows_with_distance():
    sensors = Sensors(noise_position_m=0.5, noise_speed_mps=0.2, noise_growth_per_m=0.1)
    actors = [actor(0, 0), actor(0, 0), actor(20, 0)]
    rows = np.array([p.rows for p in drive(sensors, range(3), actors, 4000, occluders=None)])
    deviation = rows.std(axis=0)
    for column, sigma in [("X", 0.5), ("Y", 0.5), ("VX", 0.2), ("VY", 0.2)]:
        index = getattr(layout, column)
        assert deviation[0, index] == pytest.approx(sigma, rel=0.06)
        assert deviation[1, index] == pytest.approx(3 * sigma, rel=0.06)
        assert rows[:, 0, index].mean() == pytest.approx(0.0, abs=0.05)
    assert (deviation[:, [layout.HEADING, layout.LENGTH, layout.WIDTH, layout.KIND]] == 0).all()


def test_latency_repeats_the_first_percept_and_then_lags():
    actors = [actor(0, 0), actor(10, 5, vx=5)]
    percepts = drive(Sensors(latency_s=0.4), [0, 1], actors, 6)
    xs = [p.rows[0, layout.X] for p in percepts]
    assert xs == pytest.approx([10, 10, 10, 11, 12, 13])
    assert [p.age_s[0] for p in percepts] == pytest.approx([0, 0.2, 0.4, 0.4, 0.4, 0.4])


def test_late_percepts_still_hold_an_actor_that_has_left():
    state = SensorState(Sensors(latency_s=0.2), DT)
    state.sense([0, 1], [actor(0, 0), actor(10, 0)])
    state.sense([0, 1], [actor(0, 0), actor(11, 0)])
    assert state.sense([0], [actor(0, 0)]).rows[:, layout.X].tolist() == [11]
    assert state.sense([0], [actor(0, 0)]).ids.tolist() == []


def test_latency_must_be_whole_decisions():
    with pytest.raises(ValueError, match=r"multiple of the decision period, 0.2 s: try 0.2 or 0.4"):
        SensorState(Sensors(latency_s=0.25), DT)


def test_hidden_features_are_nan():
    percepts = drive(Sensors(hide=("velocity", "heading")), [0, 1], [actor(0, 0), actor(5, 1, 1)])
    row = percepts[0].rows[0]
    assert np.isnan(row[[layout.HEADING, layout.VX, layout.VY]]).all()
    assert row[[layout.X, layout.Y, layout.LENGTH]].tolist() == [5, 1, 5]


def test_further_columns_are_carried():
    state = SensorState(Sensors(), DT)
    percepts = state.sense([0, 1], [[*actor(0, 0), 7, 8], [*actor(5, 0), 9, 10]])
    assert percepts.rows[0, layout.COLUMNS :].tolist() == [9, 10]


def passing_behind_a_wall(tracker, **limits):
    """A car drives past a building that hides it between x = 9 and 20, about."""
    building = [[6.0, 5.0, 0.0, 4.0, 3.0]]
    sensors = Sensors(line_of_sight=("occluders",), **limits)
    actors = [actor(0, 0), actor(2, 10, vx=5)]
    return drive(sensors, [0, 1], actors, 60, tracker=tracker, occluders=building)


def test_without_a_tracker_a_hidden_actor_is_absent_and_its_age_grows():
    percepts = passing_behind_a_wall("none")
    hidden = [k for k, p in enumerate(percepts) if not p.perceived[1]]
    assert hidden == list(range(hidden[0], hidden[-1] + 1))
    assert 5 < len(hidden) < 50
    assert all(len(percepts[k].ids) == 0 for k in hidden)
    ages = [percepts[k].actor_age_s[1] for k in hidden]
    assert ages == pytest.approx([DT * (k + 1) for k in range(len(hidden))])
    assert percepts[hidden[-1] + 1].actor_age_s[1] == 0


def test_hold_last_keeps_what_was_last_perceived():
    percepts = passing_behind_a_wall("hold_last")
    hidden = [k for k, p in enumerate(percepts) if not p.perceived[1]]
    last = percepts[hidden[0] - 1].rows[0]
    for k in hidden:
        np.testing.assert_array_equal(percepts[k].rows[0], last)
        assert percepts[k].age_s[0] == pytest.approx((k - hidden[0] + 1) * DT)


@pytest.mark.parametrize("hide", [(), ("velocity",)])
def test_constant_velocity_follows_a_car_that_drives_straight(hide):
    percepts = passing_behind_a_wall("constant_velocity", hide=hide)
    hidden = [k for k, p in enumerate(percepts) if not p.perceived[1]]
    assert hidden
    for k in hidden:
        truth = moved([actor(2, 10, vx=5)], k * DT)[0]
        assert percepts[k].rows[0, layout.X] == pytest.approx(truth[layout.X])


def test_constant_velocity_makes_up_for_latency():
    actors = [actor(0, 0), actor(10, 5, vx=5)]
    percepts = drive(Sensors(latency_s=0.4), [0, 1], actors, 6, tracker="constant_velocity")
    assert [p.rows[0, layout.X] for p in percepts] == pytest.approx([10, 11, 12, 13, 14, 15])


def test_a_ghost_stays_when_the_hidden_actor_has_left_the_world():
    state = SensorState(Sensors(line_of_sight=("occluders",)), DT, "hold_last")
    state.sense([0, 1], [actor(0, 0), actor(30, 0)])
    with_it = state.sense([0, 1], [actor(0, 0), actor(30, 0)], occluders=WALL)
    without = state.sense([0], [actor(0, 0)], occluders=WALL)
    assert with_it.ids.tolist() == without.ids.tolist() == [1]


def test_a_ghost_is_given_up_when_its_place_is_seen_to_be_empty():
    state = SensorState(Sensors(line_of_sight=("occluders",)), DT, "hold_last")
    state.sense([0, 1], [actor(0, 0), actor(30, 0)])
    assert state.sense([0], [actor(0, 0)], occluders=WALL).ids.tolist() == [1]
    assert state.sense([0], [actor(0, 0)]).ids.tolist() == []
    assert state.sense([0], [actor(0, 0)], occluders=WALL).ids.tolist() == []


@pytest.mark.parametrize("track_s", [3.0, 10.0])
def test_a_ghost_is_given_up_after_a_time(track_s):
    state = SensorState(Sensors(line_of_sight=("occluders",)), 1.0, "hold_last", track_s)
    state.sense([0, 1], [actor(0, 0), actor(30, 0)])
    believed = [len(state.sense([0], [actor(0, 0)], occluders=WALL).ids) for _ in range(12)]
    assert believed == [1] * int(track_s) + [0] * (12 - int(track_s))


def test_flicker_does_not_make_a_tracker_forget():
    actors = [actor(0, 0), actor(10, 0)]
    flicker = Sensors(dropout_per_s=5.0)  # misses 63 % of the decisions
    percepts = drive(flicker, [0, 1], actors, 400, tracker="hold_last", occluders=None)
    believed = np.mean([len(p.ids) for p in percepts])
    perceived = np.mean([p.perceived[1] for p in percepts])
    assert perceived < 0.45
    assert believed > 0.95


def test_a_run_of_misses_does_not_make_a_tracker_forget_but_a_long_absence_does():
    sensors = Sensors(missed=Missed(mean_gap_s=1.0, recall_near=0.7, recall_far=0.7))
    actors = [actor(0, 0), actor(10, 0)]
    percepts = drive(sensors, [0, 1], actors, 3000, tracker="hold_last", occluders=None)
    perceived = np.array([p.perceived[1] for p in percepts])
    believed = np.array([len(p.ids) for p in percepts])
    assert perceived.mean() < 0.75
    assert believed.mean() > 0.97
    # A run lasts a decision more with 1 - (1 - exp(-dt / gap)) recall; at 1 % it is given up.
    stays = 1 - -np.expm1(-DT) * 0.7
    patience = int(np.log(0.01) / np.log(stays))
    state = SensorState(sensors, DT, "hold_last")
    while not state.sense([0, 1], actors).perceived[1]:
        pass
    empty = [len(state.sense([0], actors[:1]).ids) for _ in range(2 * patience)]
    assert empty == [1] * patience + [0] * patience


def test_a_darkness_does_not_make_a_tracker_forget():
    sensors = Sensors(blackout_per_s=5.0, blackout_mean_s=1.0)
    actors = [actor(0, 0), actor(10, 0)]
    percepts = drive(sensors, [0, 1], actors, 100, tracker="hold_last", occluders=None)
    assert all(len(p.ids) == 1 for p in percepts)
    assert not all(p.perceived[1] for p in percepts)


def test_the_same_seed_gives_the_same_percepts_and_another_gives_others():
    actors = [actor(0, 0), actor(10, 5, vx=1), actor(5, -5)]
    first, again, other = (drive(LIMITED["all"], range(3), actors, seed=s) for s in (1, 1, 2))
    same = [np.array_equal(a.rows, b.rows, equal_nan=True) for a, b in zip(first, again)]  # noqa: B905
    differs = [np.array_equal(a.rows, b.rows, equal_nan=True) for a, b in zip(first, other)]  # noqa: B905
    assert all(same)
    assert not all(differs)


def test_a_reset_forgets_everything():
    state = SensorState(LIMITED["all"], DT, "hold_last")
    actors = [actor(0, 0), actor(10, 5, vx=1), actor(5, -5)]
    runs = []
    for _ in range(2):
        state.reset(2**64 - 5)
        runs.append([state.sense(range(3), moved(actors, k * DT)) for k in range(10)])
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.actor_age_s, other.actor_age_s)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sectors": "0:60:80", "range_m": 5.0}, "in place of range_m=5.0"),
        ({"sectors": "0:60:80", "field_of_view_deg": 90.0}, "field_of_view_deg=90.0"),
        ({"sectors": "sideways"}, "'sideways' is no sector: give centre:width:range"),
        ({"sectors": "0:60:80,9"}, "'9' is no sector"),
        ({"sectors": "0:0:80"}, "greater than 0"),
        ({"sectors": "0:nan:80"}, "finite number"),
        ({"sectors": ",".join(["0:9:9"] * 9)}, "at most 8 items"),
        ({"missed": "radar"}, "'radar' is no model of misses: give one of lidar, camera"),
        ({"missed": "lidar,gap=2"}, "'gap=2' is no model of misses"),
        ({"missed": "recall_near=0.5"}, "Field required"),
        ({"missed": "camera,recall_near=1.5"}, "less than or equal to 1"),
    ],
)
def test_sectors_and_misses_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Sensors(**wrong)


def test_sectors_and_misses_are_given_as_text_as_tables_or_as_they_are():
    table = ({"centre_deg": 0, "width_deg": 60, "range_m": 80}, {"centre_deg": 180, "width_deg": 9})
    assert Sensors(sectors="0:60:80,180:9:inf") == Sensors(sectors=table)
    assert Sensors(sectors="none") == Sensors(sectors=()) == Sensors()
    changed = Sensors(missed="camera,mean_gap_s=3").missed
    assert changed == MISSED_PRESETS["camera"].model_copy(update={"mean_gap_s": 3.0})
    again = Sensors(**Sensors(sectors=table, missed="lidar").model_dump(mode="json"))
    assert again == Sensors(sectors=table, missed="lidar")


def test_wrong_arrays_are_refused():
    state = SensorState(Sensors(), DT)
    with pytest.raises(ValueError, match=r"actors has shape \(1, 7\)"):
        state.sense([0], [[0] * 7])
    with pytest.raises(ValueError, match="ids repeat"):
        state.sense([0, 0], [actor(0, 0), actor(1, 1)])
    with pytest.raises(ValueError, match="ego is 2"):
        state.sense([0, 1], [actor(0, 0), actor(1, 1)], ego=2)
    with pytest.raises(ValueError, match="decision_s is 0"):
        SensorState(Sensors(), 0)
