"""The kernels' random numbers equal NumPy's, draw by draw."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivemem_envs.compiled import random

SEEDS = [0, 1, 2, 42, 2**31, 2**32 - 1, 2**32, 2**40 + 17, 2**63 - 1]


def seeded(seed):
    stream = np.zeros(random.STREAM, dtype=np.int64)
    random.seed_stream(stream, seed)
    return stream, np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


@pytest.mark.parametrize("seed", SEEDS)
def test_seeding_is_numpys(seed):
    stream, generator = seeded(seed)
    np.testing.assert_array_equal(stream, random.copy_stream(generator))
    plain = np.zeros(random.STREAM, dtype=np.int64)
    random.seed_stream.py_func(plain, seed)
    np.testing.assert_array_equal(stream, plain)


DRAWS = {
    "random": (random.random, lambda g: g.random()),
    "uniform": (lambda s: random.uniform(s, -5.0, 5.0), lambda g: g.uniform(-5.0, 5.0)),
    "normal": (random.normal, lambda g: g.normal()),
    "integers2": (lambda s: random.integers(s, 2), lambda g: int(g.integers(2))),
    "integers3": (lambda s: random.integers(s, 3), lambda g: int(g.integers(0, 3))),
    "integers1": (lambda s: random.integers(s, 1), lambda g: int(g.integers(1))),
    "choice": (lambda s: random.integers(s, 3), lambda g: ["a", "b", "c"].index(g.choice(list("abc")))),  # noqa: E501
    "choice_count": (lambda s: random.integers(s, 4), lambda g: int(g.choice(4))),
    "two_of": (lambda s: random.two_of(s, 4), lambda g: tuple(g.choice(range(4), size=2, replace=False).tolist())),  # noqa: E501
    "weighted": (
        lambda s: random.weighted(s, np.cumsum(np.arange(6) / 15) / np.cumsum(np.arange(6) / 15)[-1]),  # noqa: E501
        lambda g: int(g.choice(np.arange(6), size=1, p=np.arange(6) / np.arange(6).sum())[0]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
def test_each_draw_is_numpys(name):
    ours, numpys = DRAWS[name]
    stream, generator = seeded(7)
    assert [ours(stream) for _ in range(3000)] == [numpys(generator) for _ in range(3000)]


def test_the_tail_of_the_normal_law_is_numpys():
    stream, generator = seeded(3)
    ours = np.array([random.normal(stream) for _ in range(60000)])
    np.testing.assert_array_equal(ours, generator.normal(size=60000))
    assert np.abs(ours).max() > random._TAIL


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1), names=st.lists(st.sampled_from(sorted(DRAWS)), max_size=40)
)  # fmt: skip
def test_any_sequence_of_draws_is_numpys(seed, names):
    stream, generator = seeded(seed)
    for name in names:
        ours, numpys = DRAWS[name]
        assert ours(stream) == numpys(generator)
    np.testing.assert_array_equal(stream[:8], random.copy_stream(generator)[:8])


@pytest.mark.parametrize("seed", [*SEEDS, 2**63 + 5, 2**64 - 1])
@pytest.mark.parametrize("size", [0, 1, 2, 9, 14, 49])
def test_a_permutation_is_numpys_for_any_sensor_seed(seed, size):
    stream, out = np.zeros(random.STREAM, dtype=np.int64), np.zeros(size, dtype=np.int64)
    random.seed_stream(stream, np.uint64(seed).astype(np.int64))
    random.permutation(stream, out)
    expected = np.random.Generator(np.random.PCG64(seed)).permutation(size)
    np.testing.assert_array_equal(out, expected)


def test_plain_python_draws_the_same():
    compiled, _ = seeded(5)
    plain = compiled.copy()
    for name in ("random", "normal"):
        kernel = getattr(random, name)
        for _ in range(300):
            assert kernel(compiled) == kernel.py_func(plain)
    np.testing.assert_array_equal(compiled, plain)


def test_the_sensor_seed_is_the_low_half_of_the_state():
    for seed in SEEDS:
        stream, generator = seeded(seed)
        low = generator.bit_generator.state["state"]["state"] % 2**64
        assert random.sensor_seed(stream) % 2**64 == low
        assert -(2**63) <= random.sensor_seed(stream) < 2**63


def test_other_generators_are_refused():
    with pytest.raises(ValueError, match="the generator is MT19937"):
        random.copy_stream(np.random.Generator(np.random.MT19937(0)))
