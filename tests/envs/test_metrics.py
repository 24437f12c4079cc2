from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from drivemem_envs.metrics import METRICS, EpisodeMetrics, fault_of, time_to_collision
from drivemem_envs.outcomes import is_stuck


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
    metrics = EpisodeMetrics(decision_s)
    for decision in decisions:
        metrics.add(decision)
    return metrics.result()


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
    assert set(result) == set(METRICS)
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
    assert fault_of(truth((0, 0, 0, ego_speed), other), 1) == expected


def test_stuck_is_standing_for_most_of_the_last_third():
    assert is_stuck(np.array([9.0] * 20 + [0.0] * 10))
    assert not is_stuck(np.array([0.0] * 20 + [9.0] * 10))
    assert not is_stuck(np.array([9.0] * 26 + [0.0] * 4))
    assert is_stuck(np.array([0.0]))
