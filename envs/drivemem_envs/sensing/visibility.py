"""Line of sight: which share of an actor the ego can see between others and buildings.

Five rays run from the ego's centre, where highway-env puts a vehicle's position, to the four
corners and the centre of the target. The ego and the target themselves block nothing.
"""

from __future__ import annotations

import math

from drivemem_envs._jit import Floats, jit
from drivemem_envs.sensing.layout import (
    BLOCKED_BY_ACTORS,
    BLOCKED_BY_OCCLUDERS,
    COS,
    HEADING,
    KIND,
    LANDMARK,
    LENGTH,
    NEAREST,
    OCCLUDER_HEADING,
    OCCLUDER_LENGTH,
    OCCLUDER_WIDTH,
    OCCLUDER_X,
    OCCLUDER_Y,
    ORDER,
    REACH,
    SIGHT_RAYS,
    SIN,
    WIDTH,
    X,
    Y,
)

ALL_RAYS = (1 << SIGHT_RAYS) - 1

# Slack of the cheap rejection, m: far above rounding, so that rejecting never changes a result.
_SLACK_M = 1e-6


@jit
def crosses_rectangle(
    middle_x: float,
    middle_y: float,
    half_x: float,
    half_y: float,
    half_length: float,
    half_width: float,
) -> bool:
    """Whether a segment crosses the inside of a rectangle centred at the origin, axes aligned.

    Separating axes (Ericson, "Real-time collision detection", 2005, 5.2.9): no division, no order
    of the segment's ends (so sight is exactly symmetric), and monotone in the rectangle's size
    even after rounding. Touching is not crossing.

    Args:
        middle_x: middle of the segment.
        middle_y: middle of the segment.
        half_x: half of the vector from one end to the other.
        half_y: half of the vector from one end to the other.
        half_length: half of the rectangle's side along x.
        half_width: half of the rectangle's side along y.
    """
    if abs(middle_x) >= half_length + abs(half_x):
        return False
    if abs(middle_y) >= half_width + abs(half_y):
        return False
    area = abs(middle_x * half_y - middle_y * half_x)
    return bool(area < half_length * abs(half_y) + half_width * abs(half_x))


@jit
def half_diagonal(length: float, width: float) -> float:
    """From the centre of a rectangle to its corners, m."""
    return math.sqrt(length * length + width * width) / 2.0


@jit
def prepare(actors: Floats, ego: int, limits: Floats, scratch: Floats) -> int:
    """Put the actors that block sight in order of distance from the ego.

    The nearest usually hide the most, so most targets are settled after a few blockers; and what
    begins behind a target cannot hide it.

    Args:
        actors: all actors of the world (A, C).
        ego: index of the ego, where the rays start.
        limits: what blocks.
        scratch: written (A, SCRATCH_COLUMNS); for `visible_rays`.

    Returns:
        Number of blockers.
    """
    count = 0
    if limits[BLOCKED_BY_ACTORS] + limits[BLOCKED_BY_OCCLUDERS] <= 0.0:
        return count
    for i in range(actors.shape[0]):
        scratch[i, COS] = math.cos(actors[i, HEADING])
        scratch[i, SIN] = math.sin(actors[i, HEADING])
        scratch[i, REACH] = half_diagonal(actors[i, LENGTH], actors[i, WIDTH])
        if i == ego or actors[i, KIND] == LANDMARK or limits[BLOCKED_BY_ACTORS] <= 0.0:
            continue
        dx, dy = actors[i, X] - actors[ego, X], actors[i, Y] - actors[ego, Y]
        nearest = math.sqrt(dx * dx + dy * dy) - scratch[i, REACH]
        scratch[i, NEAREST] = nearest
        place = count
        while place > 0 and scratch[int(scratch[place - 1, ORDER]), NEAREST] > nearest:
            scratch[place, ORDER] = scratch[place - 1, ORDER]
            place -= 1
        scratch[place, ORDER] = i
        count += 1
    return count


