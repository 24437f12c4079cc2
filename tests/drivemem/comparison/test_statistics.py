"""Statistics against hand computation, SciPy, published numbers and simulated coverage."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from drivemem.comparison.rows import Call, Difference
from drivemem.comparison.statistics import (
    Interval,
    bootstrap,
    bootstrap_function,
    clipped,
    holm,
    interquartile_mean,
    mcnemar,
    mean,
    paired_difference,
    performance_profile,
    probability_of_improvement,
    rate_interval,
    run_means,
    welch,
    wilson,
)


def runs(*scores: float) -> NDArray[np.float64]:
    """Runs of one episode each, so that the scores are the runs' means."""
    return np.array(scores)[:, None]


def widening(count: int) -> float:
    """How much wider than the percentile interval the interval of few runs must be."""
    student = float(stats.t.ppf(0.975, count - 1) / stats.norm.ppf(0.975))
    return math.sqrt(count / (count - 1)) * student


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


def test_runs_are_averaged_before_anything_else() -> None:
    assert run_means([[1, 0, 0, 1], [1, math.nan, 1]]).tolist() == [0.5, 1.0]
    assert run_means(np.array([[1.0, 0.0], [1.0, 1.0]])).tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("pool", "words"),
    [([0.2, 0.5, 0.9], "episodes are never pooled"), ([], "no runs"),
     ([[0.5], []], "no episode with a defined score"), ([[math.nan]], "no episode")],
)  # fmt: skip
def test_intervals_of_pooled_episodes_cannot_be_asked_for(
    pool: list[object], words: str, generator: np.random.Generator
) -> None:
    for ask in (
        lambda: bootstrap([pool], generator),
        lambda: bootstrap_function([pool, [[1.0]]], generator, lambda a, b: a - b),
        lambda: probability_of_improvement(pool, [[1.0]], generator),
        lambda: performance_profile(pool, [0.5]),
        lambda: welch(pool, [[1.0]]),
    ):
        with pytest.raises(ValueError, match=words):
            ask()


def test_bootstrap_needs_a_stratum(generator: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="no groups of runs"):
        bootstrap([], generator)


def test_bootstrap_of_two_runs_by_hand(generator: np.random.Generator) -> None:
    # The resampled mean is 0.2, 0.5 or 0.8 with probability 1/4, 1/2, 1/4.
    reach = 0.3 * widening(2)
    assert bootstrap([runs(0.2, 0.8)], generator) == pytest.approx((0.5, 0.5 - reach, 0.5 + reach))


@pytest.mark.parametrize("statistic", [mean, interquartile_mean])
def test_bootstrap_is_scipys_stretched_for_few_runs(
    statistic: object, generator: np.random.Generator
) -> None:
    scores = generator.normal(size=12)
    mine = bootstrap([runs(*scores)], generator, statistic, repetitions=5_000)  # type: ignore[arg-type]
    theirs = stats.bootstrap(
        (scores,),
        lambda x, axis: statistic(x),
        n_resamples=5_000,
        vectorized=True,  # type: ignore[operator]
        method="percentile",
        axis=-1,
        rng=generator,
    ).confidence_interval
    centre, factor = mine.estimate, widening(12)
    assert mine.low == pytest.approx(centre - factor * (centre - theirs.low), abs=0.06)
    assert mine.high == pytest.approx(centre + factor * (theirs.high - centre), abs=0.06)


def test_bootstrap_resamples_within_strata(generator: np.random.Generator) -> None:
    apart = bootstrap([runs(0, 0, 0), runs(1, 1, 1)], generator)
    assert apart == (0.5, 0.5, 0.5)
    pooled = bootstrap([runs(0, 0, 0, 1, 1, 1)], generator)
    assert pooled.low < 0.5 < pooled.high


def test_bootstrap_of_one_run_knows_nothing_of_others(generator: np.random.Generator) -> None:
    one = bootstrap([runs(0.7)], generator)
    assert one == (0.7, -math.inf, math.inf) and not one.known
    # Also where only one of several groups has a single run.
    assert not bootstrap([runs(0.7, 0.8), runs(0.2)], generator).known
    gap = bootstrap_function([runs(0.7, 0.8), runs(0.2)], generator, lambda a, b: a - b)
    assert gap.estimate == pytest.approx(0.55) and not gap.known


