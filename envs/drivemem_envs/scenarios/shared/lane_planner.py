"""Which lane to take past slower traffic, for a driver that sees every car.

A search over lane changes: cars go on at their speeds, the ego keeps its own and moves over as
highway-env's controller steers it. It is the bound for a perfect memory on the dense highways,
not an agent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LANE_WIDTH_M = 4.0
# The plan has stages as long as a decision, each of SUBSTEPS moments at which cars are looked at.
STAGE_S = 1 / 3
SUBSTEPS = 5
STAGES = 18
# A lane change takes three stages: the ego is on its old lane for the first moments of them and on
# the new one for the last (an exponential approach of CHANGE_TIME_S, measured at 36 m/s).
CHANGE_STAGES = 3
CHANGE_TIME_S = 0.45
LEAVES_AFTER = 9
ENTERS_AFTER = 6
# Centres this near collide, m: a length or a width, and a margin.
CLEARANCE_M = 6.5
CLEAR_SIDE_M = 2.4


def plan_lane(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    speed: NDArray[np.float64],
    lanes: int,
    target: int,
) -> int:
    """The change of lane after which the road stays free longest.

    Args:
        x: positions along the road, ego first (K,), m.
        y: positions across it, lane 0 at 0 (K,), m.
        speed: along the road (K,), m/s.
        lanes: how many there are.
        target: the lane that the ego drives on or changes to.

    Returns:
        0 left, 1 idle, 2 right.
    """
    moments = STAGE_S / SUBSTEPS * np.arange((STAGES + CHANGE_STAGES) * SUBSTEPS)
    gaps = x[1:, None] - x[0] + (speed[1:, None] - speed[0]) * moments
    free = _stages_free(np.abs(gaps) < CLEARANCE_M, y[1:], float(y[0]), lanes, target)
    return max((1, 0, 2), key=free.__getitem__)


def _stages_free(
    near: NDArray[np.bool_], y: NDArray[np.float64], ego_y: float, lanes: int, target: int
) -> list[float]:
    """For each action, how many stages the best plan that begins with it goes on."""
    is_on = np.abs(y[:, None] - LANE_WIDTH_M * np.arange(lanes)) < LANE_WIDTH_M / 2
    taken = np.stack([near[is_on[:, lane]].any(axis=0) for lane in range(lanes)])
    stays = _any_in(taken, 0, SUBSTEPS)
    leaves = _any_in(taken, 0, LEAVES_AFTER)
    enters = _any_in(taken, ENTERS_AFTER, CHANGE_STAGES * SUBSTEPS)
    free = np.zeros((STAGES + CHANGE_STAGES + 1, lanes))

    def going(stage: int, lane: int) -> float:
        best = 0.0 if stays[lane, stage] else 1.0 + free[stage + 1, lane]
        for aim in (lane - 1, lane + 1):
            if 0 <= aim < lanes and not (leaves[lane, stage] or enters[aim, stage]):
                best = max(best, CHANGE_STAGES + free[stage + CHANGE_STAGES, aim])
        return best

    for stage in range(STAGES - 1, -1, -1):
        free[stage] = [going(stage, lane) for lane in range(lanes)]
    return [
        _first(near, y, ego_y, target + side, free) if 0 <= target + side < lanes else -1.0
        for side in (-1, 0, 1)
    ]


def _first(
    near: NDArray[np.bool_], y: NDArray[np.float64], ego_y: float, aim: int, free: NDArray[Any]
) -> float:
    """Stages free if the ego, wherever between lanes it is, moves to `aim` now."""
    offset = ego_y - LANE_WIDTH_M * aim
    stages = 1 if abs(offset) < LANE_WIDTH_M / 4 else CHANGE_STAGES
    moments = STAGE_S / SUBSTEPS * np.arange(stages * SUBSTEPS)
    path = LANE_WIDTH_M * aim + offset * np.exp(-moments / CHANGE_TIME_S)
    hits = near[:, : len(moments)] & (np.abs(y[:, None] - path) < CLEAR_SIDE_M)
    if hits.any():
        return float(np.argmax(hits.any(axis=0))) / SUBSTEPS
    return stages + float(free[stages, aim])


def _any_in(taken: NDArray[np.bool_], begin: int, end: int) -> NDArray[np.bool_]:
    """Per lane and stage, whether it is taken at any moment `begin` to `end` after its start."""
    moments = SUBSTEPS * np.arange(STAGES)[:, None] + np.arange(begin, end)
    return np.asarray(taken[:, moments].any(axis=2))
