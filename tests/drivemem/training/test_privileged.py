"""What the auxiliary loss predicts: places of actors as a list or as a grid, worlds apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import drivemem_envs
from drivemem.training.privileged import privileged_size, privileged_vector
from drivemem.training.vec_env import WorldsVecEnv
from drivemem_envs.names import SUITE

ROWS, COLUMNS = 10, 5


def truth_of(*cars: tuple[float, float], heading: float = 0.0) -> dict[str, Any]:
    """One world: the ego at (100, 20), cars at places relative to it."""
    x, y = np.array([(0.0, 0.0), *cars]).T
    count = len(x)
    return {
        "x": 100.0 + x[None],
        "y": 20.0 + y[None],
        "speed": np.full((1, count), 20.0),
        "heading": np.full((1, count), heading),
        "present": np.ones((1, count), dtype=bool),
    }


def grid_of(truth: dict[str, Any]) -> np.ndarray[Any, Any]:
    vector = privileged_vector(truth, np.zeros((1, 0)), "grid")
    return vector.reshape(ROWS, COLUMNS)


def test_a_car_fills_its_cell_or_is_shared_by_its_neighbours():
    grid = grid_of(truth_of((30.0, 4.0), (55.0, -2.0)))
    expected = np.zeros((ROWS, COLUMNS))
    expected[3, 3] = 1.0
    expected[5:7, 1:3] = 0.25  # halfway between two cells both ways
    np.testing.assert_allclose(grid, expected)


def test_the_ego_and_cars_out_of_the_grid_fill_nothing():
    assert not grid_of(truth_of((100.0, 0.0), (-10.0, 0.0), (30.0, 12.0))).any()


def test_absent_actors_fill_nothing():
    truth = truth_of((30.0, 4.0))
    truth["present"][0, 1] = False
    assert not grid_of(truth).any()
    assert not privileged_vector(truth, np.zeros((1, 0)), "actors").any()


@pytest.mark.parametrize("quarter", range(-4, 5))
def test_the_grid_turns_with_the_ego_by_quarters(quarter):
    """Also with a heading that is a little off, as in a lane change."""
    turn = quarter * math.pi / 2
    ahead, left = 40.0, -4.0
    place = (
        ahead * math.cos(turn) - left * math.sin(turn),
        ahead * math.sin(turn) + left * math.cos(turn),
    )
    straight = grid_of(truth_of((ahead, left)))
    for error in (-0.3, 0.0, 0.3):
        turned = grid_of(truth_of(place, heading=turn + error))
        np.testing.assert_allclose(turned, straight, atol=1e-6)


def test_the_nearest_actors_come_first_in_the_list():
    vector = privileged_vector(truth_of((50.0, 0.0), (-10.0, 4.0)), np.ones((1, 2)), "actors")
    assert vector[0, :2].tolist() == [1.0, 1.0]  # the latent
    np.testing.assert_allclose(vector[0, 2:7], [1.0, -0.1, 0.04, 0.0, 0.0], atol=1e-7)
    np.testing.assert_allclose(vector[0, 7:12], [1.0, 0.5, 0.0, 0.0, 0.0], atol=1e-7)
    assert not vector[0, 12:].any()


def test_actors_kept_kilometers_away_are_not_there():
    """signal-recall puts its light there when it is out; told of it, nothing else is learned."""
    vector = privileged_vector(truth_of((10_000.0, 0.0), (50.0, 0.0)), np.zeros((1, 0)), "actors")
    np.testing.assert_allclose(vector[0, :5], [1.0, 0.5, 0.0, 0.0, 0.0], atol=1e-7)
    assert not vector[0, 5:].any()


@pytest.mark.parametrize("scenario", SUITE)
def test_what_is_told_is_of_the_size_of_one(scenario):
    """An auxiliary loss far larger than the others would swallow their gradients."""
    env = WorldsVecEnv(drivemem_envs.make_vec(scenario, 2))
    env.seed(0)
    env.reset()
    for _ in range(60):
        assert np.abs(env.privileged()).max() < 10.0
        env.step(np.ones(2, dtype=np.int64))
    env.close()


@pytest.mark.parametrize("view", ["actors", "grid"])
@pytest.mark.parametrize("scenario", ["exit-recall", "blackout-highway"])
def test_the_vector_has_the_announced_size_and_is_hidden_state(view, scenario):
    """Worlds with other traffic have other vectors; the size is known before the first reset."""
    worlds = drivemem_envs.make_vec(scenario, 3, backend="reference", num_workers=1)
    env = WorldsVecEnv(worlds, privileged_view=view)
    env.seed(0)
    env.reset()
    vectors = env.privileged()
    assert vectors.shape == (3, env.privileged_dim)
    assert env.privileged_dim == privileged_size(view, worlds.latent().shape[1])
    assert vectors.dtype == np.float32
    assert not np.array_equal(vectors[0], vectors[1])
    env.close()
