"""The search behind the dense highways' oracle."""

from __future__ import annotations

import numpy as np
import pytest

from drivemem_envs.scenarios.shared.lane_planner import LANE_WIDTH_M, plan_lane

EGO_MPS, TRAFFIC_MPS = 36.0, 20.0


def plan(*cars: tuple[float, int], lanes: int = 3, lane: int = 1, y: float | None = None) -> int:
    """What the ego does on a lane, with cars so many meters ahead on theirs."""
    return plan_lane(
        np.array([0.0, *(x for x, _ in cars)]),
        np.array([LANE_WIDTH_M * lane if y is None else y, *(LANE_WIDTH_M * k for _, k in cars)]),
        np.array([EGO_MPS, *(TRAFFIC_MPS for _ in cars)]),
        lanes,
        lane,
    )


def test_on_a_free_road_it_keeps_its_lane():
    assert plan() == 1
    assert plan((50.0, 0), (50.0, 2)) == 1


def test_it_leaves_a_blocked_lane_while_there_is_time():
    assert plan((20.0, 1)) in (0, 2)
    assert plan((20.0, 1), (3.0, 0)) == 2
    assert plan((20.0, 1), (3.0, 2)) == 0


@pytest.mark.parametrize("lane", [0, 2])
def test_it_stays_on_the_road(lane):
    assert plan((20.0, lane), lane=lane) == (2 if lane == 0 else 0)


def test_it_changes_before_a_gap_closes():
    """Two lanes over is free: it must go while the middle is, though its own lane is for long."""
    column = [(x, 1) for x in (36.0, 48.0, 60.0, 72.0, 84.0)]
    assert plan((80.0, 0), *column, lane=0) == 2
    assert plan(*column, lane=0) == 1


def test_it_looks_beyond_the_next_car():
    """One neighbouring lane is free for longer, but there is no way on from it."""
    column = [(x, 1) for x in (20.0, 32.0, 44.0, 56.0, 68.0, 80.0)]
    assert plan((70.0, 0), (45.0, 2), *column, lanes=4) == 2
    assert plan((70.0, 0), (45.0, 2), *column, lanes=3) == 0


def test_half_way_over_it_goes_back_rather_than_into_a_car():
    assert plan((9.0, 0), lanes=2, lane=0, y=3.0) == 2
