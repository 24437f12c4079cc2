"""The front of pace against collisions: memory may show as speed at equal safety, or as both.

Pace is the travel time of successful episodes where some drivers reach the goal sooner than others,
and the mean speed where the goal is to be unharmed when time is up, or where the scenario states a
speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivemem.comparison.baseline import is_only_for_measuring
from drivemem.comparison.collect import StoredEvaluation
from drivemem.comparison.drawing import Figure, canvas, legend, styles, to_svg
from drivemem.comparison.rows import About, Judged, Row, SuiteTable
from drivemem.comparison.statistics import Interval, bootstrap, clipped, share_interval

LEAST_SPREAD = 0.05
"""Where paces differ by a smaller share of the largest, there is no front: who crashes early is a
little slower by that alone."""


@dataclass(frozen=True)
class FrontPoint:
    """One driver: how fast, and how often it crashes."""

    row: Row
    pace: Interval
    """Mean speed, m/s, or travel time, s; infinite limits for a single run."""
    collision: Interval
    on_front: bool = False
    """Whether no other driver with such sensors is at least as fast and as safe, and better in one
    of both."""


@dataclass(frozen=True)
class Front:
    """All drivers of a suite, by pace."""

    by_time: bool
    """Whether pace is a time, of which less is better."""
    points: tuple[FrontPoint, ...]

    @property
    def pace(self) -> str:
        """What pace is, with its unit."""
        return "travel time of successful episodes, s" if self.by_time else "mean speed, m/s"

    def best(self) -> list[FrontPoint]:
        """Those on the front, the slowest first."""
        found = [point for point in self.points if point.on_front]
        return sorted(found, key=lambda point: point.pace.estimate, reverse=self.by_time)


def travel_s(
    members: Sequence[StoredEvaluation], generator: np.random.Generator
) -> Interval | None:
    """How long successful episodes take, s, over the runs that have any; None without."""
    times = [np.where(one.column("success") > 0, one.column("duration_s"), np.nan)
             for one in members]  # fmt: skip
    return _over_runs(times, generator)


def front(table: SuiteTable) -> Front | None:
    """The front of a suite; None where all drivers are equally fast.

    Drivers with full sensors, and those behind a tracker that is only for measuring, have a point
    and are never on the front: nobody could drive so.
    """
    generator = np.random.default_rng(0)
    by_time = table.times_differ and table.judged is not Judged.ON_TIME
    points = []
    for row in table.rows:
        speeds = [one.column("mean_speed") for one in row.members]
        pace = row.travel_s if by_time else _over_runs(speeds, generator)
        if pace is not None and row.kind not in ("lesion", "sampled"):
            collisions = [one.column("collision") for one in row.members]
            points.append(FrontPoint(row, pace, share_interval(collisions, generator)))
    paces = [point.pace.estimate for point in points]
    if len(points) < 2 or max(paces) - min(paces) < LEAST_SPREAD * max(paces):
        return None
    possible = [point for point in points if _is_possible(point.row)]
    best = [one for one in possible if not any(_beats(other, one, by_time) for other in possible)]
    return Front(
        by_time,
        tuple(FrontPoint(p.row, p.pace, p.collision, on_front=p in best) for p in points),
    )


def note_front(table: SuiteTable) -> None:
    """Say in a note who is on the front."""
    found = front(table)
    if found is None:
        return
    each = [
        f"{point.row.label} ({point.pace.estimate:.1f} {'s' if found.by_time else 'm/s'}, "
        f"{point.collision.estimate:.1%} collisions)"
        for point in found.best()
    ]
    table.note(
        About.FRONT,
        f"Front of {found.pace.rpartition(',')[0]} against collisions, from slow to fast: "
        f"{', '.join(each)}; no other driver with such sensors is both as fast and as safe.",
    )


def front_figure(table: SuiteTable) -> Figure | None:
    """The front as a figure; None where there is none."""
    found = front(table)
    if found is None:
        return None
    figure, axes = canvas(3.0)
    of_label = styles(table)
    line = [(point.pace.estimate, point.collision.estimate) for point in found.best()]
    axes.plot(*zip(*line, strict=True), "-", color="#888888", linewidth=1, zorder=1)
    for point in found.points:
        color, _, marker = of_label[point.row.label]
        x, y = point.pace.estimate, point.collision.estimate
        if point.collision.known:
            axes.plot([x, x], point.collision[1:], color=color, linewidth=1, alpha=0.6)
        if point.pace.known:
            axes.plot(point.pace[1:], [y, y], color=color, linewidth=1, alpha=0.6)
        fill = color if _is_possible(point.row) else "none"
        axes.plot(
            x, y, marker, color=color, markerfacecolor=fill, linestyle="", label=point.row.label
        )
    axes.set_xlabel(found.pace)
    axes.set_ylabel("collisions")
    axes.set_ylim(bottom=-0.01)
    if found.by_time:
        axes.invert_xaxis()
    legend(figure, columns=2)
    return Figure(
        "Pace and collisions",
        "Faster is to the right, safer is below. Line: drivers than whom no other with such "
        "sensors is both as fast and as safe. Hollow: sees what no car could. 95 % intervals over "
        "runs.",
        to_svg(figure, f"Collisions on {table.title} against {found.pace}"),
    )


def _over_runs(runs: Sequence[np.ndarray], generator: np.random.Generator) -> Interval | None:
    """The mean over runs that have a defined value, never below 0."""
    defined = [run for run in runs if np.isfinite(run).any()]
    return clipped(bootstrap([defined], generator), 0.0, np.inf) if defined else None


def _is_possible(row: Row) -> bool:
    full = bool(row.members[0].first["full_sensors"])
    return not full and not is_only_for_measuring(row.tracker)


def _beats(one: FrontPoint, other: FrontPoint, by_time: bool) -> bool:
    """Whether one is at least as fast and as safe, and better in one of both."""
    sign = 1.0 if by_time else -1.0
    mine, theirs = (
        (sign * point.pace.estimate, point.collision.estimate) for point in (one, other)
    )
    return mine != theirs and mine[0] <= theirs[0] and mine[1] <= theirs[1]
