"""The columns of recorded episodes, declared once: types, meanings, and what uses them.

Writers, readers, reports and the tables of docs/files.md all come from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from drivemem_envs.metrics import ON_TIME, Metric, metric_table

SCHEMA_VERSION = 1

Kind = Literal["INTEGER", "BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN", "DOUBLE[]", "FLOAT[]"]


@dataclass(frozen=True)
class Column:
    """One column of a Parquet table."""

    kind: Kind
    """DuckDB's type."""
    meaning: str
    """A line for people, with the unit."""
    title: str = ""
    """What a report's table of measures calls it; empty: it is not shown there."""
    needed: bool = True
    """Whether a replay cannot do without it."""
    later: bool = False
    """Whether files may lack it, which were written before it came: it is null there."""


_KINDS: dict[type, Kind] = {float: "DOUBLE", int: "INTEGER", bool: "BOOLEAN", str: "VARCHAR"}


def _metric(metric: Metric) -> Column:
    """A metric's column."""
    title = metric.title or (metric.name if metric.compute is not None else "")
    later = metric.compute is not None or metric is ON_TIME
    kind = _KINDS[metric.dtype]
    return Column(kind, "a [metric](metrics.md)", title, needed=False, later=later)


EPISODES: dict[str, Column] = {
    "episode": Column("INTEGER", "number in the suite"),
    "seed": Column("BIGINT", "what the episode was reset with"),
    "scenario": Column("VARCHAR", "registered name"),
    "sensors": Column("VARCHAR", "all limits of perception (JSON)"),
    "slots": Column("VARCHAR", "order of the observation's rows: sorted or fixed"),
    "tracker": Column("VARCHAR", "what fills the rows of hidden actors"),
    "backend": Column("VARCHAR", "compiled or reference"),
    "driver": Column("VARCHAR", "the memory's name, or the reference driver"),
    "run": Column("VARCHAR", "name of the run's folder"),
    "train_seed": Column("BIGINT", "seed of the training run; null: not trained", needed=False),
    "full_sensors": Column("BOOLEAN", "whether the agent was trained on the twin", needed=False),
    "lesion": Column("VARCHAR", "what was cut: `name:argument`, or `intact`"),
    "deterministic": Column("BOOLEAN", "whether the most likely action was taken", needed=False),
    "suite": Column("VARCHAR", "the stream of seeds, or a published suite's name", needed=False),
    "outcome": Column("VARCHAR", "how it ended (exactly one)"),
    "success": Column("BOOLEAN", "whether the outcome is success"),
    "collision": Column("BOOLEAN", "whether the outcome is collision", needed=False),
    "return": Column("DOUBLE", "sum of rewards"),
    "length": Column("INTEGER", "decisions"),
    "duration_s": Column("DOUBLE", "how long it took, s", "duration, s"),
    **{metric.name: _metric(metric) for metric in metric_table()},
    "digest": Column("VARCHAR", "of what happened (below); empty: not recorded"),
    "schema_version": Column("INTEGER", f"{SCHEMA_VERSION}"),
}
"""`episodes.parquet` of an evaluation, a row for each episode."""

RECORDED: dict[str, Column] = {
    **EPISODES,
    "occluders": Column("VARCHAR", "x, y, heading, length, width of each; m, rad (JSON)"),
    "config": Column("VARCHAR", "changes of the scenario's own parameters (JSON)"),
}
"""`episodes.parquet` of a recording."""

STEPS: dict[str, Column] = {
    "episode": Column("INTEGER", "number in the suite"),
    "step": Column("INTEGER", "0: the state after reset"),
    "t_s": Column("DOUBLE", "time since reset, s"),
    "action": Column("VARCHAR", "taken in this state (JSON); the last row has none"),
    "reward": Column("DOUBLE", "for that action"),
    "rewards": Column("VARCHAR", "its named terms (JSON)"),
    "value": Column("DOUBLE", "what the critic expects"),
    "entropy": Column("DOUBLE", "of the policy, nats"),
    "log_prob": Column("DOUBLE", "of the action"),
    "probs": Column("DOUBLE[]", "of all discrete actions"),
    "attention": Column(
        "DOUBLE[]", "over past frames, the oldest first, mean over heads", needed=False
    ),
    "memory_norm": Column("DOUBLE", "Euclidean norm of the memory state"),
    "memory_change": Column("DOUBLE", "and of its change in this decision"),
    "ego_x": Column("DOUBLE", "m", needed=False),
    "ego_y": Column("DOUBLE", "m", needed=False),
    "ego_heading": Column("DOUBLE", "rad", needed=False),
    "ego_speed": Column("DOUBLE", "m/s", needed=False),
    "cue": Column("VARCHAR", "what was shown (JSON)", needed=False),
    "grid": Column(
        "FLOAT[]", "cells shown: number, presence, vx, vy of each that is not empty", needed=False
    ),
    "lanes": Column("FLOAT[]", "lanes shown, the leftmost first, end to end", needed=False),
    "ego": Column("FLOAT[]", "shown of the ego beside these two", needed=False),
}
"""`steps.parquet` of a recording, a row for each decision and one for the last state."""

