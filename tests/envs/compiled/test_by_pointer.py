"""Kernels that are given a named tuple by address see and change the same arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drivemem_envs._jit import jit
from drivemem_envs.compiled.by_pointer import by_pointer


class Pair(NamedTuple):
    """Arrays of two kinds."""

    left: np.ndarray
    right: np.ndarray


@jit
def add(pair: Pair, value: float) -> float:
    """Write to one array, read the other."""
    pair.left[0] += value
    return pair.left[0] + pair.right[1, 0]


@jit
def twice(pair: Pair, value: float) -> float:
    """Call with the address in a loop, as kernels do with worlds."""
    total = 0.0
    for row in range(2):
        one = by_pointer(Pair(pair.left[row : row + 1], pair.right))
        total += add(one, value)
    return total


def test_values_go_to_the_arrays_pointed_to():
    pair = Pair(np.array([1.0, 2.0]), np.array([[10], [20]], dtype=np.int16))
    assert twice(pair, 0.5) == (1.5 + 20) + (2.5 + 20)
    np.testing.assert_array_equal(pair.left, [1.5, 2.5])
    np.testing.assert_array_equal(pair.right, [[10], [20]])
