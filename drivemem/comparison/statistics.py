"""Statistics of comparisons: the training run is the unit of replication.

Every interval takes runs of episodes, never a pool of episodes: each run is averaged first.
docs/statistics.md says why, and how well each interval covers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats: TypeAlias = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""Maps samples (..., n) to values (...)."""
Runs: TypeAlias = Sequence[ArrayLike] | Floats
"""Runs of one agent, each the scores of its episodes; an (n, E) array is n runs of E episodes."""

MIN_RUNS = 5
"""Fewer runs than this and no output says "significant" (Colas et al. 2018)."""
CONFIDENCE = 0.95
"""Of every interval."""
REPETITIONS = 10_000
_CELLS = 4_000_000
"""Numbers held at once by resampling, so that many repetitions need little memory."""


class Interval(NamedTuple):
    """An estimate with a confidence interval; infinite where nothing is known of other runs."""

    estimate: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether the interval is finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def run_means(runs: Runs) -> Floats:
    """The mean score of each run (n,); episodes where the score is undefined (NaN) are left out.

    Args:
        runs: for each run the scores of its episodes.

    Raises:
        ValueError: no runs, a run without a defined score, or a flat list of numbers: which
            of them belong to one run is what decides the interval.
    """
    episodes = [np.asarray(run, dtype=np.float64) for run in runs]
    if not episodes:
        raise ValueError("no runs: give the episodes of at least one")
    for run in episodes:
        if run.ndim != 1:
            raise ValueError(
                f"a run is an array of dimension {run.ndim}: give each run as the list of its "
                "episodes' scores (means of runs: means[:, None]); episodes are never pooled"
            )
        if not np.isfinite(run).any():
            raise ValueError("a run has no episode with a defined score: leave the run out")
    return np.array([np.nanmean(run) for run in episodes])


def mean(samples: Floats) -> Floats:
    """Mean over the last axis."""
    return np.asarray(samples.mean(axis=-1))


def interquartile_mean(samples: Floats) -> Floats:
    """Mean of the middle half over the last axis (Agarwal et al. 2021)."""
    return np.asarray(stats.trim_mean(samples, 0.25, axis=-1))


def bootstrap(
    strata: Sequence[Runs],
    generator: np.random.Generator,
    statistic: Statistic = mean,
    repetitions: int = REPETITIONS,
) -> Interval:
    """Interval by resampling runs within each stratum (scenario), widened for few runs.

    Args:
        strata: for each scenario the runs.
        generator: source of the resampling.
        statistic: of the means of all runs together.
        repetitions: resamples.

    Returns:
        The statistic of the data and its interval; infinite if a stratum has a single run.
    """

    def pooled(*samples: Floats) -> Floats:
        return statistic(np.concatenate(samples, axis=-1))

    return _bootstrap([run_means(runs) for runs in strata], generator, pooled, repetitions)


def bootstrap_function(
    groups: Sequence[Runs],
    generator: np.random.Generator,
    function: Callable[..., Floats],
    repetitions: int = REPETITIONS,
) -> Interval:
    """Interval of a function of several groups' mean scores, runs resampled in each on its own.

    Args:
        groups: the runs of each group.
        generator: source of the resampling.
        function: takes one array of means for each group.
        repetitions: resamples.

    Returns:
        The function of the means and its interval; infinite if a group has a single run.
    """

    def of_means(*samples: Floats) -> Floats:
        return np.asarray(function(*(sample.mean(axis=-1) for sample in samples)))

    return _bootstrap([run_means(runs) for runs in groups], generator, of_means, repetitions)


def wilson(successes: int, trials: int) -> Interval:
    """Wilson's interval of a rate within one run (Wilson 1927)."""
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no rate: give 0 <= successes <= trials")
    result = stats.binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(successes / trials, float(result.low), float(result.high))


def rate_interval(
    strata: Sequence[Runs], generator: np.random.Generator, statistic: Statistic = mean
) -> Interval:
    """`bootstrap` of rates, cut to [0, 1], and never of no width.

    Runs that tie show nothing of their spread, but each is known to within its episodes only:
    then the interval is Wilson's over the episodes of one run, the mean of strata's.
    """
    found = clipped(bootstrap(strata, generator, statistic), 0.0, 1.0)
    if not found.known or found.high > found.low:
        return found
    sizes = [min(np.size(run) for run in runs) for runs in strata]
    rates = [run_means(runs).mean() for runs in strata]
    alone = [wilson(round(rate * size), size) for rate, size in zip(rates, sizes, strict=True)]
    low, high = (float(np.mean([one[side] for one in alone])) for side in (1, 2))
    return Interval(found.estimate, min(low, found.low), max(high, found.high))