def test_bootstrap_depends_on_its_generator_alone() -> None:
    scores = [runs(0.1, 0.4, 0.5, 0.9, 0.3)]
    np.random.seed(0)
    before = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]
    first = bootstrap(scores, np.random.default_rng(3))
    assert first == bootstrap(scores, np.random.default_rng(3))
    assert first != bootstrap(scores, np.random.default_rng(4))
    assert np.array_equal(np.random.get_state()[1], before)  # type: ignore[index,arg-type]


def test_bootstrap_function_of_constant_groups_is_the_function(
    generator: np.random.Generator,
) -> None:
    gap = bootstrap_function(
        [runs(0.8, 0.8), runs(1, 1, 1), runs(0.4, 0.4)],
        generator,
        lambda x, a, b: (x - b) / (a - b),
    )
    assert gap == pytest.approx((2 / 3, 2 / 3, 2 / 3))


def test_an_interval_with_undefined_resamples_is_unbounded(
    generator: np.random.Generator,
) -> None:
    # Resampling may take 0 twice: to leave those out would make the interval too narrow.
    with np.errstate(divide="ignore"):
        interval = bootstrap_function([runs(0.0, 1.0)], generator, lambda a: 1.0 / a)
    assert interval == (2.0, -math.inf, math.inf)


def test_clipped_keeps_what_is_not_known() -> None:
    assert clipped(Interval(0.9, 0.7, 1.1), 0, 1) == (0.9, 0.7, 1.0)
    assert not clipped(Interval(0.9, -math.inf, math.inf), 0, 1).known


def covered(intervals: Sequence[Interval], truth: float) -> float:
    return float(np.mean([interval.low <= truth <= interval.high for interval in intervals]))


@pytest.mark.parametrize("count", [2, 3, 5, 10, 20])
def test_intervals_cover_however_few_the_runs(count: int, generator: np.random.Generator) -> None:
    means, middles, differences = [], [], []
    for _ in range(500):
        a, b = generator.normal(size=(count, 1)), generator.normal(1.0, 3.0, size=(count, 1))
        means.append(bootstrap([a], generator, repetitions=400))
        middles.append(bootstrap([a], generator, interquartile_mean, repetitions=400))
        differences.append(
            bootstrap_function([a, b], generator, lambda x, y: x - y, repetitions=400)
        )
    for intervals, truth in ((means, 0.0), (middles, 0.0), (differences, -1.0)):
        assert 0.915 < covered(intervals, truth) <= 0.99


def test_plain_percentile_intervals_of_five_runs_would_not_cover(
    generator: np.random.Generator,
) -> None:
    # Why the intervals are stretched: the published shortfall of the percentile interval.
    held = []
    for _ in range(1000):
        interval = bootstrap([generator.normal(size=(5, 1))], generator, repetitions=400)
        reach = (interval.high - interval.estimate, interval.estimate - interval.low)
        plain = (reach[0] / widening(5), reach[1] / widening(5))
        held.append(-plain[0] <= interval.estimate <= plain[1])
    assert np.mean(held) < 0.88


def test_equal_agents_are_rarely_called_different(generator: np.random.Generator) -> None:
    """Two agents of the same worth, five runs each, episodes of very different difficulty."""
    calls = 0
    for _ in range(200):
        episodes = 0.8 * generator.normal(size=(1, 100))
        worth = stats.norm.cdf(0.3 + 0.3 * generator.normal(size=(10, 1)) + episodes)
        scores = (generator.uniform(size=(10, 100)) < worth).astype(float)
        a, b = scores[:5], scores[5:]
        interval = paired_difference(a, b, generator, repetitions=200)
        p = welch(a, b)
        found = Difference(interval.estimate, interval, p, 5, single=False, adjusted=p)
        calls += found.call in (Call.BETTER, Call.WORSE)
    assert calls <= 16  # 5 % would be 10


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
    # The resampled difference, of 4 draws from {0, 0, 1, 1}, is between 0 and 1.
    reach = 0.5 * widening(4)
    assert (interval.low, interval.high) == pytest.approx((0.5 - reach, 0.5 + reach))
    assert paired_difference(a, a, generator) == (0.0, 0.0, 0.0)


