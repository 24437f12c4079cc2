"""Statistics against hand computation, SciPy, published numbers and simulated coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from drivemem.statistics import (
    MIN_RUNS,
    Interval,
    bootstrap,
    bootstrap_function,
    holm,
    interquartile_mean,
    mcnemar,
    mean,
    paired_difference,
    performance_profile,
    probability_of_improvement,
    sign_flip,
    verdict,
    wilson,
)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


# Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
     (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_wilson_has_the_published_limits(
    successes: int, trials: int, low: float, high: float
) -> None:
    interval = wilson(successes, trials)
    assert interval.estimate == successes / trials
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 5)])
def test_wilson_refuses_what_is_no_rate(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match=f"{successes} of {trials}"):
        wilson(successes, trials)


def test_interquartile_mean_is_the_mean_of_the_middle_half() -> None:
    scores = np.array([[100.0, 1, 2, 3, 4, 5, 6, -50.0], [0.0, 0, 1, 1, 1, 1, 9, 9]])
    assert interquartile_mean(scores).tolist() == [3.5, 1.0]  # (2+3+4+5)/4, (1+1+1+1)/4


def test_bootstrap_of_two_runs_spans_them(generator: np.random.Generator) -> None:
    # The resampled mean is 0.2, 0.5 or 0.8 with probability 1/4, 1/2, 1/4.
    assert bootstrap([[0.2, 0.8]], generator) == pytest.approx((0.5, 0.2, 0.8))


@pytest.mark.parametrize("statistic", [mean, interquartile_mean])
def test_bootstrap_agrees_with_scipys(statistic: object, generator: np.random.Generator) -> None:
    scores = generator.normal(size=12)
    mine = bootstrap([scores], generator, statistic, repetitions=5_000)  # type: ignore[arg-type]
    theirs = stats.bootstrap(
        (scores,), statistic, n_resamples=5_000, method="percentile", axis=-1, rng=generator
    ).confidence_interval
    assert mine.low == pytest.approx(theirs.low, abs=0.06)
    assert mine.high == pytest.approx(theirs.high, abs=0.06)


def test_bootstrap_resamples_within_strata(generator: np.random.Generator) -> None:
    apart = bootstrap([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]], generator)
    assert apart == (0.5, 0.5, 0.5)
    pooled = bootstrap([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]], generator)
    assert pooled.low < 0.5 < pooled.high


def test_bootstrap_of_one_run_knows_nothing_of_others(generator: np.random.Generator) -> None:
    assert bootstrap([[0.7]], generator) == (0.7, -math.inf, math.inf)
    assert bootstrap_function([[0.7], [0.2]], generator, lambda a, b: a - b).high == math.inf


def test_bootstrap_depends_on_its_generator_alone() -> None:
    scores = [[0.1, 0.4, 0.5, 0.9, 0.3]]
    np.random.seed(0)
    before = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]
    first = bootstrap(scores, np.random.default_rng(3))
    assert first == bootstrap(scores, np.random.default_rng(3))
    assert first != bootstrap(scores, np.random.default_rng(4))
    assert np.array_equal(np.random.get_state()[1], before)  # type: ignore[index,arg-type]


@pytest.mark.parametrize("strata", [[], [[]], [[0.5], []], [[[0.5, 0.6]]]])
def test_bootstrap_refuses_what_are_no_runs(
    strata: list[object], generator: np.random.Generator
) -> None:
    with pytest.raises(ValueError, match="one-dimensional, not empty"):
        bootstrap(strata, generator)  # type: ignore[arg-type]


def test_bootstrap_function_of_constant_groups_is_the_function(
    generator: np.random.Generator,
) -> None:
    gap = bootstrap_function(
        [[0.8, 0.8], [1.0, 1.0, 1.0], [0.4, 0.4]], generator, lambda x, a, b: (x - b) / (a - b)
    )
    assert gap == pytest.approx((2 / 3, 2 / 3, 2 / 3))


def test_bootstrap_function_without_a_finite_value_is_unbounded(
    generator: np.random.Generator,
) -> None:
    with np.errstate(divide="ignore"):
        interval = bootstrap_function([[0.0, 0.0]], generator, lambda a: 1.0 / a)
    assert (interval.low, interval.high) == (-math.inf, math.inf)


def coverage(runs: int, trials: int, generator: np.random.Generator) -> float:
    """How often the 95 % interval of runs that are normal around 0 holds 0."""
    held = 0
    for _ in range(trials):
        interval = bootstrap([generator.normal(size=runs)], generator, repetitions=400)
        held += interval.low <= 0.0 <= interval.high
    return held / trials


def test_intervals_of_twenty_runs_cover(generator: np.random.Generator) -> None:
    assert 0.89 < coverage(20, 1000, generator) < 0.97


def test_intervals_of_few_runs_are_too_narrow_which_is_why_they_claim_nothing(
    generator: np.random.Generator,
) -> None:
    assert coverage(3, 1000, generator) < 0.85


def test_interval_of_the_difference_covers_and_is_narrower_when_paired(
    generator: np.random.Generator,
) -> None:
    held, paired, unpaired = 0, 0.0, 0.0
    for _ in range(50):
        ease = generator.choice([0.05, 0.95], size=60)  # episodes differ much, alike for everyone
        a, b = ((generator.uniform(size=(8, 60)) < ease).astype(float) for _ in range(2))
        interval = paired_difference(a, b, generator, repetitions=150)
        other = paired_difference(a, b[:, generator.permutation(60)], generator, repetitions=150)
        held += interval.low <= 0.0 <= interval.high
        paired += interval.high - interval.low
        unpaired += other.high - other.low
    assert held >= 44
    assert paired < 0.5 * unpaired


def test_paired_difference_by_hand(generator: np.random.Generator) -> None:
    a, b = np.array([[1.0, 1, 1, 0]]), np.array([[0.0, 1, 0, 0]])
    interval = paired_difference(a, b, generator)
    assert interval.estimate == 0.5
    assert (interval.low, interval.high) == (0.0, 1.0)  # of 4 draws from {0, 0, 1, 1}
    assert paired_difference(a, a, generator) == (0.0, 0.0, 0.0)


def test_paired_difference_needs_the_same_episodes(generator: np.random.Generator) -> None:
    with pytest.raises(ValueError, match=r"3 and 2 episodes: pair the same ones"):
        paired_difference(np.ones((2, 3)), np.ones((2, 2)), generator)


def test_probability_of_improvement_is_mann_whitneys_u(generator: np.random.Generator) -> None:
    assert probability_of_improvement([1, 2, 3], [2, 2, 0]) == pytest.approx(6 / 9)
    a, b = generator.integers(10, size=9), generator.integers(10, size=7)
    u = stats.mannwhitneyu(a, b).statistic
    assert probability_of_improvement(a, b) == pytest.approx(u / 63)


def test_performance_profile_by_hand() -> None:
    shares = performance_profile([0.2, 0.5, 0.5, 0.9], [0.0, 0.2, 0.5, 0.8, 0.9])
    assert shares.tolist() == [1.0, 0.75, 0.25, 0.25, 0.0]


# Darwin's maize, crossed minus self-fertilised (1/8 inch), from Fisher, "The design of
# experiments", 1935, section 21: 863 of the 2^15 sums are as large as the one observed.
MAIZE = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)


def test_sign_flip_has_fishers_p_value(generator: np.random.Generator) -> None:
    p = sign_flip(MAIZE, generator, repetitions=100_000)
    assert p == pytest.approx(2 * 863 / 2**15, abs=0.003)


def test_sign_flip_of_few_differences_is_exact(generator: np.random.Generator) -> None:
    assert sign_flip([1, 2, 3], generator) == 2 / 8
    assert sign_flip([0.0, 0.0], generator) == 1.0
    differences = np.array([0.3, -0.1, 0.5, 0.2, -0.4, 0.9, 0.05, 0.6])
    exact = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(differences, generator) == pytest.approx(exact.pvalue)


def test_sign_flip_of_nothing_is_refused(generator: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="no differences"):
        sign_flip([], generator)


def test_sign_flip_is_never_zero(generator: np.random.Generator) -> None:
    assert sign_flip(np.ones(40), generator, repetitions=999) == 1 / 1000


def test_mcnemar_by_hand() -> None:
    a = [1] * 9 + [0] * 1 + [1] * 30 + [0] * 5
    b = [0] * 9 + [1] * 1 + [1] * 30 + [0] * 5
    assert mcnemar(a, b) == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(a, b) == mcnemar(b, a)
    assert mcnemar(a, a) == 1.0


def test_holm_has_the_values_of_rs_p_adjust() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("runs", range(1, MIN_RUNS))
@pytest.mark.parametrize("limits", [(0.2, 0.4), (-0.4, -0.2), (-0.1, 0.1), (-math.inf, math.inf)])
def test_too_few_runs_are_never_called_significant(
    runs: int, limits: tuple[float, float]
) -> None:
    words = verdict(Interval(0.3, *limits), runs)
    assert "significant" not in words
    assert f"{runs} run" in words and f"at least {MIN_RUNS}" in words


def test_verdict_of_enough_runs_follows_the_interval() -> None:
    assert "significantly better" in verdict(Interval(0.3, 0.1, 0.5), MIN_RUNS)
    assert "significantly worse" in verdict(Interval(-0.3, -0.5, -0.1), MIN_RUNS)
    for interval in (Interval(0.1, -0.1, 0.3), Interval(0.0, 0.0, 0.0)):
        assert "no difference shown" in verdict(interval, MIN_RUNS)
