from __future__ import annotations

import math
import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drivemem_envs
from drivemem_envs import metrics
from drivemem_envs.collision_times import time_to_collision
from drivemem_envs.episode_trace import AT_FAULT, BLIND_ENTRY, PET
from drivemem_envs.metrics import (
    METRICS,
    ON_TIME,
    EgoTrace,
    Metric,
    judge_on_time,
    metric_names,
    register_metric,
)
from drivemem_envs.outcomes import OUTCOMES
from drivemem_envs.reference.episode_metrics import EpisodeMetrics
from drivemem_envs.sensing.layout import FIRST_OBJECT_ID
from tests.envs.metrics_oracle import MetricsInNumpy


def box(x=0.0, y=0.0, heading=0.0, vx=0.0, vy=0.0, length=5.0, width=2.0) -> np.ndarray:
    return np.array([x, y, heading, length, width, vx, vy])


def truth(*actors: tuple[float, ...], perceived=None, crashed=None) -> dict[str, Any]:
    """Truth of cars given as (x, y, heading, speed), the ego first."""
    table = np.array(actors, dtype=float)
    count = len(table)
    seen = np.ones(count, bool) if perceived is None else np.array(perceived)
    return {
        "id": np.arange(count),
        "kind": np.zeros(count, int),
        "x": table[:, 0],
        "y": table[:, 1],
        "heading": table[:, 2],
        "speed": table[:, 3],
        "length": np.full(count, 5.0),
        "width": np.full(count, 2.0),
        "crashed": np.zeros(count, bool) if crashed is None else np.array(crashed),
        "visible_fraction": seen.astype(float),
        "perceived": seen,
        "age_s": np.where(seen, 0.0, np.inf),
    }


def episode(*decisions: dict[str, Any], decision_s=0.2) -> dict[str, Any]:
    found = EpisodeMetrics(decision_s)
    for decision in decisions:
        found.add(decision)
    return found.result()


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (box(vx=10), box(x=25), 2.0),  # 20 m of gap at 10 m/s
        (box(vx=10), box(x=25, vx=10), math.inf),
        (box(vx=10), box(x=25, y=2.5), math.inf),  # passes beside
        (box(), box(x=4.9), 0.0),
        (box(vx=10), box(x=33.5, y=-30, heading=math.pi / 2, vy=10), 3.0),
        (box(x=25), box(vx=10), 2.0),
    ],
)
def test_time_to_collision_of_rectangles(a, b, expected):
    assert time_to_collision(a, b) == pytest.approx(expected, abs=1e-9)


def test_time_to_collision_agrees_with_moving_them():
    """Against brute force: points of each rectangle looked for in the other along the motion."""
    draw = np.random.default_rng(0)
    met = 0
    for _ in range(30):
        b = box(*draw.uniform(-12, 12, 2), heading=draw.uniform(-3, 3))
        towards = b[:2] / draw.uniform(1, 3) + draw.uniform(-2, 2, 2)
        a = box(heading=draw.uniform(-3, 3), vx=towards[0], vy=towards[1])
        found = time_to_collision(a, b)
        times = np.arange(0.0, 4.0, 0.02)
        first = next((t for t in times if overlap(a, b, t)), math.inf)
        met += math.isfinite(first)
        assert found <= first + 1e-9
        # Corners that only graze fall between the sampled points: look with larger rectangles.
        if found < 4.0:
            larger = np.array([0, 0, 0, 0.4, 0.4, 0, 0])
            assert overlap(a + larger, b + larger, found)
    assert met > 10