ACTORS: dict[str, Column] = {
    "episode": Column("INTEGER", "number in the suite"),
    "step": Column("INTEGER", "as in steps"),
    "id": Column("INTEGER", "0: the ego"),
    "kind": Column("INTEGER", "0 vehicle, 1 obstacle, 2 landmark"),
    "x": Column("DOUBLE", "m"),
    "y": Column("DOUBLE", "m"),
    "heading": Column("DOUBLE", "rad"),
    "speed": Column("DOUBLE", "m/s"),
    "length": Column("DOUBLE", "m"),
    "width": Column("DOUBLE", "m"),
    "crashed": Column("BOOLEAN", "whether it has"),
    "visible_fraction": Column("DOUBLE", "share of five sight rays (geometry only)"),
    "perceived": Column("BOOLEAN", "whether the sensors show it now"),
    "age_s": Column("DOUBLE", "of the newest information, s; infinite: never perceived"),
    "ghost_x": Column(
        "DOUBLE", "where a tracker places it that is not perceived, m; null: nowhere", needed=False
    ),
    "ghost_y": Column("DOUBLE", "m", needed=False),
    "ghost_heading": Column("DOUBLE", "rad", needed=False),
}
"""`actors.parquet` of a recording, a row for each actor at each step, the ego first."""


def types(columns: Mapping[str, Column]) -> dict[str, str]:
    """Name to DuckDB type, as writers and readers of tables take it."""
    return {name: column.kind for name, column in columns.items()}


LATER = frozenset(name for name, column in EPISODES.items() if column.later)
"""Columns of episodes that files from before them lack."""

EPISODE_COLUMNS, RECORDED_COLUMNS = types(EPISODES), types(RECORDED)
STEP_COLUMNS, ACTOR_COLUMNS = types(STEPS), types(ACTORS)

MEASURES = {name: column.title for name, column in EPISODES.items() if column.title}
"""Columns of episodes whose means a report shows, and what it calls them."""

PROBES: dict[str, dict[str, str]] = {
    "scores": {
        "run": "VARCHAR", "driver": "VARCHAR", "lesion": "VARCHAR", "scenario": "VARCHAR",
        "input": "VARCHAR", "target": "VARCHAR", "measure": "VARCHAR", "age_low_s": "DOUBLE",
        "age_high_s": "DOUBLE", "score": "DOUBLE", "low": "DOUBLE", "high": "DOUBLE",
        "chance": "DOUBLE", "decisions": "INTEGER", "episodes": "INTEGER",
    },
    "attention": {
        "run": "VARCHAR", "what": "VARCHAR", "layer": "INTEGER", "head": "INTEGER",
        "age_steps": "INTEGER", "age_s": "DOUBLE", "mass": "DOUBLE", "uniform": "DOUBLE",
        "decisions": "INTEGER",
    },
    "saliency": {
        "run": "VARCHAR", "age_steps": "INTEGER", "age_s": "DOUBLE", "share": "DOUBLE",
        "low": "DOUBLE", "high": "DOUBLE", "decisions": "INTEGER",
    },
    "plasticity": {
        "run": "VARCHAR", "driver": "VARCHAR", "lesion": "VARCHAR", "scenario": "VARCHAR",
        "layer": "VARCHAR", "units": "INTEGER", "dormant": "DOUBLE", "feature_rank": "INTEGER",
        "effective_rank": "DOUBLE", "decisions": "INTEGER",
    },
    "decoded": {
        "episode": "INTEGER", "seed": "BIGINT", "step": "INTEGER", "id": "BIGINT",
        "decoded_x": "DOUBLE", "decoded_y": "DOUBLE", "x": "DOUBLE", "y": "DOUBLE",
        "age_s": "DOUBLE",
    },
    "latents": {
        "episode": "INTEGER", "seed": "BIGINT", "step": "INTEGER", "id": "BIGINT",
        "part": "INTEGER", "target": "VARCHAR", "kinds": "BOOLEAN", "value": "DOUBLE",
        "decoded": "DOUBLE", "confidence": "DOUBLE", "x": "DOUBLE", "y": "DOUBLE",
        "age_s": "DOUBLE",
    },
}  # fmt: skip
"""Tables of a probe, name to columns (docs/probes.md)."""

EDITS: dict[str, str] = {
    "run": "VARCHAR", "driver": "VARCHAR", "lesion": "VARCHAR", "scenario": "VARCHAR",
    "target": "VARCHAR", "after_s": "DOUBLE", "measure": "VARCHAR", "arm": "VARCHAR",
    "estimate": "DOUBLE", "low": "DOUBLE", "high": "DOUBLE", "episodes": "INTEGER",
}  # fmt: skip
"""`effects.parquet` of edits of memory (docs/probes.md)."""
FOLLOWS_TELLING = "acts as when told the new value"
FOLLOWS_KIND = "acts as with the new value"
EDIT_READ = "the probe reads the new value"
EDIT_OUTCOME = "another outcome"
"""Measures of edits that reports show: of the first two a run has the one that fits its target."""
