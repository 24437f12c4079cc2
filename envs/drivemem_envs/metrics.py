"""Metrics of an episode: the one table of what they are, and those that other packages add.

`episode_trace` computes the numbers, for both backends alike.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ENTRY_POINT_GROUP = "drivemem.metrics"

TTC_HORIZON_S = 5.0
"""Contacts farther away than this are not looked for, s (nuPlan and CriMe use 3 to 5)."""
TTC_CRITICAL_S = 1.5
HARD_BRAKING = 4.0
"""Deceleration that counts as hard braking, m/s^2."""
RELEVANT_DISTANCE_M = 20.0
"""A hidden actor this near, or within the TTC horizon, is relevant, m."""
HIDDEN_ORIGIN_S = 1.0
"""A collision has hidden origin if the actor was not perceived at some decision this recent, s."""
CROSSING_M, CROSSING_SINE = 2.0, 0.5
"""Paths cross where they come this near, m, and differ by more than 30 degrees."""

FAULTS = (
    "", "stopped_ego", "stopped_track", "active_front", "active_rear", "active_lateral",
)  # fmt: skip
"""Classes of a collision, `at_fault`, in the order of their codes; the first is none."""

_TAKEN = ("outcome", "is_success", "rewards")
"""What else the info at an episode's end holds."""


@dataclass(frozen=True)
class EgoTrace:
    """What the ego did in one episode, at its T decisions; the first observation is one."""

    x: NDArray[np.float64]
    """(T,) m."""
    y: NDArray[np.float64]
    """(T,) m."""
    heading: NDArray[np.float64]
    """(T,) rad."""
    speed: NDArray[np.float64]
    """(T,) m/s."""
    least_ttc_s: NDArray[np.float64]
    """(T,) time to the soonest collision if all keep their velocity, s; inf: none in sight."""
    is_relevant_hidden: NDArray[np.bool_]
    """(T,) whether an actor that matters is hidden; see `exposure`."""
    decision_s: float
    """Decision period, s."""


@dataclass(frozen=True)
class Metric:
    """A number of every episode, by which its info and the tables name it."""

    name: str
    """An identifier."""
    unit: str
    """In plain letters, such as `m/s`; empty without one."""
    definition: str
    """In a sentence."""
    source: str = ""
    """Where the definition comes from."""
    dtype: type = float
    """How it is shown: float, int, bool or str. Of another package's metrics: float."""
    title: str = ""
    """What a report's table of measures calls it, with its unit; empty: not shown there, but for
    another package's, which has its name."""
    compute: Callable[[EgoTrace], float] | None = None
    """Another package's function, called at the end of every episode; nan: not defined. None:
    drivemem computes it."""


METRICS = (
    Metric("progress_m", "m", "length of the ego's path", title="progress, m"),
    Metric("mean_speed", "m/s", "mean over decisions"),
    Metric(
        "min_ttc",
        "s",
        "time to collision: first touch of two oriented rectangles that keep their velocity (swept"
        f" separating-axis test), if within {TTC_HORIZON_S:g} s",
        "nuPlan, CriMe",
        title="min TTC, s",
    ),
    Metric(
        "share_ttc_below_1_5",
        "",
        f"share of decisions with a time to collision below {TTC_CRITICAL_S:g} s",
        "nuPlan, CriMe",
        title="time with TTC < 1.5 s",
    ),
    Metric(
        "pet",
        "s",
        "post-encroachment time: least time between the ego and another vehicle passing within"
        f" {CROSSING_M:g} m of one point on paths that cross at more than 30 degrees, at the"
        " decision rate",
        "Allen et al. 1978",
        title="PET, s",
    ),
    Metric(
        "hard_brakes",
        "",
        f"onsets of deceleration above {HARD_BRAKING:g} m/s²",
        "",
        int,
        title="hard brakes",
    ),
    Metric(
        "max_jerk",
        "m/s³",
        "largest change of acceleration, at the decision rate",
        "nuPlan",
        title="max jerk, m/s³",
    ),
    Metric(
        "at_fault",
        "",
        f"class of the collision: {', '.join(f'`{each}`' for each in FAULTS[1:])} (the ego stands;"
        " the other stands; the ego's front hits; it is hit from behind; else), from the poses at"
        " contact; the ego is at fault with the second and third",
        "nuPlan",
        str,
    ),
    Metric(
        "exposure",
        "decisions",
        f"with a relevant actor hidden: within {RELEVANT_DISTANCE_M:g} m, or within"
        f" {TTC_HORIZON_S:g} s of touching",
        "drivemem",
        int,
        title="exposure, decisions",
    ),
    Metric(
        "hidden_origin_collision",
        "",
        "the actor hit was not perceived at some decision in the last second",
        "drivemem",
        bool,
        title="hidden-origin collision",
    ),
    Metric(
        "reveal_to_contact_s",
        "s",
        "from when the actor hit was last revealed to the contact",
        "drivemem",
        title="reveal to contact, s",
    ),
    Metric(
        "blind_entry_speed",
        "m/s",
        "speed when a relevant actor was first hidden",
        "drivemem",
        title="blind entry, m/s",
    ),
)
"""Those of the kernels, in the order of their columns."""