def overlap(a: np.ndarray, b: np.ndarray, t: float) -> bool:
    """Whether any of many points of one rectangle lies in the other."""

    def inside(points: np.ndarray, shape: np.ndarray) -> bool:
        d = points - (shape[:2] + t * shape[5:7])
        c, s = math.cos(shape[2]), math.sin(shape[2])
        along, across = d @ [c, s], d @ [-s, c]
        return bool(((abs(along) <= shape[3] / 2) & (abs(across) <= shape[4] / 2)).any())

    def points(shape: np.ndarray) -> np.ndarray:
        grid = np.stack(
            np.meshgrid(np.linspace(-0.5, 0.5, 21) * shape[3], np.linspace(-0.5, 0.5, 9) * shape[4])
        ).reshape(2, -1)
        c, s = math.cos(shape[2]), math.sin(shape[2])
        return grid.T @ np.array([[c, s], [-s, c]]) + shape[:2] + t * shape[5:7]

    return inside(points(a), b) or inside(points(b), a)


def test_a_quiet_drive():
    decisions = [truth((2.0 * step, 0, 0, 10.0), (500.0, 0, 0, 0.0)) for step in range(6)]
    result = episode(*decisions)
    assert list(result) == [each.name for each in METRICS]
    assert result["progress_m"] == pytest.approx(10.0)
    assert result["mean_speed"] == 10.0
    assert math.isnan(result["min_ttc"])
    assert result["share_ttc_below_1_5"] == 0.0
    assert result["hard_brakes"] == 0
    assert result["max_jerk"] == 0.0
    assert result["exposure"] == 0
    assert result["at_fault"] == ""
    assert math.isnan(result["blind_entry_speed"])


def test_hard_braking_counts_onsets_and_jerk_is_the_largest_change():
    speeds = [20, 20, 19, 18, 18, 17, 17]  # two brakings of 5 m/s^2
    result = episode(*(truth((0, 0, 0, speed)) for speed in speeds))
    assert result["hard_brakes"] == 2
    assert result["max_jerk"] == pytest.approx(25.0)


def test_a_rear_end_collision_with_a_car_hidden_until_just_before():
    gaps = [28.0, 20.0, 12.0, 4.9]
    seen = [False, False, True, True]
    decisions = [
        truth((0, 0, 0, 10.0), (gap, 0, 0, 5.0), perceived=[True, s], crashed=[gap < 5] * 2)
        for gap, s in zip(gaps, seen, strict=True)
    ]
    result = episode(*decisions)
    assert result["at_fault"] == "active_front"
    assert result["hidden_origin_collision"]
    assert result["reveal_to_contact_s"] == pytest.approx(0.2)
    assert result["exposure"] == 2  # hidden, and within the TTC horizon
    assert result["blind_entry_speed"] == 10.0
    assert result["min_ttc"] == 0.0


def test_a_collision_with_a_car_in_sight_all_along_has_no_hidden_origin():
    decisions = [
        truth((0, 0, 0, 10.0), (gap, 0, 0, 5.0), crashed=[gap < 5] * 2) for gap in (12.0, 8.0, 4.0)
    ]
    result = episode(*decisions)
    assert not result["hidden_origin_collision"]
    assert math.isnan(result["reveal_to_contact_s"])


def test_post_encroachment_time_of_crossing_paths():
    ego = [(0.0, 2.0 * step - 20.0, math.pi / 2, 10.0) for step in range(20)]
    other = [(2.0 * step - 30.0, 0.0, 0.0, 10.0) for step in range(20)]
    result = episode(*(truth(a, b) for a, b in zip(ego, other, strict=True)))
    # The ego is at the crossing at step 10, the other at step 15; points within 2 m count.
    assert result["pet"] == pytest.approx(0.2 * 5, abs=0.2 * 2 + 1e-9)


@pytest.mark.parametrize(
    ("ego_speed", "other", "expected"),
    [
        (0.0, (4.0, 0, 0, 10.0), "stopped_ego"),
        (10.0, (4.0, 0, 0, 0.0), "stopped_track"),
        (10.0, (4.5, 0.3, 0, 5.0), "active_front"),
        (10.0, (-4.5, 0.3, 0, 15.0), "active_rear"),
        (10.0, (0.5, 1.9, 0, 10.0), "active_lateral"),
    ],
)
def test_fault_classes(ego_speed, other, expected):
    end = truth((0, 0, 0, ego_speed), other, crashed=[True, True])
    assert episode(end)["at_fault"] == expected


