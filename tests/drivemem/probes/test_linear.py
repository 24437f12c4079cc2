"""Probes decode what is there, nothing else, and never an episode that they were fitted on."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from drivemem.probes.linear import FOLDS, Score, cross_fitted, probe_targets
from drivemem.probes.targets import Target, hidden_targets, latent_targets, nearest_hidden, to_world

EPISODES, STEPS = 60, 12
EPISODE = np.repeat(np.arange(EPISODES), STEPS)
STEP = np.tile(np.arange(STEPS), EPISODES)
RNG = np.random.default_rng(0)
NOISE = RNG.standard_normal((EPISODES * STEPS, 6)).astype(np.float32)
AGE = STEP * 0.5


def quantity(values: NDArray[np.float64]) -> Target:
    return Target("q", False, values, AGE)


def overall(scores: list[Score], name: str) -> Score:
    return next(s for s in scores if s.input == name and s.age_low_s is None)


def test_a_linear_quantity_is_decoded_and_noise_is_not() -> None:
    values = NOISE @ np.arange(1.0, 7.0) + 3.0
    other = np.random.default_rng(1).standard_normal(NOISE.shape).astype(np.float32)
    scores = probe_targets({"own": NOISE, "other": other}, [quantity(values)], EPISODE).scores
    assert overall(scores, "own").value.low > 0.999
    assert overall(scores, "other").value.estimate < 0.05
    assert overall(scores, "other").value.low < 0.0


def test_r2_is_that_of_the_definition() -> None:
    values = NOISE[:, 0] + 0.5 * RNG.standard_normal(len(NOISE))
    probed = probe_targets({"own": NOISE}, [quantity(values)], EPISODE)
    guess = probed.read["own", "q"].values
    rows = AGE > 0
    error = ((values - guess)[rows] ** 2).sum()
    expected = 1.0 - error / ((values[rows] - values[rows].mean()) ** 2).sum()
    score = overall(probed.scores, "own")
    assert score.value.estimate == pytest.approx(expected)
    assert score.value.low < expected < score.value.high
    assert score.rows == rows.sum() and score.episodes == EPISODES


def test_ages_are_scored_apart() -> None:
    values = np.where(AGE <= 4.0, NOISE[:, 0], RNG.standard_normal(len(NOISE)))
    scores = probe_targets({"own": NOISE}, [quantity(values)], EPISODE).scores
    by_age = {(s.age_low_s, s.age_high_s): s.value.estimate for s in scores}
    assert by_age[0.0, 0.0] > 0.7 and by_age[0.5, 1.0] > 0.7
    assert by_age[4.0, 8.0] < 0.1


def test_an_episode_is_never_decoded_by_a_probe_that_knows_it() -> None:
    """A number of the episode's own: known by heart it would be decoded, across episodes not."""
    own = np.eye(EPISODES, dtype=np.float32)[EPISODE]
    secret = np.random.default_rng(2).standard_normal(EPISODES)[EPISODE]
    score = overall(probe_targets({"own": own}, [quantity(secret)], EPISODE).scores, "own")
    assert score.value.estimate < 0.05


def test_predictions_of_an_episode_do_not_depend_on_its_own_target() -> None:
    values = NOISE[:, 0].astype(np.float64)
    changed = np.where(EPISODE % FOLDS == 0, values + 100.0, values)
    mine = EPISODE % FOLDS == 0
    first, second = (cross_fitted(NOISE, quantity(v), EPISODE).values for v in (values, changed))
    np.testing.assert_array_equal(first[mine], second[mine])


def test_kinds_are_scored_by_balanced_accuracy() -> None:
    kind = (RNG.random(EPISODES) < 0.15).astype(float)[EPISODE]
    told = np.stack([kind, 1 - kind], axis=1).astype(np.float32)
    blind = np.zeros_like(told) + NOISE[:, :2]
    target = Target("k", True, kind, AGE)
    scores = probe_targets({"told": told, "blind": blind}, [target], EPISODE).scores
    assert overall(scores, "told").value == (1.0, 1.0, 1.0)
    blind_score = overall(scores, "blind")
    assert blind_score.chance == 0.5
    assert abs(blind_score.value.estimate - 0.5) < 0.15, "the share of the majority is no skill"


def test_a_number_that_hardly_ever_moves_does_no_harm() -> None:
    values = NOISE[:, 0].astype(np.float64)
    rare = np.where(EPISODE == 7, 1.0, 1e-9 * RNG.standard_normal(len(NOISE)))
    inputs = np.column_stack([NOISE, rare]).astype(np.float32)
    score = overall(probe_targets({"own": inputs}, [quantity(values)], EPISODE).scores, "own")
    assert score.value.low > 0.98


def test_too_little_is_said_not_scored() -> None:
    few = np.where(EPISODE < 5, NOISE[:, 0], np.nan).astype(np.float64)
    constant = np.ones(len(NOISE))
    one_kind = Target("k", True, constant, AGE)
    probed = probe_targets({"own": NOISE}, [quantity(few), quantity(constant), one_kind], EPISODE)
    assert probed.scores == []
    assert "5 episodes" in probed.skipped[0] and "always the same" in probed.skipped[1]
    assert "always the same" in probed.skipped[2]


