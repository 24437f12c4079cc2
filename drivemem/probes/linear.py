"""Linear probes, cross-fitted by episode: no episode is decoded by a probe that was fitted on it.

Sources: Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016;
Hewitt and Liang, "Designing and interpreting probes with control tasks", 2019 (why a baseline).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem.comparison.statistics import Interval
from drivemem.errors import DrivememError
from drivemem.probes.targets import Target

FOLDS = 5
AGES_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, np.inf)
"""Upper ends of the bands of age; the first holds what is shown right now."""
MIN_EPISODES = 10
"""Fewer episodes in which a target is defined, and it is not probed."""
_MIN_ROWS, _MIN_BAND_EPISODES = 50, 5
_RIDGE = tuple(10.0**k for k in range(-1, 6))
_LOGISTIC = (0.001, 0.1, 10.0)
_SHARPNESS = tuple(float(each) for each in np.geomspace(0.1, 100.0, 31))
_MOST_ROWS = 8000
_FARTHEST = 5.0
"""Standard deviations at which inputs are clipped."""
_RESAMPLES = 1000


@dataclass(frozen=True)
class Score:
    """How well one target is decoded from one input, over one band of ages."""

    input: str
    target: str
    measure: str
    """`R2` or `balanced accuracy`."""
    age_low_s: float | None
    """The band's lower end, exclusive; None: all ages at which it is hidden."""
    age_high_s: float | None
    value: Interval
    """95 % over the episodes of one run; it says nothing of other runs."""
    chance: float
    rows: int
    episodes: int


class Read(NamedTuple):
    """What a probe reads of one target in R rows; NaN where the target is not defined."""

    values: NDArray[np.float64]
    """(R,) each by a probe of other episodes."""
    confidence: NDArray[np.float64]
    """(R,) the probability of what a probe of kinds reads, all kinds weighing the same, calibrated
    on episodes of neither fit nor test; NaN of quantities."""


@dataclass(frozen=True)
class Probed:
    """Scores of all inputs, and the predictions behind them."""

    scores: list[Score]
    read: dict[tuple[str, str], Read]
    """By (input, target)."""
    skipped: list[str]
    """Targets that were not probed, and why."""


def probe_targets(
    inputs: dict[str, NDArray[np.float32]], targets: list[Target], episode: NDArray[np.int64]
) -> Probed:
    """Decode every target from every input.

    Args:
        inputs: by name, (R, D).
        targets: what to decode.
        episode: (R,) which rows belong together.
    """
    scores: list[Score] = []
    read: dict[tuple[str, str], Read] = {}
    skipped = []
    for target in targets:
        why = not_probed(target, episode)
        if why:
            skipped.append(f"{target.name}: {why}")
            continue
        for name, values in inputs.items():
            found = cross_fitted(values, target, episode)
            read[name, target.name] = found
            generator = np.random.default_rng(0)  # the same episodes for every input
            scores += _scores(name, target, found.values, episode, generator)
    return Probed(scores, read, skipped)


def not_probed(target: Target, episode: NDArray[np.int64]) -> str:
    """Why a target cannot be probed; empty: it can."""
    defined = np.isfinite(target.values)
    if not defined.any():
        return "never there"
    if np.ptp(target.values[defined]) == 0:
        return "always the same"
    count = len(np.unique(episode[defined]))
    if count < MIN_EPISODES or defined.sum() < _MIN_ROWS:
        return f"defined in {count} episodes, {int(defined.sum())} decisions: too few"
    if target.kinds:
        kinds = np.unique(target.values[defined])
        least = min(len(np.unique(episode[target.values == kind])) for kind in kinds)
        if least < FOLDS:
            return f"{len(kinds)} kinds, the rarest in {least} episodes: too few"
    return ""