@jit
def sight_rays(
    targets: Floats, row: int, turn: tuple[float, float], sight: tuple[float, float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The sight rays to the four corners and the centre of a target.

    Args:
        targets: a table of actors (A, C or more).
        row: which of them.
        turn: cosine and sine of its heading.
        sight: where the rays start, m.

    Returns:
        Middles and half-vectors of the five segments, x and y in turn, ten numbers each.
    """
    x, y = targets[row, X], targets[row, Y]
    cos, sin = turn
    ahead_x, ahead_y = cos * targets[row, LENGTH] / 2.0, sin * targets[row, LENGTH] / 2.0
    left_x, left_y = -sin * targets[row, WIDTH] / 2.0, cos * targets[row, WIDTH] / 2.0
    x0, y0 = x + ahead_x + left_x, y + ahead_y + left_y
    x1, y1 = x + ahead_x - left_x, y + ahead_y - left_y
    x2, y2 = x - ahead_x + left_x, y - ahead_y + left_y
    x3, y3 = x - ahead_x - left_x, y - ahead_y - left_y
    u, v = sight
    middles = (
        (x0 + u) / 2.0, (y0 + v) / 2.0, (x1 + u) / 2.0, (y1 + v) / 2.0, (x2 + u) / 2.0,
        (y2 + v) / 2.0, (x3 + u) / 2.0, (y3 + v) / 2.0, (x + u) / 2.0, (y + v) / 2.0,
    )  # fmt: skip
    halves = (
        (x0 - u) / 2.0, (y0 - v) / 2.0, (x1 - u) / 2.0, (y1 - v) / 2.0, (x2 - u) / 2.0,
        (y2 - v) / 2.0, (x3 - u) / 2.0, (y3 - v) / 2.0, (x - u) / 2.0, (y - v) / 2.0,
    )  # fmt: skip
    return middles, halves


@jit
def _misses(towards: tuple[float, float], reach: float, rx: float, ry: float) -> bool:
    """Whether a blocker is surely clear of all five rays: the cheap rejection.

    The rays stay within the target's half-diagonal of the segment from the eye to its centre.

    Args:
        towards: vector from the eye to the target's centre, m.
        reach: half-diagonals of target and blocker together, m.
        rx: from the eye to the blocker's centre, m.
        ry: from the eye to the blocker's centre, m.
    """
    tx, ty = towards
    squared = tx * tx + ty * ty
    bound = reach * reach * squared + _SLACK_M
    across, along = rx * ty - ry * tx, rx * tx + ry * ty
    if across * across > bound:
        return True
    if along < 0.0:
        return along * along > bound
    beyond = along - squared
    return beyond > 0.0 and beyond * beyond > bound


@jit
def _block(
    blocked: int,
    middles: tuple[float, ...],
    halves: tuple[float, ...],
    place: tuple[float, float],
    turn: tuple[float, float],
    half: tuple[float, float],
) -> int:
    """Add the sight rays that one rectangle blocks.

    Args:
        blocked: bits of the rays blocked so far: 0-3 the corners, 4 the centre.
        middles: of the rays, m; see `sight_rays`.
        halves: half-vectors of the rays, m.
        place: centre of the rectangle, m.
        turn: cosine and sine of its heading.
        half: half of its length and width, m.

    Returns:
        The bits, with those of this rectangle.
    """
    cos, sin = turn
    for ray in range(SIGHT_RAYS):
        if blocked & (1 << ray):
            continue
        half_x, half_y = halves[2 * ray], halves[2 * ray + 1]
        middle_x, middle_y = middles[2 * ray] - place[0], middles[2 * ray + 1] - place[1]
        if crosses_rectangle(
            cos * middle_x + sin * middle_y,
            cos * middle_y - sin * middle_x,
            cos * half_x + sin * half_y,
            cos * half_y - sin * half_x,
            half[0],
            half[1],
        ):
            blocked |= 1 << ray
    return blocked


@jit
def _behind_occluders(
    sight: tuple[float, float],
    towards: tuple[float, float],
    own_reach: float,
    middles: tuple[float, ...],
    halves: tuple[float, ...],
    occluders: Floats,
) -> int:
    """Bits of the rays that static occluders block."""
    blocked = 0
    for k in range(occluders.shape[0]):
        x, y = occluders[k, OCCLUDER_X], occluders[k, OCCLUDER_Y]
        length, width = occluders[k, OCCLUDER_LENGTH], occluders[k, OCCLUDER_WIDTH]
        # Half the perimeter bounds the half-diagonal, without a root.
        if _misses(towards, own_reach + (length + width) / 2.0, x - sight[0], y - sight[1]):
            continue
        turn = (math.cos(occluders[k, OCCLUDER_HEADING]), math.sin(occluders[k, OCCLUDER_HEADING]))
        blocked = _block(blocked, middles, halves, (x, y), turn, (length / 2.0, width / 2.0))
        if blocked == ALL_RAYS:
            break
    return blocked


@jit
def visible_rays(
    targets: Floats,
    row: int,
    skip: int,
    actors: Floats,
    ego: int,
    occluders: Floats,
    limits: Floats,
    scratch: Floats,
    blockers: int,
) -> int:
    """How many of the five sight rays reach a target.

    Args:
        targets: a table of actors, or of places where they are expected (A, C or more).
        row: which of them.
        skip: index of the actor that the target is (it does not hide itself), or -1.
        actors: all actors of the world (A, C).
        ego: index of the ego, where the rays start.
        occluders: static occluders (K, 5): x, y, heading, length, width.
        limits: what blocks.
        scratch: what `prepare` wrote (A, SCRATCH_COLUMNS).
        blockers: what `prepare` returned.

    Returns:
        0 to 5.
    """
    turn = (math.cos(targets[row, HEADING]), math.sin(targets[row, HEADING]))
    own_reach = half_diagonal(targets[row, LENGTH], targets[row, WIDTH]) + _SLACK_M
    return _count_rays(
        targets, row, skip, turn, own_reach, actors, ego, occluders, limits, scratch, blockers
    )


@jit
def visible_rays_of_actor(
    i: int,
    actors: Floats,
    ego: int,
    occluders: Floats,
    limits: Floats,
    scratch: Floats,
    blockers: int,
) -> int:
    """`visible_rays` of one of the actors that `prepare` saw, without turning it again."""
    turn = (scratch[i, COS], scratch[i, SIN])
    own_reach = scratch[i, REACH] + _SLACK_M
    return _count_rays(
        actors, i, i, turn, own_reach, actors, ego, occluders, limits, scratch, blockers
    )


@jit
def _count_rays(
    targets: Floats,
    row: int,
    skip: int,
    turn: tuple[float, float],
    own_reach: float,
    actors: Floats,
    ego: int,
    occluders: Floats,
    limits: Floats,
    scratch: Floats,
    blockers: int,
) -> int:
    """`visible_rays`, given the target's heading and reach."""
    sight = (actors[ego, X], actors[ego, Y])
    middles, halves = sight_rays(targets, row, turn, sight)
    towards = (targets[row, X] - sight[0], targets[row, Y] - sight[1])
    blocked = 0
    if limits[BLOCKED_BY_OCCLUDERS] > 0.0:
        blocked = _behind_occluders(sight, towards, own_reach, middles, halves, occluders)
    farthest = math.sqrt(towards[0] * towards[0] + towards[1] * towards[1]) + own_reach
    for place in range(blockers):
        i = int(scratch[place, ORDER])
        if blocked == ALL_RAYS or scratch[i, NEAREST] > farthest:
            break
        x, y = actors[i, X], actors[i, Y]
        reach = own_reach + scratch[i, REACH]
        if i == skip or _misses(towards, reach, x - sight[0], y - sight[1]):
            continue
        facing = (scratch[i, COS], scratch[i, SIN])
        half = (actors[i, LENGTH] / 2.0, actors[i, WIDTH] / 2.0)
        blocked = _block(blocked, middles, halves, (x, y), facing, half)
    rays = SIGHT_RAYS
    for ray in range(SIGHT_RAYS):
        rays -= (blocked >> ray) & 1
    return rays