def test_paired_difference_needs_the_same_episodes(generator: np.random.Generator) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 2\): pair the same ones"):
        paired_difference(np.ones((2, 3)), np.ones((2, 2)), generator)


def test_the_same_runs_pair_closer_than_other_runs(generator: np.random.Generator) -> None:
    worth = generator.uniform(0.2, 0.9, size=(6, 1))
    intact = np.tile(worth, (1, 50))
    cut = intact - 0.1 + 0.01 * generator.normal(size=(6, 50))
    same = paired_difference(intact, cut, generator, same_runs=True)
    other = paired_difference(intact, cut, generator)
    assert same.estimate == pytest.approx(0.1, abs=0.01)
    assert same.low > 0.08 > other.low
    with pytest.raises(ValueError, match="pair the same ones"):
        paired_difference(intact, cut[:5], generator, same_runs=True)


def test_paired_difference_in_parts_is_the_same_kind_of_interval() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.uniform(size=(2, 4, 3000))
    many = paired_difference(a, b, np.random.default_rng(1), repetitions=6_000)
    few = paired_difference(a, b, np.random.default_rng(2), repetitions=1_000)
    assert many.low == pytest.approx(few.low, abs=0.004)
    assert many.high == pytest.approx(few.high, abs=0.004)


def test_probability_of_improvement_is_mann_whitneys_u(generator: np.random.Generator) -> None:
    found = probability_of_improvement(runs(1, 2, 3), runs(2, 2, 0), generator)
    assert found.estimate == pytest.approx(6 / 9)
    assert 0.0 <= found.low < found.estimate < found.high <= 1.0
    a, b = generator.integers(10, size=9), generator.integers(10, size=7)
    u = stats.mannwhitneyu(a, b).statistic
    found = probability_of_improvement(runs(*a), runs(*b), generator)
    assert found.estimate == pytest.approx(u / 63)
    assert not probability_of_improvement(runs(1), runs(0, 0), generator).known


def test_performance_profile_by_hand() -> None:
    shares = performance_profile(runs(0.2, 0.5, 0.5, 0.9), [0.0, 0.2, 0.5, 0.8, 0.9])
    assert shares.tolist() == [1.0, 0.75, 0.25, 0.25, 0.0]


def test_welch_is_scipys_over_the_means_of_runs(generator: np.random.Generator) -> None:
    a, b = generator.uniform(size=(5, 40)), generator.uniform(size=(7, 40))
    p = stats.ttest_ind(a.mean(1), b.mean(1), equal_var=False).pvalue
    assert welch(a, b) == pytest.approx(p)
    # A reference driver is not trained: its score is one fixed number.
    fixed = np.full((1, 40), 0.45)
    assert welch(a, fixed) == pytest.approx(stats.ttest_1samp(a.mean(1), 0.45).pvalue)
    assert welch(fixed, a) == welch(a, fixed)
    assert math.isnan(welch(runs(0.1), runs(0.2)))
    assert welch(runs(1, 1), runs(1, 1)) == 1.0
    assert welch(runs(1, 1), runs(0, 0)) == 0.0


def test_mcnemar_by_hand() -> None:
    a = [1] * 9 + [0] * 1 + [1] * 30 + [0] * 5
    b = [0] * 9 + [1] * 1 + [1] * 30 + [0] * 5
    assert mcnemar(a, b) == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(a, b) == mcnemar(b, a)
    assert mcnemar(a, a) == 1.0


def test_holm_has_the_values_of_rs_p_adjust() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]).tolist() == [1.0, 1.0]


def test_runs_that_tie_have_wilsons_interval_over_one_runs_episodes(
    generator: np.random.Generator,
) -> None:
    tied = [[1.0] * 100] * 5
    assert rate_interval([tied], generator) == wilson(100, 100)
    both = rate_interval([tied, [[0.0] * 100] * 5], generator)
    assert both.estimate == 0.5
    assert (both.low, both.high) == pytest.approx(
        ((wilson(100, 100).low + 0.0) / 2, (1.0 + wilson(0, 100).high) / 2)
    )
    spread = [[1.0] * 100, [1.0] * 99 + [0.0], [1.0] * 98 + [0.0] * 2]
    found = rate_interval([spread], np.random.default_rng(0))
    plain = clipped(bootstrap([spread], np.random.default_rng(0)), 0.0, 1.0)
    assert found == plain and found.high > found.low
