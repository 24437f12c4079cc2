"""The observation of compiled worlds: rows of what is perceived, the cue, the actions available.

The rows are `sensing.rows`; the reference backend computes the same from live objects.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled.by_pointer import by_pointer
from drivemem_envs.compiled.dynamics.control import meta_action
from drivemem_envs.compiled.dynamics.lanes import (
    heading_at,
    is_reachable,
    local_coordinates,
    width_at,
)
from drivemem_envs.compiled.dynamics.step import world_of
from drivemem_envs.compiled.perception.sight import Sight
from drivemem_envs.compiled.records import (
    FASTER,
    IDLE,
    LANE_RIGHT,
    MDP,
    SLOWER,
    OneWorld,
    Record,
    Scratch,
    Worlds,
)
from drivemem_envs.sensing import lane_views
from drivemem_envs.sensing.lane_views import LaneViews, write_lane_views
from drivemem_envs.sensing.layout import DECISION_S, PERFECT_RECALL, TRACKER, X, Y
from drivemem_envs.sensing.rows import assign_slots, order_percepts, write_row, write_rows

# The whole numbers of a view (NUMBERS,): whether rows are fixed, and the lane along which the
# ego's own x is shown, or -1 for the world's x (`ExitObservation`).
FIXED_SLOTS, EGO_X_LANE = range(2)
NUMBERS = 2


class View(NamedTuple):
    """How N worlds are shown in V rows of F features, and what is shown now."""

    codes: Ints
    """(F,)"""
    ranges: Floats
    """(N, F, 2)"""
    options: Floats
    """(OPTIONS,)"""
    numbers: Ints
    """(NUMBERS,)"""
    slots: Ints
    """(N, V - 1) the episode's permutation of rows."""
    cues: Floats
    """(N, K) what the scenario shows for a while."""
    window_s: Floats
    """(1,) for how long, s."""
    rows: NDArray[np.float32]
    """(N, V, F) written."""
    shown: NDArray[np.float32]
    """(N, K) written: the cue; when its time is over zeros, or with perfect recall its last."""
    along: Floats
    """(T, I) scratch."""
    order: Ints
    """(T, I) scratch."""
    places: Ints
    """(T, V - 1) scratch."""
    own: Floats
    """(T, 1, C) scratch."""
    lane_views: LaneViews
    """Written."""
    in_lane: Floats
    """(T, I, 2) scratch: where each percept is in the ego's lane, along and across it, m."""
    stance: Floats
    """(T, STANCE) scratch."""


@jit
def show(one: OneWorld, sight: Sight, view: View, index: int, scratch_row: int, given: int) -> None:
    """Write a world's observation.

    Args:
        one: the world.
        sight: what its ego perceives.
        view: written.
        index: which world it is.
        scratch_row: the row of working memory to use.
        given: number of percepts, see `look`.
    """
    percepts, order = sight.percepts[scratch_row], view.order[scratch_row]
    ego = sight.actors[index, 0]
    it = one.actors[one.world[0].ego]
    lane = one.lanes[it.lane]
    here, beside = local_coordinates(lane, one.points, ego[X], ego[Y])
    in_lane, along = view.in_lane[scratch_row], view.along[scratch_row]
    for row in range(given):
        in_lane[row, 0], in_lane[row, 1] = local_coordinates(
            lane, one.points, percepts[row, X], percepts[row, Y]
        )
        along[row] = in_lane[row, 0] - here
    others = view.rows.shape[1] - 1
    chosen = order_percepts(
        percepts, given, ego[X], ego[Y], view.along[scratch_row], view.options, order
    )
    if view.numbers[FIXED_SLOTS] > 0:
        places = view.places[scratch_row]
        chosen = assign_slots(percepts, order, chosen, view.slots[index], places)
        order = places
    write_rows(
        sight.actors[index], 0, percepts, order, min(chosen, others), view.codes,
        view.ranges[index], view.options, view.rows[index],
    )  # fmt: skip
    if view.numbers[EGO_X_LANE] >= 0:
        own = view.own[scratch_row]
        for column in range(own.shape[1]):
            own[0, column] = ego[column]
        exit_lane = one.lanes[view.numbers[EGO_X_LANE]]
        own[0, X] = local_coordinates(exit_lane, one.points, ego[X], ego[Y])[0]
        write_row(
            own, 0, own, 0, view.codes, view.ranges[index], view.options, view.rows[index], 0
        )  # fmt: skip
    _show_cue(sight, view, index)
    if view.lane_views.ego.shape[1] > 0:
        stance = view.stance[scratch_row]
        stance[lane_views.ALONG], stance[lane_views.ACROSS] = here, beside
        _take_stance(one, it, lane, stance)
        write_lane_views(
            percepts, in_lane, given, ego, stance, view.lane_views.settings,
            view.lane_views.grid[index], view.lane_views.lanes[index], view.lane_views.ego[index],
        )  # fmt: skip


@jit
def _take_stance(one: OneWorld, it: Record, lane: Record, stance: Floats) -> None:
    """Write what the ego's lane and its own aims are; its place in the lane is written already."""
    along = stance[lane_views.ALONG]
    stance[lane_views.LANE_WIDTH] = width_at(lane, one.points, along)
    stance[lane_views.LANE_HEADING] = heading_at(lane, one.points, along)
    stance[lane_views.NUMBER] = lane.number
    stance[lane_views.LANES] = one.roads[lane.road].lanes
    stance[lane_views.TARGET_SPEED], stance[lane_views.TARGET_NUMBER] = it.speed, lane.number
    if it.kind == MDP:
        stance[lane_views.TARGET_SPEED] = it.target_speed
        aim = one.lanes[it.target_lane]
        if aim.road == lane.road:
            stance[lane_views.TARGET_NUMBER] = aim.number


@jit
def _show_cue(sight: Sight, view: View, index: int) -> None:
    decision = sight.decisions[index] - 1
    is_shown = decision * sight.limits[DECISION_S] < view.window_s[0] - 1e-9
    stays = sight.limits[TRACKER] == PERFECT_RECALL and decision > 0
    for k in range(view.cues.shape[1]):
        if is_shown:
            view.shown[index, k] = view.cues[index, k]
        elif not stays:
            view.shown[index, k] = 0.0


@jit
def is_available(one: OneWorld, choice: int) -> bool:
    """`DiscreteMetaAction.get_available_actions`, for one index of the action space."""
    world = one.world[0]
    ego = one.actors[world.ego]
    action = meta_action(world.vocabulary, choice)
    if action == IDLE:
        return True
    if action == FASTER:
        return bool(ego.speed_index < world.speeds - 1)
    if action == SLOWER:
        return bool(ego.speed_index > 0)
    here = one.lanes[ego.lane]
    number = here.number + (1 if action == LANE_RIGHT else -1)
    road = one.roads[here.road]
    if number < 0 or number >= road.lanes:
        return False
    lane = one.lanes[road.first_lane + number]
    longitudinal, lateral = local_coordinates(lane, one.points, ego.x, ego.y)
    return bool(is_reachable(lane, one.points, longitudinal, lateral))


@jit
def write_masks(worlds: Worlds, scratch: Scratch, masks: NDArray[np.bool_]) -> None:
    """Write which of n actions each world offers (N, n)."""
    for index in range(masks.shape[0]):
        one = by_pointer(world_of(worlds, scratch, index, 0))
        for choice in range(masks.shape[1]):
            masks[index, choice] = is_available(one, choice)
