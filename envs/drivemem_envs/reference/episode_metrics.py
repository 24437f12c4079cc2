"""Metrics of one episode from the truth of its decisions: those of the kernels, and all others."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivemem_envs._jit import Floats
from drivemem_envs.episode_trace import (
    ego_trace,
    make_trace,
    record,
    summarize,
    summarize_collision,
)
from drivemem_envs.metrics import METRICS, named
from drivemem_envs.sensing.layout import (
    COLUMNS,
    FIRST_OBJECT_ID,
    HEADING,
    KIND,
    LENGTH,
    PERCEIVED,
    REPORT_COLUMNS,
    VX,
    VY,
    WIDTH,
    X,
    Y,
)

Truth = dict[str, np.ndarray[Any, Any]]


class EpisodeMetrics:
    """Metrics of one episode from the truth of its decisions, live or recorded.

    Args:
        decision_s: decision period, s.
    """

    def __init__(self, decision_s: float) -> None:
        self.decision_s = decision_s
        self._truths: list[Truth] = []

    def add(self, truth: Truth) -> None:
        """Take in the truth at the next decision (`truth()` of an environment)."""
        self._truths.append(truth)

    def speeds(self) -> Floats:
        """The ego's speed at each decision (T,), m/s."""
        return np.array([float(truth["speed"][0]) for truth in self._truths])

    def result(self) -> dict[str, Any]:
        """The episode's metrics by name; nan where one is not defined."""
        truths, steps = self._truths, len(self._truths)
        ids = np.concatenate([truth["id"] for truth in truths])
        is_object = ids >= FIRST_OBJECT_ID
        objects = int((ids[is_object] - FIRST_OBJECT_ID).max(initial=-1)) + 1
        actors = max(objects, *(len(truth["id"]) for truth in truths))
        trace = make_trace(1, steps - 1, actors, int(ids[~is_object].max()) + 1)
        boxes, values = np.zeros((2, 7)), np.zeros((1, len(METRICS)))
        for step, truth in enumerate(truths):
            table, report = _table(truth), np.zeros((len(truth["id"]), REPORT_COLUMNS))
            report[:, PERCEIVED] = truth["perceived"]
            speed = float(truth["speed"][0])
            record(trace, 0, step, table, truth["id"], speed, report, boxes)
        summarize(trace, 0, steps, self.decision_s, values[0])
        summarize_collision(
            trace, 0, steps, self.decision_s, table, truth["id"],
            truth["speed"], truth["crashed"].astype(np.int64), boxes, values[0],
        )  # fmt: skip
        found = named(values, lambda _: ego_trace(trace, 0, steps, self.decision_s))
        return {name: column.tolist()[0] for name, column in found.items()}


def _table(truth: Truth) -> Floats:
    """The actors of a truth as the kernels read them (A, COLUMNS)."""
    table = np.zeros((len(truth["id"]), COLUMNS))
    heading, speed = truth["heading"], truth["speed"]
    table[:, X], table[:, Y], table[:, HEADING] = truth["x"], truth["y"], heading
    table[:, VX], table[:, VY] = speed * np.cos(heading), speed * np.sin(heading)
    table[:, LENGTH], table[:, WIDTH] = truth["length"], truth["width"]
    table[:, KIND] = truth["kind"]
    return table
