"""Percepts as the vehicles that highway-env's own observations read: `reference.stand_ins`.

What is perceived exactly is the live vehicle; anything else stands where and moves as perceived.
"""

from __future__ import annotations

import math

from drivemem_envs._jit import Floats, jit
from drivemem_envs.compiled.dynamics.lanes import lane_distance_with_heading, local_coordinates
from drivemem_envs.compiled.perception.sight import Sight
from drivemem_envs.compiled.records import OneWorld
from drivemem_envs.sensing.layout import HEADING, KIND, LENGTH, VEHICLE, VX, VY, X, Y
from drivemem_envs.sensing.rows import id_of

# Columns of a pose (P, POSE_COLUMNS): m, m, rad, m/s, cosine and sine of the heading, the lane's
# row, length m, whether it is the ego.
(
    POSE_X, POSE_Y, POSE_HEADING, POSE_SPEED, POSE_COS, POSE_SIN, POSE_LANE, POSE_LENGTH, POSE_EGO,
) = range(9)  # fmt: skip
POSE_COLUMNS = 9


@jit
def closest_lane_to(one: OneWorld, x: float, y: float, heading: float) -> int:
    """`RoadNetwork.get_closest_lane_index` of any pose; m, m, rad."""
    best, least = 0, math.inf
    for row in range(int(one.world[0].lanes)):
        lane = one.lanes[row]
        longitudinal, lateral = local_coordinates(lane, one.points, x, y)
        distance = lane_distance_with_heading(lane, one.points, longitudinal, lateral, heading)
        if distance < least:
            best, least = row, distance
    return best


@jit
def _write_live(one: OneWorld, actor: int, pose: Floats) -> None:
    it = one.actors[actor]
    pose[POSE_X], pose[POSE_Y] = it.x, it.y
    pose[POSE_HEADING], pose[POSE_SPEED] = it.heading, it.speed
    pose[POSE_COS], pose[POSE_SIN] = it.cos_heading, it.sin_heading
    pose[POSE_LANE], pose[POSE_LENGTH] = it.lane, it.length
    pose[POSE_EGO] = 1.0 if actor == one.world[0].ego else 0.0


@jit
def _write_perceived(one: OneWorld, percept: Floats, pose: Floats) -> None:
    """`_as_perceived`: what is not sensed is zero, or follows from the velocity."""
    x, y, heading = percept[X], percept[Y], percept[HEADING]
    vx, vy = percept[VX], percept[VY]
    if math.isnan(vx):
        vx, vy = 0.0, 0.0
    if math.isnan(heading):
        heading = math.atan2(vy, vx)
    cosine, sine = math.cos(heading), math.sin(heading)
    pose[POSE_X], pose[POSE_Y], pose[POSE_HEADING] = x, y, heading
    pose[POSE_SPEED] = vx * cosine + vy * sine
    pose[POSE_COS], pose[POSE_SIN] = cosine, sine
    pose[POSE_LANE] = closest_lane_to(one, x, y, heading)
    pose[POSE_LENGTH], pose[POSE_EGO] = percept[LENGTH], 0.0


@jit
def _is_exact(percept: Floats, actor: Floats) -> bool:
    for column in range(actor.shape[0]):
        p, a = percept[column], actor[column]
        if p != a and not (math.isnan(p) and math.isnan(a)):
            return False
    return True


@jit
def _find(sight: Sight, scratch_row: int, given: int, actor: int) -> int:
    """The percept of an actor, or -1; percepts are in order of id."""
    for row in range(given):
        if id_of(sight.percepts[scratch_row], row) == actor:
            return row
    return -1


@jit
def _is_present(sight: Sight, index: int, actor: int) -> bool:
    there = False
    for place in range(sight.counts[index]):
        there |= sight.ids[index, place] == actor
    return there


@jit
def write_poses(
    one: OneWorld, sight: Sight, index: int, scratch_row: int, given: int, poses: Floats
) -> int:
    """Write the vehicles of a road on which only the ego and its percepts stand.

    Args:
        one: the world.
        sight: what its ego perceives.
        index: which world it is.
        scratch_row: the row of percepts to use.
        given: number of percepts, see `look`.
        poses: written (P, POSE_COLUMNS), in the order of highway-env's list: those on the road
            (the ego among them), then those remembered that have left it.

    Returns:
        Number of poses.
    """
    ego, count = one.world[0].ego, 0
    percepts = sight.percepts[scratch_row]
    for actor in range(int(one.world[0].vehicles)):
        if actor == ego:
            _write_live(one, actor, poses[count])
            count += 1
            continue
        place = actor if actor > ego else actor + 1
        row = _find(sight, scratch_row, given, sight.ids[index, place])
        if row < 0:
            continue
        if _is_exact(percepts[row], sight.actors[index, place]):
            _write_live(one, actor, poses[count])
        else:
            _write_perceived(one, percepts[row], poses[count])
        count += 1
    for row in range(given):
        gone = not _is_present(sight, index, id_of(percepts, row))
        if gone and percepts[row, KIND] == VEHICLE:
            _write_perceived(one, percepts[row], poses[count])
            count += 1
    return count
