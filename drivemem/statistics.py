"""Statistics of comparisons: the training run is the unit of replication.

Nothing here takes episodes of several runs in one pool: average inside a run first, then give
the runs' means. SciPy supplies the tests that it has; every function takes its own generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""Maps samples (..., n) to values (...)."""

MIN_RUNS = 5
"""Fewer runs than this and no output says "significant" (Colas et al. 2018)."""
REPETITIONS = 10_000


class Interval(NamedTuple):
    """An estimate with a confidence interval."""

    estimate: float
    low: float
    high: float


def mean(samples: Floats) -> Floats:
    """Mean over the last axis."""
    return np.asarray(samples.mean(axis=-1))


def interquartile_mean(samples: Floats) -> Floats:
    """Mean of the middle half over the last axis (Agarwal et al. 2021)."""
    return np.asarray(stats.trim_mean(samples, 0.25, axis=-1))


def bootstrap(
    strata: Sequence[ArrayLike],
    generator: np.random.Generator,
    statistic: Statistic = mean,
    confidence: float = 0.95,
    repetitions: int = REPETITIONS,
) -> Interval:
    """Percentile interval by resampling runs within each stratum (scenario).

    Args:
        strata: for each scenario the runs' scores (n,).
        generator: source of the resampling.
        statistic: of all scores together.
        confidence: of the interval.
        repetitions: resamples.

    Returns:
        The statistic of the data and its interval; with a single run in every stratum the
        interval is infinite, because nothing is known of other runs.
    """
    samples = [np.asarray(stratum, dtype=np.float64) for stratum in strata]
    _check(samples)
    estimate = float(statistic(np.concatenate(samples)))
    if all(len(sample) == 1 for sample in samples):
        return Interval(estimate, -math.inf, math.inf)
    drawn = [
        sample[generator.integers(len(sample), size=(repetitions, len(sample)))]
        for sample in samples
    ]
    return _percentiles(estimate, statistic(np.concatenate(drawn, axis=1)), confidence)


def bootstrap_function(
    groups: Sequence[ArrayLike],
    generator: np.random.Generator,
    function: Callable[..., Floats],
    confidence: float = 0.95,
    repetitions: int = REPETITIONS,
) -> Interval:
    """Interval of a function of several groups' mean scores, runs resampled in each on its own.

    Args:
        groups: the runs' scores (n_i,) of each group.
        generator: source of the resampling.
        function: takes one array of means for each group.
        confidence: of the interval.
        repetitions: resamples.
    """
    samples = [np.asarray(group, dtype=np.float64) for group in groups]
    _check(samples)
    estimate = float(function(*(np.array(sample.mean()) for sample in samples)))
    if all(len(sample) == 1 for sample in samples):
        return Interval(estimate, -math.inf, math.inf)
    means = [
        sample[generator.integers(len(sample), size=(repetitions, len(sample)))].mean(axis=1)
        for sample in samples
    ]
    return _percentiles(estimate, function(*means), confidence)


def wilson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Wilson's interval of a rate within one run (Wilson 1927)."""
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no rate")
    result = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return Interval(successes / trials, float(result.low), float(result.high))


def probability_of_improvement(a: ArrayLike, b: ArrayLike) -> float:
    """Share of pairs of runs in which a's is better than b's, ties counting half."""
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    difference = x[:, None] - y[None]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def performance_profile(scores: ArrayLike, thresholds: ArrayLike) -> Floats:
    """Share of runs with a score above each threshold (Dolan and More 2002)."""
    x, levels = np.asarray(scores, dtype=np.float64), np.asarray(thresholds, dtype=np.float64)
    return np.asarray((x[:, None] > levels[None]).mean(axis=0))


def sign_flip(
    differences: ArrayLike, generator: np.random.Generator, repetitions: int = REPETITIONS
) -> float:
    """Two-sided p of paired differences under random signs (one per episode seed or run).

    Exact for at most 12 differences, else by `repetitions` random flips.
    """
    d = np.asarray(differences, dtype=np.float64)
    if len(d) == 0:
        raise ValueError("no differences to test")
    if len(d) <= 12:
        bits = np.arange(2 ** len(d))[:, None] >> np.arange(len(d)) & 1
        signs = 1.0 - 2.0 * bits
        extra = 0
    else:
        signs = generator.choice([-1.0, 1.0], size=(repetitions, len(d)))
        extra = 1
    flipped = np.abs((signs * d).mean(axis=1))
    least = abs(d.mean()) - 1e-12
    return float((np.sum(flipped >= least) + extra) / (len(flipped) + extra))


def mcnemar(a: ArrayLike, b: ArrayLike) -> float:
    """Exact McNemar test of two single policies on the same episodes: two-sided p."""
    x, y = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    only_a, only_b = int(np.sum(x & ~y)), int(np.sum(y & ~x))
    if only_a + only_b == 0:
        return 1.0
    return float(stats.binomtest(only_a, only_a + only_b, 0.5).pvalue)


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    generator: np.random.Generator,
    confidence: float = 0.95,
    repetitions: int = 2_000,
) -> Interval:
    """Two-level bootstrap of a difference on common episodes.

    Runs are resampled for each side on its own, episode seeds jointly for both.

    Args:
        a: (n_a, E) scores of runs on the same E episodes.
        b: (n_b, E).
        generator: source of the resampling.
        confidence: of the interval.
        repetitions: resamples.
    """
    x, y = np.atleast_2d(np.asarray(a, float)), np.atleast_2d(np.asarray(b, float))
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"{x.shape[1]} and {y.shape[1]} episodes: pair the same ones")
    episodes = x.shape[1]
    drawn = np.empty(repetitions)
    for k in range(repetitions):
        weights = np.bincount(generator.integers(episodes, size=episodes), minlength=episodes)
        first = x[generator.integers(len(x), size=len(x))].mean(axis=0)
        second = y[generator.integers(len(y), size=len(y))].mean(axis=0)
        drawn[k] = (first - second) @ weights / episodes
    return _percentiles(float(x.mean() - y.mean()), drawn, confidence)


def holm(p_values: ArrayLike) -> Floats:
    """Holm's adjusted p-values (Holm 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    scaled = p[order] * (len(p) - np.arange(len(p)))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def verdict(interval: Interval, runs: int) -> str:
    """What an interval of a difference allows to say in words."""
    if runs < MIN_RUNS:
        return f"{runs} runs: too few to call (at least {MIN_RUNS})"
    if interval.low > 0:
        return "significantly better (95 % interval above 0)"
    if interval.high < 0:
        return "significantly worse (95 % interval below 0)"
    return "no difference shown (95 % interval holds 0)"


def _percentiles(estimate: float, drawn: Floats, confidence: float) -> Interval:
    tail = (1.0 - confidence) / 2.0
    finite = drawn[np.isfinite(drawn)]
    if not len(finite):
        return Interval(estimate, -math.inf, math.inf)
    low, high = np.quantile(finite, [tail, 1.0 - tail])
    return Interval(estimate, float(low), float(high))


def _check(samples: Sequence[Floats]) -> None:
    if not samples or any(sample.ndim != 1 or len(sample) == 0 for sample in samples):
        raise ValueError("give each stratum the means of its runs: one-dimensional, not empty")
