"""Names of an observation's numbers, in the order in which traces flatten them."""

from __future__ import annotations

from itertools import product
from typing import Any

from gymnasium import spaces

from drivemem_envs import Scenario


def feature_names(space: spaces.Space[Any], scenario: Scenario) -> list[str]:
    """A name for each number of a flattened observation.

    Rows of vehicles are named by place and feature, such as `ego x` and `car 2 vy`; other parts by
    their indices.

    Args:
        space: of one world's observation.
        scenario: says which features rows have.
    """
    if not isinstance(space, spaces.Dict):
        return _indexed("observation", space.shape or ())
    names: list[str] = []
    for key in sorted(space.spaces):
        shape = space.spaces[key].shape or ()
        if key == "vehicles" and len(shape) == 2:
            rows = ["ego", *(f"car {place}" for place in range(1, shape[0]))]
            names += [f"{row} {name}" for row in rows for name in scenario.observation.features]
        else:
            names += _indexed(key, shape)
    return names


def _indexed(name: str, shape: tuple[int, ...]) -> list[str]:
    places = product(*(range(size) for size in shape))
    return [f"{name}[{','.join(map(str, place))}]" if place else name for place in places]