def share_interval(runs: Sequence[Floats], generator: np.random.Generator) -> Interval:
    """The share of episodes with something, each (E,) 0 or 1: over runs, or of one run Wilson's."""
    if len(runs) > 1:
        return rate_interval([runs], generator)
    return wilson(int(runs[0].sum()), len(runs[0]))


def improvement(a: Floats, b: Floats) -> Floats:
    """Share of pairs (a_i, b_j) over the last axes with a_i > b_j, ties counting half."""
    difference = a[..., :, None] - b[..., None, :]
    return np.asarray(np.mean((difference > 0) + 0.5 * (difference == 0), axis=(-2, -1)))


def probability_of_improvement(
    a: Runs,
    b: Runs,
    generator: np.random.Generator,
    repetitions: int = 2_000,
) -> Interval:
    """How likely a run of `a` scores higher than a run of `b`, ties counting half.

    The statistic of Mann and Whitney (1947) over its maximum, with a bootstrap interval over the
    runs of both sides (Agarwal et al. 2021), cut to [0, 1].
    """
    samples = [run_means(a), run_means(b)]
    return clipped(_bootstrap(samples, generator, improvement, repetitions), 0.0, 1.0)


def student_band(samples: Floats) -> tuple[Floats, Floats]:
    """Student's interval of the mean over runs at each point of a curve, not of it as a whole.

    Args:
        samples: (n, T) curves of n >= 2 runs.

    Returns:
        Low and high limits (T,).
    """
    count = len(samples)
    if count < 2:
        raise ValueError(f"{count} run: a band needs at least 2")
    reach = stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1) * samples.std(axis=0, ddof=1)
    middle, half = samples.mean(axis=0), reach / math.sqrt(count)
    return middle - half, middle + half


def performance_profile(runs: Runs, thresholds: ArrayLike) -> Floats:
    """Share of runs with a mean score above each threshold (Dolan and More 2002)."""
    levels = np.asarray(thresholds, dtype=np.float64)
    return np.asarray((run_means(runs)[:, None] > levels[None]).mean(axis=0))


def welch(a: Runs, b: Runs) -> float:
    """Two-sided p of Welch's t-test of two groups of runs (recommended by Colas et al. 2019).

    A group of one run has no spread of its own: it is taken as a fixed number, as the score of
    a reference driver is, which is not trained. NaN if both groups have one run.
    """
    x, y = run_means(a), run_means(b)
    if len(x) == 1 and len(y) == 1:
        return math.nan
    if len(x) == 1:
        x, y = y, x
    if np.ptp(x) == 0 and np.ptp(y) == 0:
        return 1.0 if x[0] == y[0] else 0.0
    if len(y) == 1:
        t = (x.mean() - y[0]) / (x.std(ddof=1) / math.sqrt(len(x)))
        return float(2.0 * stats.t.sf(abs(t), len(x) - 1))
    # From moments: on the scores themselves SciPy warns when all runs of one side are alike.
    moments = (x.mean(), x.std(ddof=1), len(x), y.mean(), y.std(ddof=1), len(y))
    return float(stats.ttest_ind_from_stats(*moments, equal_var=False).pvalue)


