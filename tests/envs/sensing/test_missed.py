"""Misses in runs: their law in seconds, and how trackers take them."""

import numpy as np
import pytest

from drivemem_envs.sensing import MISSED_PRESETS, Missed, Sensors
from drivemem_envs.sensing.pipeline import SensorState
from tests.envs.sensing.sensed import DT, actor, dark_runs, drive


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
