"""What an ego perceives through each limit: identity, no leaks, rates in seconds, trackers."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivemem_envs.sensing import (
    MISSED_PRESETS,
    SECTOR_PRESETS,
    TRACKERS,
    Missed,
    Sensors,
    Tracker,
    layout,
)
from drivemem_envs.sensing.pipeline import SensorState
from tests.envs.sensing.sensed import (
    DT,
    WALL,
    actor,
    dark_runs,
    drive,
    moved,
    some_actor,
    some_actors,
)

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


@pytest.mark.parametrize("tracker", TRACKERS)
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
        np.testing.assert_array_equal(after.sd_position[others], before.sd_position)
        rest = ids_with != 1
        np.testing.assert_array_equal(after.actor_age_s[rest], before.actor_age_s)
        np.testing.assert_array_equal(after.perceived[rest], before.perceived)
    assert len(without) == len(renamed)


@pytest.mark.parametrize("tracker", TRACKERS)
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


def test_every_tracker_that_a_spec_takes_is_described_and_has_its_code():
    assert tuple(TRACKERS) == get_args(Tracker)
    for name in TRACKERS:
        code = layout.limit_vector(Sensors(), DT, name)[layout.TRACKER]
        assert code == getattr(layout, "NO_TRACKER" if name == "none" else name.upper())
    assert [name for name in TRACKERS if TRACKERS[name].only_for_measuring] == ["perfect_recall"]


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


@pytest.mark.parametrize("tracker", [name for name in TRACKERS if name != "none"])
def test_ghosts_are_where_the_percepts_place_what_is_not_perceived(tracker):
    sensors, actors = Sensors(line_of_sight=("occluders",)), [actor(0, 0), actor(25, -40, vy=9.0)]
    hidden = 0
    for seen in drive(sensors, [0, 7], actors, tracker=tracker):
        assert np.isnan(seen.ghosts[0]).all()
        if seen.perceived[1] or 7 not in seen.ids:
            assert np.isnan(seen.ghosts[1]).all()
            continue
        hidden += 1
        row = seen.rows[list(seen.ids).index(7)]
        np.testing.assert_array_equal(seen.ghosts[1], row[[layout.X, layout.Y, layout.HEADING]])
    assert hidden > 3


def test_without_a_tracker_there_are_no_ghosts():
    sensors, actors = Sensors(line_of_sight=("occluders",)), [actor(0, 0), actor(25, -40, vy=9.0)]
    seen = drive(sensors, [0, 7], actors)
    assert not all(each.perceived[1] for each in seen)
    assert all(np.isnan(each.ghosts).all() for each in seen)


def test_the_heading_of_a_ghost_that_is_not_sensed_follows_its_velocity():
    sensors = Sensors(line_of_sight=("occluders",), hide=("heading",))
    actors = [actor(0, 0), actor(25, -40, vy=9.0)]
    seen = drive(sensors, [0, 7], actors, tracker="hold_last")
    found = {float(each.ghosts[1, 2]) for each in seen if np.isfinite(each.ghosts[1, 0])}
    assert found == {np.pi / 2}