def cross_fitted(values: NDArray[np.float32], target: Target, episode: NDArray[np.int64]) -> Read:
    """What is read in each row by a probe that was fitted on other episodes."""
    found = Read(*(np.full(len(values), np.nan) for _ in Read._fields))
    fold = episode % FOLDS
    defined = np.isfinite(target.values)
    for held_out in range(FOLDS):
        fit = defined & (fold != held_out)
        test = defined & (fold == held_out)
        tune = fit & (fold == (held_out + 1) % FOLDS)
        if not test.any() or not tune.any() or not (fit & ~tune).any():
            continue
        if target.kinds and len(np.unique(target.values[fit & ~tune])) < 2:
            continue
        strength, tried = _tuned(values, target, _thinned(fit & ~tune), tune)
        probe = _fitted(values, target, _thinned(fit), strength)
        found.values[test] = probe.predict(values[test])
        if target.kinds:
            sharpness = _sharpness(tried, values[tune], target.values[tune])
            found.confidence[test] = _probabilities(probe, values[test], sharpness).max(axis=1)
    return found


def fitted_probe(values: NDArray[np.float32], target: Target, episode: NDArray[np.int64]) -> Any:
    """A probe of all episodes, a fifth of which chose the strength of regularisation.

    Args:
        values: (R, D) what is read.
        target: what is decoded of it.
        episode: (R,) which rows belong together.

    Returns:
        scikit-learn's pipeline of a scaler, a clip and a linear model.

    Raises:
        DrivememError: the target is nearly never there, or always the same.
    """
    why = not_probed(target, episode)
    if why:
        raise DrivememError(f"{target.name} cannot be probed: {why}")
    defined = np.isfinite(target.values)
    return _tuned_probe(values, target, defined, defined & (episode % FOLDS == 0))


def _tuned_probe(
    values: NDArray[np.float32], target: Target, fit: NDArray[np.bool_], tune: NDArray[np.bool_]
) -> Any:
    """A probe fitted on the rows `fit`, its strength chosen on those of them that `tune` names."""
    best, _ = _tuned(values, target, _thinned(fit & ~tune), tune)
    return _fitted(values, target, _thinned(fit), best)


def _thinned(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    rows = np.flatnonzero(chosen)
    if len(rows) <= _MOST_ROWS:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, _MOST_ROWS, replace=False))


def _tuned(
    values: NDArray[np.float32], target: Target, fit: NDArray[np.int64], tune: NDArray[np.bool_]
) -> tuple[float, Any]:
    """The regularisation that does best on episodes that neither fit nor test holds; its probe."""
    truth = target.values[tune]

    def quality(tried: tuple[float, Any]) -> float:
        guess = tried[1].predict(values[tune])
        if target.kinds:
            return float(np.mean([(guess == k)[truth == k].mean() for k in np.unique(truth)]))
        return -float(np.mean((guess - truth) ** 2))

    strengths = _LOGISTIC if target.kinds else _RIDGE
    return max(((each, _fitted(values, target, fit, each)) for each in strengths), key=quality)


def _sharpness(probe: Any, values: NDArray[np.float32], truth: NDArray[np.float64]) -> float:
    """What a probe's log-odds are multiplied by, so that its probabilities hold on rows given.

    The regularisation that decides best leaves probabilities near chance, so they are scaled as by
    Guo et al., "On calibration of modern neural networks", 2017.
    """
    known = np.isin(truth, probe.classes_)
    place = np.searchsorted(probe.classes_, truth[known])

    def loss(sharpness: float) -> float:
        of_truth = _probabilities(probe, values[known], sharpness)[np.arange(len(place)), place]
        each = -np.log(np.maximum(of_truth, 1e-12))
        return float(np.mean([each[place == kind].mean() for kind in np.unique(place)]))

    return min(_SHARPNESS, key=loss)


def _probabilities(
    probe: Any, values: NDArray[np.float32], sharpness: float
) -> NDArray[np.float64]:
    """Of each kind (R, K), the probe's log-odds multiplied."""
    scaled = sharpness * np.asarray(probe.predict_log_proba(values), dtype=np.float64)
    odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float64)


