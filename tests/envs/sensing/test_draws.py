"""The counter-based random numbers: the published function, the right laws, no cross-talk."""

import numpy as np
import pytest
from scipy import stats

from drivemem_envs.sensing import draws


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [  # published test vectors of Threefry-2x32, 20 rounds (Random123)
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_words_are_threefry(key, counter, words):
    assert draws.random_words(key, counter) == words
    assert draws.random_words.py_func(key, counter) == words


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63 - 1, -(2**63)])
def test_compiled_and_plain_draw_the_same(seed):
    for decision, actor in [(0, 0), (7, 3), (10**6, 200)]:
        arguments = (np.int64(seed), np.int64(decision), np.int64(actor), draws.NOISE_SPEED)
        assert draws.uniform(*arguments) == draws.uniform.py_func(*arguments)
        assert draws.normal_pair(*arguments) == draws.normal_pair.py_func(*arguments)


def test_uniform_is_uniform_over_seeds_decisions_and_actors():
    over_seeds = [draws.uniform(s, 0, 0, 0) for s in range(5000)]
    over_decisions = [draws.uniform(1, k, 0, 0) for k in range(5000)]
    over_actors = [draws.uniform(1, 0, a, 0) for a in range(5000)]
    for sample in (over_seeds, over_decisions, over_actors):
        assert stats.kstest(sample, "uniform").pvalue > 1e-3
    correlations = np.corrcoef([over_seeds, over_decisions, over_actors])
    assert np.abs(correlations - np.eye(3)).max() < 0.06


def test_normal_is_normal_and_its_two_numbers_are_independent():
    pairs = np.array([draws.normal_pair(5, k, 1, draws.NOISE_POSITION) for k in range(5000)])
    assert stats.kstest(pairs[:, 0], "norm").pvalue > 1e-3
    assert stats.kstest(pairs[:, 1], "norm").pvalue > 1e-3
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.06
    assert abs(np.corrcoef(pairs[1:, 0], pairs[:-1, 0])[0, 1]) < 0.06


def test_channels_and_actors_never_share_a_number():
    drawn = {
        draws.uniform(3, k, a, channel)
        for k in range(20)
        for a in range(20)
        for channel in (draws.DROPOUT, draws.BLACKOUT, draws.NOISE_POSITION, draws.NOISE_SPEED)
    }
    assert len(drawn) == 20 * 20 * 4
