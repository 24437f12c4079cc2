"""The scenes of drivemem's exit recall: an exit is drawn, then lanes for trucks."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivemem_envs._jit import jit
from drivemem_envs.compiled import random
from drivemem_envs.compiled.dynamics.spawn import place_on_lane
from drivemem_envs.compiled.records import OneWorld
from drivemem_envs.compiled.resets.template import EGO, OTHER, Template

# Numbers. Places: the lanes of the first road.
EXITS, TRUCKS, TRUCK_SPEED = range(3)
_START, _SPEED = 10.0, 20.0


def exit_recall_numbers(env: Any) -> list[float]:
    """The numbers of an ExitRecallWorld."""
    config = env.config
    return [config["exits_count"], config["trucks_count"], config["truck_speed"]]


def exit_recall_places(env: Any, rows: dict[Any, int]) -> list[int]:
    """The lanes of the first road."""
    return [rows["a", "b", number] for number in range(env.config["exits_count"])]


@jit(inner=True, allocates=True)
def reset_exit_recall(one: OneWorld, template: Template) -> int:
    """`ExitRecallWorld._reset`; returns the exit that the sign names."""
    numbers = template.numbers
    exits = int(numbers[EXITS])
    named = random.integers(one.stream, exits)
    lane = int(template.places[exits // 2])
    one.world[0].ego = place_on_lane(one, template, EGO, lane, _START, _SPEED)
    order = np.zeros(exits, np.int64)
    random.permutation(one.stream, order)
    for number in range(min(int(numbers[TRUCKS]), exits - 1)):
        along = 40.0 + 6.0 * number + random.uniform(one.stream, 0.0, 4.0)
        speed = numbers[TRUCK_SPEED]
        row = place_on_lane(one, template, OTHER, int(template.places[order[number]]), along, speed)
        one.actors[row].enable_lane_change = False
    return named