def test_probing_repeats() -> None:
    first, second = (
        probe_targets({"own": NOISE}, [quantity(NOISE[:, 1].astype(float))], EPISODE).scores
        for _ in range(2)
    )
    assert first == second


def truth() -> dict[str, NDArray[np.generic]]:
    """Two worlds; in the first actors at 10 m (seen), 20 m (hidden), 15 m (hidden, never seen)."""
    shape = (2, 4)
    known = {
        "x": np.array([[5.0, 15.0, 5.0, 20.0], [0.0, 9.0, 0.0, 0.0]]),
        "y": np.array([[1.0, 1.0, 21.0, 1.0], [0.0, 0.0, 0.0, 0.0]]),
        "heading": np.array([[np.pi / 2, 0, 0, 0], [0.0, 0, 0, 0]]),
        "speed": np.array([[9.0, 8.0, 7.0, 6.0], [1.0, 2.0, 3.0, 4.0]]),
        "age_s": np.array([[0.0, 0.0, 1.5, np.inf], [0.0, 0.0, 0.0, 0.0]]),
        "perceived": np.array([[True, True, False, False], [True] * 4]),
        "present": np.ones(shape, bool), "kind": np.zeros(shape, np.int64),
        "id": np.tile(np.array([0, 4, 7, 9]), (2, 1)),
    }  # fmt: skip
    return known


def test_the_nearest_hidden_actor_was_seen_and_is_not() -> None:
    found = nearest_hidden(truth())
    np.testing.assert_array_equal(found.id, [7, -1])
    assert found.age_s[0] == 1.5 and np.isnan(found.age_s[1])
    np.testing.assert_allclose(found.ahead[0], [20.0, 0.0], atol=1e-12)  # the ego looks along y
    assert found.speed[0] == 7.0


def test_positions_come_back_to_the_world() -> None:
    found = nearest_hidden(truth())
    np.testing.assert_allclose(to_world(found.ahead, found.ego)[0], found.world[0])


def test_obstacles_and_far_actors_are_not_asked_for() -> None:
    far, obstacle = truth(), truth()
    far["y"] = far["y"] * 1.0
    far["y"][0, 2] = 100.0
    obstacle["kind"] = np.ones((2, 4), np.int64)
    assert nearest_hidden(far).id[0] == nearest_hidden(obstacle).id[0] == -1


def test_presence_has_an_age_only_where_there_is_one() -> None:
    found = nearest_hidden(truth())
    presence = hidden_targets(found.id, found.age_s, found.ahead, found.speed)[0]
    np.testing.assert_array_equal(presence.values, [1.0, 0.0])
    assert np.isnan(presence.age_s[1])


def test_latents_are_kinds_or_quantities() -> None:
    one_hot = np.eye(3)[[0, 1, 2, 1]]
    (kind,) = latent_targets(one_hot, np.zeros(4))
    np.testing.assert_array_equal(kind.values, [0, 1, 2, 1])
    mixed = np.stack([np.arange(20) % 2, np.linspace(0, 1, 20), np.ones(20)], axis=1)
    first, second = latent_targets(mixed, np.zeros(20))
    assert (first.kinds, second.kinds) == (True, False)
    assert latent_targets(np.zeros((4, 0)), np.zeros(4)) == []


def test_parts_of_a_row_are_kinds_of_their_own() -> None:
    route = np.eye(3)[[[0, 1], [2, 2], [1, 0]]].reshape(3, 6)
    first, second = latent_targets(route, np.zeros(3))
    assert first.kinds and second.kinds and first.name != second.name
    np.testing.assert_array_equal(first.values, [0, 2, 1])
    np.testing.assert_array_equal(second.values, [1, 2, 0])


def test_a_kind_is_not_defined_before_it_is_told() -> None:
    (kind,) = latent_targets(np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), np.zeros(3))
    np.testing.assert_array_equal(kind.values, [np.nan, 1, 0])


@pytest.mark.parametrize(("noise", "least", "most"), [(0.01, 0.95, 1.0), (1.0, 0.4, 0.9)])
def test_a_probe_of_kinds_is_as_sure_as_it_is_right(
    noise: float, least: float, most: float
) -> None:
    kind = (np.arange(EPISODES) // FOLDS % 3.0)[EPISODE]
    told = np.eye(3, dtype=np.float32)[kind.astype(int)] + noise * NOISE[:, :3]
    found = cross_fitted(told, Target("told", True, kind, np.zeros(len(kind))), EPISODE)
    right = (found.values == kind).mean()
    assert least <= right <= most
    assert found.confidence.mean() == pytest.approx(right, abs=0.05)


def test_of_a_quantity_no_probability_is_given() -> None:
    found = cross_fitted(NOISE, quantity(NOISE[:, 0].astype(np.float64)), EPISODE)
    assert np.isnan(found.confidence).all() and np.isfinite(found.values).all()