UNHARMED = ("success", "timeout")
"""Outcomes of who reached the goal, or the end of time, unharmed."""
ON_TIME = Metric(
    "on_time",
    "",
    f"1: unharmed (outcome {' or '.join(UNHARMED)}) with a mean speed of at least the scenario's"
    " `on_time_mps`; 0: not; nothing where the scenario states no speed",
    "drivemem",
)
"""Judged from an episode's outcome and its mean speed, by `judge_on_time`."""

_REGISTERED: dict[str, Metric] = {}


def register_metric(metric: Metric) -> None:
    """Add a metric: it appears in the info at the end of every episode, on both backends.

    Where reference worlds live in processes of their own, those know it by the entry point group
    `drivemem.metrics` (name = "package.module:METRIC"), not by a call in this process.

    Args:
        metric: with a function to compute it.

    Raises:
        ValueError: the name is taken or no identifier, or there is no function.
    """
    taken = {each.name for each in (*METRICS, ON_TIME)} | set(_REGISTERED) | set(_TAKEN)
    if metric.name in taken:
        raise ValueError(f"metric '{metric.name}' is already registered; choose another name")
    if not metric.name.isidentifier():
        raise ValueError(f"metric name '{metric.name}' is no identifier: use letters, digits, '_'")
    if metric.compute is None or metric.dtype is not float:
        raise ValueError(
            f"metric '{metric.name}' needs compute, a function from an EgoTrace to a float"
        )
    _REGISTERED[metric.name] = metric


@cache
def _load_entry_points() -> None:
    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            metric = point.load()
            if not isinstance(metric, Metric) or metric.name != point.name:
                raise ValueError(f"it is no Metric of that name but {metric!r}")
            if _REGISTERED.get(point.name) != metric:
                register_metric(metric)
        except Exception as error:  # another package's mistake must not disable this one
            warnings.warn(f"metric '{point.name}' is left out: {error}", stacklevel=2)


def metric_table() -> tuple[Metric, ...]:
    """All metrics: drivemem's own, then those of other packages."""
    _load_entry_points()
    return (*METRICS, ON_TIME, *_REGISTERED.values())


def metric_names() -> list[str]:
    """Their names, in order."""
    return [metric.name for metric in metric_table()]


def judge_on_time(
    least_mps: float | None, outcomes: Sequence[str], mean_speeds: ArrayLike
) -> NDArray[np.float64]:
    """The metric `on_time` (R,) of R episodes: 1, 0, or nan without a stated speed.

    Args:
        least_mps: the scenario's `on_time_mps`.
        outcomes: how they ended.
        mean_speeds: (R,) m/s.
    """
    if least_mps is None:
        return np.full(len(outcomes), np.nan)
    unharmed = np.array([outcome in UNHARMED for outcome in outcomes], dtype=bool)
    return np.asarray(unharmed & (np.asarray(mean_speeds) >= least_mps), dtype=np.float64)


def named(
    values: NDArray[np.float64], trace_of: Callable[[int], EgoTrace]
) -> dict[str, NDArray[Any]]:
    """Metrics (R,) of R episodes by name, each of its own type; `on_time` is judged apart.

    Args:
        values: (R, len(METRICS)) what the kernels computed; `at_fault` as a code.
        trace_of: gives the trace of an episode by its row; called only if other packages' metrics
            ask for it.
    """
    found: dict[str, NDArray[Any]] = {}
    for column, metric in enumerate(METRICS):
        if metric.dtype is str:
            codes = values[:, column].astype(np.int64)
            found[metric.name] = np.array(FAULTS, dtype=object)[codes]
        else:
            found[metric.name] = values[:, column].astype(metric.dtype)
    added = [(each.name, each.compute) for each in metric_table() if each.compute is not None]
    traces = [trace_of(row) for row in range(len(values))] if added else []
    for name, compute in added:
        found[name] = np.array([float(compute(trace)) for trace in traces])
    return found
