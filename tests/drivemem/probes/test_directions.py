"""A probe's directions: the least change does what it says, the control nothing."""

from __future__ import annotations

import numpy as np
import pytest

from drivemem.probes.directions import Directions
from drivemem.probes.linear import fitted_probe
from drivemem.probes.targets import Target

HAND = Directions(
    mean=np.array([1.0, 0.0, 5.0]), scale=np.array([2.0, 0.5, 1.0]),
    weights=np.array([[3.0, 4.0, 0.0]]), bias=np.array([1.0]),
    varies=np.array([True, True, True]),
)  # fmt: skip


def test_outputs_and_the_least_change_by_hand() -> None:
    state = np.array([[3.0, 0.5, 7.0]])  # z = (1, 1, 2), o = 3 + 4 + 1
    np.testing.assert_allclose(HAND.outputs(state), [[8.0]])
    change = HAND.least_change(state, np.array([[18.0]]))
    np.testing.assert_allclose(change, [[10 * 3 / 25, 10 * 4 / 25, 0.0]])  # 10 w / |w|²
    np.testing.assert_allclose(HAND.in_inputs(change), [[2.4, 0.8, 0.0]])
    np.testing.assert_allclose(HAND.outputs(state + HAND.in_inputs(change)), [[18.0]])


def test_the_control_is_as_large_and_not_read() -> None:
    change = np.array([[3.0, 4.0, 0.0], [0.6, 0.8, 0.0]])
    control = HAND.elsewhere(change, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(control, axis=1), [5.0, 1.0])
    np.testing.assert_allclose(control @ HAND.weights.T, 0.0, atol=1e-12)


def test_the_control_leaves_alone_what_never_varies_and_needs_room() -> None:
    still = Directions(HAND.mean, HAND.scale, HAND.weights, HAND.bias, HAND.weights[0] > 0)
    control = still.elsewhere(np.ones((4, 3)), np.random.default_rng(0))
    assert not control[:, 2].any()
    cramped = Directions(HAND.mean, HAND.scale, np.eye(3), np.zeros(3), HAND.varies)
    with pytest.raises(ValueError, match="leave no direction beside the probe's 3"):
        cramped.elsewhere(np.ones((1, 3)), np.random.default_rng(0))


@pytest.mark.parametrize("kinds", [2, 3])
def test_a_fitted_probe_reads_what_it_was_made_to(kinds: int) -> None:
    rng = np.random.default_rng(0)
    episode = np.arange(600) // 6
    own = rng.integers(kinds, size=100)[episode]
    states = rng.standard_normal((600, 5)) * [1, 10, 1, 0.1, 0] + [0, 3, 0, 0, 9]
    states = (states + 4 * np.eye(5)[own] * [1, 10, 1, 0, 0]).astype(np.float32)
    probe = fitted_probe(states, Target("k", True, own.astype(float), np.ones(600)), episode)
    directions = Directions.of_probe(probe)
    assert (probe.predict(states) == own).mean() > 0.9
    aims = np.stack([directions.outputs(states[own == kind]).mean(axis=0) for kind in range(kinds)])
    wanted = (own + 1) % kinds
    change = directions.least_change(states, aims[wanted])
    edited = states + directions.in_inputs(change)
    np.testing.assert_allclose(directions.outputs(edited), aims[wanted], atol=1e-6)
    np.testing.assert_array_equal(probe.predict(edited), wanted)
    assert not change[:, 4].any(), "what never varies says nothing"
    control = directions.elsewhere(change, rng)
    np.testing.assert_allclose(
        directions.outputs(states + directions.in_inputs(control)), directions.outputs(states),
        atol=1e-6,
    )  # fmt: skip
