"""How much of each network is at work, for the report: dormant units and ranks of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivemem.comparison.drawing import Figure, canvas, legend, styles, to_svg
from drivemem.comparison.probing import probes_of
from drivemem.comparison.rows import SuiteTable
from drivemem.comparison.statistics import Interval, bootstrap, clipped


@dataclass(frozen=True)
class LayerActivity:
    """One layer of an agent, over its runs."""

    label: str
    layer: str
    runs: int
    units: int
    dormant: Interval
    """Share of units; unknown limits with one run."""
    feature_rank: Interval
    effective_rank: Interval


def layer_activity(table: SuiteTable) -> list[LayerActivity]:
    """The layers of all agents of a suite whose runs were probed, intact."""
    found = []
    for row in table.rows:
        tables = probes_of(row, "plasticity") if row.kind in ("agent", "upper bound") else []
        layers = dict.fromkeys(record["layer"] for records in tables for record in records)
        for layer in layers:
            rows = [record for records in tables for record in records if record["layer"] == layer]
            units = rows[0]["units"]
            dormant, *ranks = (
                _over_runs([record[name] for record in rows], most)
                for name, most in (
                    ("dormant", 1),
                    ("feature_rank", units),
                    ("effective_rank", units),
                )
            )
            found.append(LayerActivity(row.label, layer, len(rows), units, dormant, *ranks))
    return found


def _over_runs(values: Sequence[float], most: float) -> Interval:
    """The mean of runs' values, each from 0 to the most that there can be."""
    runs = np.array(values, dtype=np.float64)[:, None]
    return clipped(bootstrap([runs], np.random.default_rng(0)), 0.0, most)


def plasticity_figure(table: SuiteTable, found: Sequence[LayerActivity]) -> Figure | None:
    """The effective rank of each layer, a line for each agent; None where none was probed."""
    if not found:
        return None
    figure, axes = canvas(2.6)
    of_label = styles(table)
    layers = list(dict.fromkeys(one.layer for one in found))
    labels = list(dict.fromkeys(one.label for one in found))
    for number, label in enumerate(labels):
        own = [one for one in found if one.label == label]
        color, dash, marker = of_label[label]
        # Beside each other, so that intervals do not hide each other.
        aside = 0.36 * ((number + 0.5) / len(labels) - 0.5)
        xs = [layers.index(one.layer) + aside for one in own]
        for x, one in zip(xs, own, strict=True):
            if one.effective_rank.known:
                axes.plot([x, x], one.effective_rank[1:], color=color, linewidth=1, alpha=0.7)
        ranks = [one.effective_rank.estimate for one in own]
        axes.plot(xs, ranks, dash, marker=marker, color=color, label=label)
    axes.set_xticks(range(len(layers)), layers)
    axes.set_xlim(-0.5, len(layers) - 0.5)
    axes.margins(y=0.15)  # room for the highest marker
    axes.set_ylim(bottom=0)
    axes.set_ylabel("effective rank")
    legend(figure, columns=1)
    return Figure(
        "How many dimensions are at work",
        "Effective rank of what each layer gives, mean over runs, with 95 % intervals over runs "
        "where there are several: about how many dimensions its features fill. All agents that see "
        "the same are shown the same observations. The table has the share of dormant units.",
        to_svg(figure, f"Effective rank of the layers of agents on {table.title}"),
    )