def random_truths(seed, steps, actors, decision_s):
    """An episode in which vehicles come and go, get hidden and crash at the end."""
    random = np.random.default_rng(seed)
    place, speed = random.uniform(-15, 15, (actors, 2)), random.uniform(0, 12, actors)
    heading = random.uniform(-3, 3, actors)
    ids = np.array([0, *range(1, actors - 1), FIRST_OBJECT_ID])
    kind = np.array([0] * (actors - 1) + [random.integers(1, 3)])
    speed[-1] = 0
    truths = []
    for step in range(steps):
        speed[:-1] = np.abs(speed[:-1] + random.normal(0, 1.0, actors - 1))
        place += decision_s * speed[:, None] * np.column_stack([np.cos(heading), np.sin(heading)])
        there = np.concatenate([[True], random.random(actors - 2) < 0.9, [True]])
        perceived = random.random(actors) < 0.6
        perceived[0] = True
        crash = np.zeros(actors, dtype=bool)
        if step == steps - 1 and seed % 2:
            crash[0] = crash[1] = True
        truth = {
            "id": ids, "kind": kind, "x": place[:, 0], "y": place[:, 1], "heading": heading,
            "speed": speed, "length": np.full(actors, 5.0), "width": np.full(actors, 2.0),
            "crashed": crash, "perceived": perceived,
        }  # fmt: skip
        truths.append({key: value[there].copy() for key, value in truth.items()})
    return truths


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    steps=st.integers(1, 30),
    actors=st.integers(3, 8),
    decision_s=st.sampled_from([0.2, 0.5, 1.0]),
)
def test_metrics_are_those_of_the_definitions_in_numpy(seed, steps, actors, decision_s):
    found, oracle = EpisodeMetrics(decision_s), MetricsInNumpy(decision_s)
    for decision in random_truths(seed, steps, actors, decision_s):
        found.add(decision)
        oracle.add(decision)
    expected = oracle.result()
    for name, value in found.result().items():
        assert type(value) is type(expected[name]), name
        if isinstance(value, float):
            assert value == pytest.approx(expected[name], rel=1e-12, nan_ok=True), name
        else:
            assert value == expected[name], name


def test_every_metric_has_a_column():
    assert METRICS[AT_FAULT].name == "at_fault"
    assert METRICS[BLIND_ENTRY].name == "blind_entry_speed"
    assert METRICS[PET].name == "pet"


def test_the_page_lists_the_table():
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    rows = [
        f"| `{each.name}` | {each.unit} | {each.definition} | {each.source} |"
        for each in (*METRICS, ON_TIME)
    ]
    listed = [line for line in page.splitlines() if line.startswith("| `")]
    assert listed[2:] == rows  # the first two are the outcome and what the product counts


def test_on_time_is_unharmed_and_fast_enough():
    speeds = [30.0] * len(OUTCOMES)
    judged = dict(zip(OUTCOMES, judge_on_time(28.0, OUTCOMES, speeds), strict=True))
    assert judged == {one: float(one in ("success", "timeout")) for one in OUTCOMES}
    at = judge_on_time(28.0, ["success"] * 3, [27.999, 28.0, float("nan")])
    assert at.tolist() == [0.0, 1.0, 0.0]
    assert np.isnan(judge_on_time(None, ["success"], [30.0])).all()


@pytest.mark.parametrize("backend", ["reference", "compiled"])
@pytest.mark.parametrize("least", [None, 5.0, 21.0])
def test_both_backends_tell_who_is_on_time(backend, least):
    """Two go slower, unharmed and fast enough for 5 m/s; two go faster, into the traffic."""
    scenario = drivemem_envs.scenario("highway-fast-v0").model_copy(update={"on_time_mps": least})
    worlds = drivemem_envs.make_vec(scenario, 4, backend=backend)
    worlds.reset(seed=3)
    told = []
    while len(told) < 10:
        _, _, terminated, truncated, infos = worlds.step(np.array([4, 4, 3, 3]))
        final = infos.get("final_info", {})
        for world in np.flatnonzero(terminated | truncated):
            facts = [final[key][world] for key in ("outcome", "mean_speed", "on_time")]
            (expected,) = judge_on_time(least, [facts[0]], [facts[1]])
            np.testing.assert_array_equal(facts[2], expected)
            told.append(facts[2])
    worlds.close()
    assert least != 5.0 or set(told) == {0.0, 1.0}