def _fitted(
    values: NDArray[np.float32], target: Target, rows: NDArray[np.int64], strength: float
) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    model: Any = (
        LogisticRegression(C=strength, class_weight="balanced", max_iter=300)
        if target.kinds
        else Ridge(alpha=strength)
    )
    # What hardly varied among the fitted episodes must not swamp the others' predictions.
    within = FunctionTransformer(np.clip, kw_args={"a_min": -_FARTHEST, "a_max": _FARTHEST})
    probe = make_pipeline(StandardScaler(), within, model)
    with warnings.catch_warnings():  # an unconverged probe is merely a worse one
        warnings.simplefilter("ignore")
        probe.fit(values[rows].astype(np.float64), target.values[rows])
    return probe


def _scores(
    name: str, target: Target, predicted: NDArray[np.float64], episode: NDArray[np.int64],
    generator: np.random.Generator,
) -> list[Score]:  # fmt: skip
    known = np.isfinite(predicted)
    age = target.age_s
    absent = known & ~np.isfinite(age)  # rows without an age belong to every band
    hidden = known & ((age > 0) | absent)
    chance = 0.0
    if target.kinds:
        chance = 1.0 / len(np.unique(target.values[known]))
    bands: list[tuple[float | None, float | None, NDArray[np.bool_]]] = [
        (None, None, hidden if (known & (age > 0)).any() else known)
    ]
    lower = -np.inf
    for upper in AGES_S:
        bands.append((max(lower, 0.0), upper, known & (age > lower) & (age <= upper)))
        lower = upper
    found = []
    for low, high, rows in bands:
        if rows.sum() < _MIN_ROWS or len(np.unique(episode[rows])) < _MIN_BAND_EPISODES:
            continue
        chosen = rows | absent if target.kinds else rows
        value = _measured(target, predicted, episode, chosen, generator)
        measure = "balanced accuracy" if target.kinds else "R2"
        found.append(
            Score(
                name, target.name, measure, low, high, value, chance, int(rows.sum()),
                len(np.unique(episode[rows])),
            )
        )  # fmt: skip
    return found


def _measured(
    target: Target, predicted: NDArray[np.float64], episode: NDArray[np.int64],
    rows: NDArray[np.bool_], generator: np.random.Generator,
) -> Interval:  # fmt: skip
    """The measure and its interval from sums per episode, episodes resampled."""
    truth, guess = target.values[rows], predicted[rows]
    _, place = np.unique(episode[rows], return_inverse=True)
    count = int(place.max()) + 1

    def per_episode(weights: NDArray[Any]) -> NDArray[np.float64]:
        found: NDArray[Any] = np.bincount(place, weights.astype(np.float64), count)
        return np.asarray(found, dtype=np.float64)

    if target.kinds:
        kinds = np.unique(truth)
        right = np.stack([per_episode((truth == kind) & (guess == kind)) for kind in kinds], 1)
        total = np.stack([per_episode(truth == kind) for kind in kinds], 1)
        sums, measure = np.stack([right, total], axis=2), _balanced
    else:
        centred = truth - truth.mean()
        parts = [np.ones_like(truth), centred, centred**2, (truth - guess) ** 2]
        sums, measure = np.stack([per_episode(part) for part in parts], 1), _r2
    draws = generator.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)
    resampled = measure(np.tensordot(draws.astype(np.float64), sums, axes=1))
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    return Interval(float(measure(sums.sum(axis=0)[None])[0]), float(low), float(high))


def _balanced(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over kinds of the share decoded rightly; sums (S, kinds, 2)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: NDArray[np.float64] = sums[..., 0] / sums[..., 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        means: NDArray[np.float64] = np.nanmean(shares, axis=1)
        return means


def _r2(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 - squared error / squared deviation from the mean; sums (S, 4)."""
    number, total, squares, error = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1.0 - error / (squares - total**2 / number), dtype=np.float64)
