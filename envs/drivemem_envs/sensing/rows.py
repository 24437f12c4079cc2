"""From percepts to the rows of the observation: highway-env's Kinematics, written once.

Which actors get a row, in which order, and how each feature is scaled; plain arrays, so both
backends can share it. Nothing but percepts and the ego enters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.sensing.layout import (
    COLUMNS,
    HEADING,
    KIND,
    PERCEPT_COLUMNS,
    PERCEPT_ID,
    PERCEPT_SD_POSITION,
    PERCEPT_SD_VELOCITY,
    VEHICLE,
    VX,
    VY,
    X,
    Y,
)

# Further columns of an actor, behind those of `layout`, for the features that need its lane or
# route: direction to its destination, and its place in its own lane (m, m, rad).
COS_D, SIN_D, LONG_OFF, LAT_OFF, ANG_OFF = range(COLUMNS, COLUMNS + 5)
ALL_COLUMNS = COLUMNS + 5

# Codes of the features: a column where the feature is one.
_PRESENCE, _COS_H, _SIN_H, _SD_POSITION, _SD_VELOCITY = -1, -2, -3, -4, -5
FEATURES: dict[str, int] = {
    "presence": _PRESENCE,
    "x": X,
    "y": Y,
    "vx": VX,
    "vy": VY,
    "heading": HEADING,
    "cos_h": _COS_H,
    "sin_h": _SIN_H,
    "cos_d": COS_D,
    "sin_d": SIN_D,
    "long_off": LONG_OFF,
    "lat_off": LAT_OFF,
    "ang_off": ANG_OFF,
    "sd_position": _SD_POSITION,
    "sd_velocity": _SD_VELOCITY,
}

# The vector of options (OPTIONS,).
ABSOLUTE, SEE_BEHIND, OBSTACLES, CLIP, DISTANCE_M, BEHIND_M, INTENTIONS = range(7)
OPTIONS = 7


def feature_table(
    features: Sequence[str], ranges: Mapping[str, Sequence[float]]
) -> tuple[Ints, Floats]:
    """The features as numbers.

    Args:
        features: names, in the order of the columns.
        ranges: lowest and highest value of the features that are scaled to [-1, 1].

    Returns:
        Codes (F,) and ranges (F, 2); nan where a feature is not scaled.

    Raises:
        ValueError: for an unknown feature.
    """
    unknown = [name for name in features if name not in FEATURES]
    if unknown:
        raise ValueError(f"unknown features {unknown}; there are {', '.join(FEATURES)}")
    codes = np.array([FEATURES[name] for name in features], dtype=np.int64)
    scale = np.array([ranges.get(name, (np.nan, np.nan)) for name in features], dtype=np.float64)
    return codes, scale.reshape(-1, 2)


def options_vector(
    *,
    absolute: bool,
    see_behind: bool,
    include_obstacles: bool,
    clip: bool,
    distance_m: float,
    ego_length_m: float,
    observe_intentions: bool = False,
) -> Floats:
    """The options of `order_percepts` and `write_rows`, see KinematicObservation.

    Args:
        absolute: world coordinates instead of relative to the ego.
        see_behind: rows for vehicles behind the ego as well.
        include_obstacles: rows for obstacles as well.
        clip: cut scaled features to [-1, 1].
        distance_m: PERCEPTION_DISTANCE, m.
        ego_length_m: behind begins two lengths behind the ego, m.
        observe_intentions: show where others are going (the ego's own is always shown).
    """
    options = np.zeros(OPTIONS)
    options[ABSOLUTE], options[SEE_BEHIND] = absolute, see_behind
    options[OBSTACLES], options[CLIP] = include_obstacles, clip
    options[DISTANCE_M], options[BEHIND_M] = distance_m, -2 * ego_length_m
    options[INTENTIONS] = observe_intentions
    return options


@jit
def order_percepts(
    percepts: Floats,
    count: int,
    ego_x: float,
    ego_y: float,
    along: Floats,
    options: Floats,
    order: Ints,
) -> int:
    """Choose the percepts that may have a row, nearest along the ego's lane first.

    `Road.close_objects_to`: distance is that along the ego's lane, equal ones stay in order, and
    obstacles behind the ego never count, whatever `see_behind` says.

    Args:
        percepts: what is perceived (P, C + PERCEPT_COLUMNS).
        count: rows in use.
        ego_x: the ego's place, m.
        ego_y: the ego's place, m.
        along: signed distance of each percept from the ego along its lane (P,), m.
        options: see `options_vector`.
        order: written (P,): rows of the percepts chosen.

    Returns:
        Number chosen.
    """
    chosen = 0
    for row in range(count):
        is_vehicle = percepts[row, KIND] == VEHICLE
        dx, dy = percepts[row, X] - ego_x, percepts[row, Y] - ego_y
        if math.sqrt(dx * dx + dy * dy) >= options[DISTANCE_M]:
            continue
        if not is_vehicle and options[OBSTACLES] == 0.0:
            continue
        ahead = along[row] > options[BEHIND_M]
        if not ahead and not (is_vehicle and options[SEE_BEHIND] > 0.0):
            continue
        place = chosen
        while place > 0 and abs(along[order[place - 1]]) > abs(along[row]):
            order[place] = order[place - 1]
            place -= 1
        order[place] = row
        chosen += 1
    return chosen


@jit
def id_of(percepts: Floats, row: int) -> int:
    """The actor that a percept is of."""
    return int(percepts[row, percepts.shape[1] - PERCEPT_COLUMNS + PERCEPT_ID])


@jit
def assign_slots(percepts: Floats, order: Ints, chosen: int, slots: Ints, places: Ints) -> int:
    """Give each chosen percept the fixed row of its actor; of two in one row the nearer stays.

    Args:
        percepts: what is perceived (P, C + PERCEPT_COLUMNS).
        order: rows of the percepts chosen (P,), nearest first.
        chosen: how many.
        slots: the episode's permutation (V - 1,): actor `id` has row `slots[id % (V - 1)]`, from
            0, the ego's not counted.
        places: written (V - 1,): row of the percept shown there, or -1.

    Returns:
        V - 1.
    """
    for place in range(places.shape[0]):
        places[place] = -1
    for k in range(chosen if places.shape[0] else 0):
        place = slots[id_of(percepts, order[k]) % slots.shape[0]]
        if places[place] < 0:
            places[place] = order[k]
    return int(places.shape[0])


@jit
def _feature(values: Floats, row: int, code: int, is_ego: bool) -> float:
    """One feature of a row, unscaled; nan where it is not sensed."""
    if code >= 0:
        return float(values[row, code])
    if code == _COS_H:
        return math.cos(values[row, HEADING])
    if code == _SIN_H:
        return math.sin(values[row, HEADING])
    if code == _PRESENCE:
        return 1.0
    if is_ego:  # a table of actors, without the columns of percepts
        return 0.0
    offset = PERCEPT_SD_POSITION if code == _SD_POSITION else PERCEPT_SD_VELOCITY
    return float(values[row, values.shape[1] - PERCEPT_COLUMNS + offset])


@jit
def write_row(
    values: Floats,
    row: int,
    ego: Floats,
    ego_row: int,
    codes: Ints,
    ranges: Floats,
    options: Floats,
    out: NDArray[np.float32],
    place: int,
) -> None:
    """Write one row of the observation.

    Args:
        values: percepts (P, C + PERCEPT_COLUMNS); for the ego's own row a table of actors.
        row: which of them.
        ego: the table that holds the ego.
        ego_row: its row; the ego's own row is always absolute.
        codes: the features (F,).
        ranges: their ranges (F, 2).
        options: see `options_vector`.
        out: written (V, F).
        place: which row of it.
    """
    relative = options[ABSOLUTE] == 0.0 and place > 0
    for f in range(codes.shape[0]):
        code = codes[f]
        value = _feature(values, row, code, place == 0)
        if place > 0 and options[INTENTIONS] == 0.0 and (code in (COS_D, SIN_D)):
            value = 0.0
        if relative and (code in (X, Y, VX, VY)):
            value -= ego[ego_row, code]
        low, high = ranges[f, 0], ranges[f, 1]
        if low == low:
            value = -1.0 + (value - low) * 2.0 / (high - low)
            if options[CLIP] > 0.0 and value == value:
                value = min(max(value, -1.0), 1.0)
        out[place, f] = value if value == value else 0.0


@jit
def write_rows(
    actors: Floats,
    ego: int,
    percepts: Floats,
    order: Ints,
    chosen: int,
    codes: Ints,
    ranges: Floats,
    options: Floats,
    out: NDArray[np.float32],
) -> None:
    """Write the observation: the ego in row 0, then the percepts in order, then zeros.

    Args:
        actors: the actors present (A, C).
        ego: index of the ego.
        percepts: what is perceived (P, C + PERCEPT_COLUMNS).
        order: rows of the percepts chosen (P,); -1 leaves a row empty.
        chosen: how many.
        codes: the features (F,).
        ranges: their ranges (F, 2).
        options: see `options_vector`.
        out: written (V, F).
    """
    write_row(actors, ego, actors, ego, codes, ranges, options, out, 0)
    for place in range(1, out.shape[0]):
        if place <= chosen and order[place - 1] >= 0:
            write_row(
                percepts, order[place - 1], actors, ego, codes, ranges, options, out, place
            )  # fmt: skip
        else:
            for f in range(codes.shape[0]):
                out[place, f] = 0.0