@pytest.fixture
def registered(monkeypatch):
    """No other package's metrics, before and after."""
    monkeypatch.setattr(metrics, "_REGISTERED", {})
    monkeypatch.setattr(metrics, "entry_points", lambda group: [])
    metrics._load_entry_points.cache_clear()
    yield
    metrics._load_entry_points.cache_clear()


def lateral_reach(trace: EgoTrace) -> float:
    assert trace.x.shape == trace.speed.shape == trace.is_relevant_hidden.shape
    return float(np.ptp(trace.y)) * trace.decision_s


LATERAL_REACH = Metric("lateral_reach", "m s", "how far it went sideways", compute=lateral_reach)


@pytest.mark.parametrize("backend", ["reference", "compiled"])
def test_a_metric_of_another_package_is_told_beside_ours(backend, registered):
    register_metric(LATERAL_REACH)
    assert metric_names()[-1] == "lateral_reach"
    worlds = drivemem_envs.make_vec("exit-recall", 2, backend=backend)
    worlds.reset(seed=3)
    y = [worlds.truth()["y"][:, 0]]
    while True:
        _, _, terminated, truncated, infos = worlds.step(np.zeros(2, dtype=np.int64))
        ended = terminated | truncated
        if ended.any():
            break
        y.append(worlds.truth()["y"][:, 0])
    (world, *_) = np.flatnonzero(ended)
    told = infos["final_info"]["lateral_reach"]
    assert told.dtype == np.float64
    before = np.ptp([each[world] for each in y]) * worlds.decision_s
    assert told[world] >= before > 0.0  # the last decision is in the metric, and no longer shown
    assert told[world] == pytest.approx(before, abs=4.0 * worlds.decision_s)
    worlds.close()


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (LATERAL_REACH, "already registered"),
        (Metric("pet", "s", "again", compute=lateral_reach), "already registered"),
        (Metric("outcome", "", "again", compute=lateral_reach), "already registered"),
        (Metric("on_time", "", "again", compute=lateral_reach), "already registered"),
        (Metric("lateral reach", "", "two words", compute=lateral_reach), "no identifier"),
        (Metric("nothing", "", "no function"), "needs compute"),
    ],
)
def test_metrics_that_cannot_be_told_are_refused(metric, message, registered):
    register_metric(LATERAL_REACH)
    with pytest.raises(ValueError, match=message):
        register_metric(metric)


def test_entry_points_add_metrics_and_a_broken_one_disables_nothing(registered, monkeypatch):
    group = metrics.ENTRY_POINT_GROUP
    points = [
        EntryPoint("lateral_reach", f"{__name__}:LATERAL_REACH", group),
        EntryPoint("nowhere", "no_such_package:METRIC", group),
        EntryPoint("other_name", f"{__name__}:LATERAL_REACH", group),
    ]
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or SimpleNamespace())
    monkeypatch.setattr(sys.modules[__name__], "LATERAL_REACH", LATERAL_REACH, raising=False)
    monkeypatch.setattr(metrics, "entry_points", lambda group: points)
    with pytest.warns(UserWarning, match=r"metric '(nowhere|other_name)' is left out") as told:
        assert metric_names() == [*(each.name for each in METRICS), "on_time", "lateral_reach"]
    assert len(told) == 2


def test_the_example_of_the_page_is_a_metric(registered):
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "metrics.md", "exec"), {})
    result = episode(*(truth((0, 0, 0, speed)) for speed in (3.0, 0.0, 0.0)), decision_s=0.5)
    assert result["standing_s"] == 1.0
