"""Perfect recall: what was once perceived and is still there, as it truly is; nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivemem_envs.sensing import TRACKERS, Sensors, layout
from drivemem_envs.sensing.pipeline import SensorState

DT = 0.2
DECISIONS = 10
WALL = [[15.0, 0.0, 0.0, 1.0, 40.0]]
BLIND_SPOTS = Sensors(
    line_of_sight=("occluders", "actors"), range_m=30, field_of_view_deg=200, dropout_per_s=2.0,
    blackout_per_s=0.3, blackout_mean_s=0.5, noise_position_m=0.5, noise_speed_mps=0.3,
    hide=("velocity", "heading"),
)  # fmt: skip
LATE = BLIND_SPOTS.model_copy(update={"latency_s": 0.6})


def actor(x, y, heading=0.0, vx=0.0, vy=0.0, more=0.0):
    return [x, y, heading, vx, vy, 5.0, 2.0, layout.VEHICLE, more]


coordinate, speed = st.floats(-40, 40), st.floats(-15, 15)
some_actor = st.tuples(
    coordinate, coordinate, st.floats(-np.pi, np.pi), speed, speed, speed
).map(lambda values: actor(*values))  # fmt: skip
lifetime = st.tuples(st.integers(0, 4), st.integers(1, DECISIONS))
some_actors = st.lists(st.tuples(some_actor, lifetime), min_size=1, max_size=6)


def worlds_of(actors, left_out=()):
    """At each decision the ids and columns of those present: they come, drive on, and leave."""
    for step in range(DECISIONS):
        ids, rows = [0], [actor(0, 0)]
        for number, (row, (first, stay)) in enumerate(actors, start=1):
            if first <= step < first + stay and number not in left_out:
                now = np.array(row)
                now[[layout.X, layout.Y]] += step * DT * now[[layout.VX, layout.VY]]
                ids.append(number)
                rows.append(now.tolist())
        yield ids, rows


def drive(sensors, actors, tracker, seed, left_out=()):
    state = SensorState(sensors, DT, tracker)
    state.reset(seed)
    return [state.sense(*world, occluders=WALL) for world in worlds_of(actors, left_out)]


@pytest.mark.parametrize("sensors", [BLIND_SPOTS, LATE], ids=["punctual", "late"])
@settings(max_examples=60, deadline=None)
@given(actors=some_actors, seed=st.integers(0, 2**32))
def test_it_shows_what_full_sensors_show_of_what_was_once_perceived(sensors, actors, seed):
    punctual = drive(sensors.model_copy(update={"latency_s": 0.0}), actors, "none", seed)
    full = drive(Sensors(), actors, "none", seed)
    told = drive(sensors, actors, "perfect_recall", seed)
    delay, last = round(sensors.latency_s / DT), {}
    seen_at = []
    for step, percepts in enumerate(punctual):
        last |= dict.fromkeys(percepts.ids.tolist(), step)
        seen_at.append(dict(last))
    for step, (recalled, there) in enumerate(zip(told, full, strict=True)):
        known = seen_at[max(step - delay, 0)]
        once = np.isin(there.ids, list(known))
        np.testing.assert_array_equal(recalled.ids, there.ids[once])
        np.testing.assert_array_equal(recalled.rows, there.rows[once])
        ages = [(step - known[each]) * DT for each in recalled.ids.tolist()]
        np.testing.assert_allclose(recalled.age_s, ages)


@pytest.mark.parametrize("tracker", TRACKERS)
@settings(max_examples=60, deadline=None)
@given(actors=some_actors, seed=st.integers(0, 2**32))
def test_who_is_never_perceived_never_shows_and_changes_nothing(tracker, actors, seed):
    # Without shadows: one that is never perceived may hide others by standing before them.
    sensors = LATE.model_copy(update={"line_of_sight": ("occluders",)})
    with_all = drive(sensors, actors, tracker, seed)
    perceived = {each for percepts in with_all for each in percepts.ids.tolist()}
    never = set(range(1, len(actors) + 1)) - perceived
    without = drive(sensors, actors, tracker, seed, left_out=never)
    for one, other in zip(with_all, without, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.age_s, other.age_s)
        np.testing.assert_array_equal(one.sd_position, other.sd_position)


def test_it_neither_doubts_nor_forgets_nor_believes_in_who_has_left():
    state = SensorState(Sensors(line_of_sight=("occluders",)), 1.0, "perfect_recall", 3.0)
    ego, car, stranger = actor(0, 0), actor(30, 0, 0.1, 4.0, 1.0, 9.0), actor(30, 8)
    state.sense([0, 1], [ego, car])
    for seconds in range(1, 20):  # far longer than other trackers believe in it
        moved = actor(30 + seconds, 0, 0.2, 5.0, 2.0, 10.0)
        seen = state.sense([0, 2, 1], [ego, stranger, moved], occluders=WALL)
        assert seen.ids.tolist() == [1]
        np.testing.assert_array_equal(seen.rows[0], moved)
        assert seen.age_s.tolist() == [seconds]
        assert not seen.perceived[1:].any()
    assert state.sense([0, 2], [ego, stranger], occluders=WALL).ids.tolist() == []
