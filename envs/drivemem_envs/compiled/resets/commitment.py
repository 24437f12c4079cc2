"""The scenes of worlds with one committed choice: a kind is drawn, then each car's arrival."""

from __future__ import annotations

import math
from typing import Any

from drivemem_envs._jit import jit
from drivemem_envs.compiled import random
from drivemem_envs.compiled.dynamics.spawn import place_on_lane
from drivemem_envs.compiled.records import OneWorld
from drivemem_envs.compiled.resets.template import EGO, Template
from drivemem_envs.scenarios._shared.single_decision import along_at_start, slip_of

# Numbers; then, for each car, where it is measured (m along its lane), windows of its arrival for
# each kind and windows of its speed for each kind. Places: the lanes of the ego and of each car.
KINDS, RELEASE_S, EGO_ALONG, PACE = range(4)
HEAD = 4

_along_at_start = jit(inner=True)(along_at_start)
_slip_of = jit(inner=True)(slip_of)


def commitment_numbers(env: Any) -> list[float]:
    """The numbers of a SingleDecisionWorld."""
    numbers = [
        env.latent_classes(),
        env.decision_time_s(),
        env.ego_start()[1],
        env.config["approach_speed"],
    ]
    for car in env.cars():
        numbers.append(car.at_m)
        numbers += [each for window in car.arrival_s for each in window]
        numbers += [each for window in car.speed for each in window]
    return [float(each) for each in numbers]


def commitment_places(env: Any, rows: dict[Any, int]) -> list[int]:
    """The lanes of the ego and the cars."""
    return [rows[env.ego_start()[0]], *(rows[car.lane] for car in env.cars())]


@jit(inner=True)
def reset_commitment(one: OneWorld, template: Template) -> int:
    """`SingleDecisionWorld._reset`; returns the kind of scene."""
    numbers, places = template.numbers, template.places
    kinds = int(numbers[KINDS])
    kind = random.integers(one.stream, kinds)
    one.world[0].ego = place_on_lane(
        one, template, EGO, int(places[0]), numbers[EGO_ALONG], numbers[PACE]
    )
    for car in range(1, places.shape[0]):
        at = HEAD + (1 + 4 * kinds) * (car - 1)
        window = at + 1 + 2 * kind
        arrival = random.uniform(one.stream, numbers[window], numbers[window + 1])
        window += 2 * kinds
        speed = random.uniform(one.stream, numbers[window], numbers[window + 1])
        start = _along_at_start(numbers[at], speed, arrival, numbers[RELEASE_S])
        it = one.actors[place_on_lane(one, template, car, int(places[car]), start, speed)]
        if it.steering != 0.0:  # its prototype steers along a circle
            it.heading -= _slip_of(it.steering)
            it.cos_heading, it.sin_heading = math.cos(it.heading), math.sin(it.heading)
    return kind
