"""Gaps: what sensors hide, how much of it remembering could give, and what each agent closes."""

from __future__ import annotations

import numpy as np

from drivemem.comparison.baseline import is_only_for_measuring
from drivemem.comparison.rows import About, Row, SuiteTable
from drivemem.comparison.statistics import Interval, bootstrap_function

SMALL_GAP = 0.05
"""Below this gap, shares of it say nothing."""


def fill_in_gaps(table: SuiteTable, generator: np.random.Generator) -> None:
    """Fill in a table's gaps and the share of them that each agent closes.

    The share is of the recall headroom where the baseline behind perfect recall was trained, else
    of the occlusion gap; `table.top` is the row that closes all of it.
    """
    base = table.base
    full, recall = (None, None) if base is None else (_full(table, base), _recall(table, base))
    if base is None or base.kind != "agent" or (full is None and recall is None):
        _note_missing(table)
        return
    if full is not None:
        table.gap = _difference(full, base, generator)
    if recall is not None:
        table.headroom = _difference(recall, base, generator)
        _note_headroom(table)
    if full is not None and recall is not None:
        table.unseen = _difference(full, recall, generator)
        table.note(
            About.GAP,
            f"The unseen gap, full sensors over perfect recall, is {_extent(table.unseen)}: what "
            "was never perceived cannot be remembered.",
        )
    top = full if recall is None else recall
    gap = table.gap if recall is None else table.headroom
    name = "occlusion gap" if recall is None else "recall headroom"
    if top is not None and gap is not None:
        _fill_in_shares(table, base, top, gap, name, generator)


def _fill_in_shares(
    table: SuiteTable,
    base: Row,
    top: Row,
    gap: Interval,
    name: str,
    generator: np.random.Generator,
) -> None:
    if gap.estimate < SMALL_GAP:
        table.note(
            About.GAP,
            f"The {name} is {gap.estimate:z.3f}, below {SMALL_GAP}: nothing to close here.",
        )
        return
    table.top = top
    certain = gap.known and gap.low > 0
    if not certain:
        extent = f"[{gap.low:z.3f}, {gap.high:z.3f}]" if gap.known else "unknown with a single run"
        table.note(
            About.GAP,
            f"The {name} is {gap.estimate:z.3f}, its interval {extent}: not surely above 0, "
            "so shares of it have no interval.",
        )
    for row in table.rows:
        if row is base:
            row.gap_closed = Interval(0.0, 0.0, 0.0)  # by definition, whatever the runs
        elif row.kind in ("agent", "submitted", "lesion") and not row.apart and row is not top:
            row.gap_closed = bootstrap_function(
                [row.scores, top.scores, base.scores],
                generator,
                lambda x, a, b: (x - b) / (a - b),
            )
            width = row.gap_closed.high - row.gap_closed.low
            if not certain or width == 0.0:  # runs that tie say nothing of their spread
                row.gap_closed = Interval(row.gap_closed.estimate, -np.inf, np.inf)


def _difference(top: Row, bottom: Row, generator: np.random.Generator) -> Interval:
    both = [top.scores, bottom.scores]
    return bootstrap_function(both, generator, lambda a, b: a - b)


def _extent(gap: Interval) -> str:
    within = f" [{gap.low:+z.3f}, {gap.high:+z.3f}]" if gap.known else " (single runs)"
    return f"{gap.estimate:+z.3f}{within}"


def _note_headroom(table: SuiteTable) -> None:
    if table.headroom is not None and table.base is not None:
        table.note(
            About.GAP,
            f"The recall headroom, {table.base.label} behind perfect recall over the same without, "
            f"is {_extent(table.headroom)}: the most that remembering what was perceived can give. "
            "Gap closed is the share of it; who infers what was never perceived may pass 100 %.",
        )


def _note_missing(table: SuiteTable) -> None:
    base = table.base
    missing = f"No {table.baseline.noun}"
    if base is not None:
        missing = (
            "No full-sensor agent (--full-sensors), nor one behind perfect recall (--tracker "
            f"perfect_recall), to set beside {base.label}"
        )
        missing = missing if base.kind == "agent" else f"No agent with limits ({base.label})"
    table.note(About.GAP, f"{missing} among the runs: the share of the gap closed is not defined.")


def _full(table: SuiteTable, base: Row) -> Row | None:
    """The upper bound: of the full-sensor agents trained like the baseline, its own if it can."""
    rows = [row for row in table.rows if row.kind == "upper bound" and not row.apart]
    own = [row for row in rows if row.driver == base.driver]
    return min(own, key=lambda row: len(row.label), default=next(iter(rows), None))


def _recall(table: SuiteTable, base: Row) -> Row | None:
    """The baseline's own memory behind a tracker that shows the truth of what was perceived."""
    rows = [
        row
        for row in table.rows
        if row.kind == "agent"
        and not row.apart
        and row.driver == base.driver
        and is_only_for_measuring(row.tracker)
    ]
    return min(rows, key=lambda row: len(row.label), default=None)