def mcnemar(a: ArrayLike, b: ArrayLike) -> float:
    """Exact McNemar test of two single policies on the same episodes: two-sided p."""
    x, y = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    if x.shape != y.shape:
        raise ValueError(f"{x.size} and {y.size} episodes: pair the same ones")
    only_a, only_b = int(np.sum(x & ~y)), int(np.sum(y & ~x))
    if only_a + only_b == 0:
        return 1.0
    return float(stats.binomtest(only_a, only_a + only_b, 0.5).pvalue)


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    generator: np.random.Generator,
    repetitions: int = 2_000,
    same_runs: bool = False,
) -> Interval:
    """Two-level bootstrap of a difference on common episodes, widened for few runs.

    Runs are resampled for each side on its own (jointly with `same_runs`, when row i of both is
    the same run, such as before and after a lesion); episode seeds jointly for both. A side with
    one run is held fixed: the interval then says nothing of its other runs.

    Args:
        a: (n_a, E) scores of runs on the same E episodes.
        b: (n_b, E).
        generator: source of the resampling.
        repetitions: resamples.
        same_runs: whether the rows of both sides are the same runs.
    """
    x, y = np.atleast_2d(np.asarray(a, float)), np.atleast_2d(np.asarray(b, float))
    if x.shape[1] != y.shape[1] or (same_runs and len(x) != len(y)):
        raise ValueError(f"scores of shapes {x.shape} and {y.shape}: pair the same ones")
    sides = [x - y] if same_runs else [x, -y]
    sizes = [*(len(side) for side in sides), x.shape[1]]
    estimate = float(x.mean() - y.mean())
    drawn = np.empty(repetitions)
    alone = np.empty((len(sizes), repetitions))  # what varies if one level alone is resampled
    for part in _parts(repetitions, sum(sizes)):
        count = part.stop - part.start
        *runs, episodes = (_weights(generator, size, count) for size in sizes)
        score = sum(weights @ side for weights, side in zip(runs, sides, strict=True))
        drawn[part] = np.einsum("re,re->r", score, episodes)
        for level, (weights, side) in enumerate(zip(runs, sides, strict=True)):
            alone[level, part] = weights @ side.mean(axis=1)
        alone[-1, part] = episodes @ sum(side.mean(axis=0) for side in sides)
    return _widened(estimate, drawn, alone, sizes)


def holm(p_values: ArrayLike) -> Floats:
    """Holm's adjusted p-values (Holm 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    scaled = p[order] * (len(p) - np.arange(len(p)))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def clipped(interval: Interval, least: float, most: float) -> Interval:
    """The interval within the values that its quantity can take; an infinite one stays."""
    if not interval.known:
        return interval
    return Interval(interval.estimate, max(interval.low, least), min(interval.high, most))


def _bootstrap(
    samples: Sequence[Floats],
    generator: np.random.Generator,
    function: Callable[..., Floats],
    repetitions: int,
) -> Interval:
    if not samples:
        raise ValueError("no groups of runs: give at least one")
    estimate = float(function(*samples))
    if any(len(sample) == 1 for sample in samples) or not math.isfinite(estimate):
        return Interval(estimate, -math.inf, math.inf)
    drawn = [
        sample[generator.integers(len(sample), size=(repetitions, len(sample)))]
        for sample in samples
    ]
    fixed = [np.broadcast_to(sample, (repetitions, len(sample))) for sample in samples]
    with np.errstate(divide="ignore", invalid="ignore"):  # a resampled share of a gap of 0
        alone = np.stack(
            [
                function(*(drawn[j] if j == i else fixed[j] for j in range(len(samples))))
                for i in range(len(samples))
            ]
        )
        every = alone[0] if len(samples) == 1 else function(*drawn)
    sizes = [len(sample) for sample in samples]
    return _widened(estimate, every, alone, sizes)


def _widened(estimate: float, drawn: Floats, alone: Floats, sizes: Sequence[int]) -> Interval:
    """A percentile interval stretched about the estimate for the runs being few.

    Resampling n runs gives (n - 1) / n of the variance, and the normal quantile in place of
    Student's: the plain percentile interval of 5 runs covers 83 %, not 95 % (Hesterberg 2015).
    Degrees of freedom are Welch and Satterthwaite's from what each group alone contributes.
    """
    if not (np.isfinite(drawn).all() and np.isfinite(alone).all()):
        return Interval(estimate, -math.inf, math.inf)
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    free = np.array([size - 1.0 for size in sizes])
    part = np.array([float(np.var(values)) for values in alone])
    part, free = part[free > 0], free[free > 0]
    total = part.sum()
    if not total > 0:
        return Interval(estimate, float(low), float(high))
    unbiased = part * (free + 1) / free
    degrees = unbiased.sum() ** 2 / (unbiased**2 / free).sum()
    student = stats.t.ppf(1.0 - tail, degrees) / stats.norm.ppf(1.0 - tail)
    factor = float(student * math.sqrt(unbiased.sum() / total))
    return Interval(
        estimate, estimate - factor * (estimate - float(low)),
        estimate + factor * (float(high) - estimate),
    )  # fmt: skip


def _weights(generator: np.random.Generator, size: int, count: int) -> Floats:
    """Resampling `size` things with replacement, as weights (count, size) that add up to 1."""
    drawn = generator.integers(size, size=(count, size)) + size * np.arange(count)[:, None]
    return np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size) / size


def _parts(repetitions: int, width: int) -> list[slice]:
    """Repetitions in parts of at most `_CELLS` numbers."""
    step = max(1, _CELLS // width)
    return [slice(at, min(at + step, repetitions)) for at in range(0, repetitions, step)]
