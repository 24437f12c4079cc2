"""Where attention goes: its mass by age, and on the frame that last showed what is hidden now."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.evaluation.attention import AttentionTap
from drivemem.probes.traces import ProbedMoment


@dataclass(frozen=True)
class Mass:
    """Attention on frames of one age, of one head."""

    what: str
    """`age`: all frames of that age; else what that frame was the last to show."""
    layer: int
    head: int
    age_steps: int | None
    """None: whatever the age."""
    mass: float
    uniform: float
    """What equal attention to every frame of the window would give."""
    decisions: int


class AttentionWatch:
    """Adds up attention over a suite.

    Args:
        tap: of the policy that drives.
        episodes: of the suite; later ones are idle worlds'.
        decision_s: decision period, s.
    """

    def __init__(self, tap: AttentionTap, episodes: int, decision_s: float) -> None:
        self._tap, self._episodes, self._decision_s = tap, episodes, decision_s
        self._sums: dict[tuple[str, int], list[Any]] = defaultdict(lambda: [0.0, 0.0, 0])

    def see(self, observation: Any, moment: ProbedMoment, masks: NDArray[Any] | None) -> None:
        """Take note of one decision."""
        weights = self._tap.weights()
        if weights is None:
            return
        window = weights.shape[-1]
        frames = np.minimum(moment.step + 1, window)
        for world in np.flatnonzero(moment.episode < self._episodes):
            seen, uniform = int(frames[world]), 1.0 / frames[world]
            for age in range(seen):
                self._add("age", age, weights[world, :, :, age], uniform)
            for what, age_s in (
                ("hidden actor last seen", moment.hidden.age_s[world]),
                ("cue last shown", moment.cue_age_s[world]),
            ):
                age = -1 if not np.isfinite(age_s) else round(float(age_s) / self._decision_s)
                if 0 < age <= moment.step[world]:
                    inside = age < window
                    mass = weights[world, :, :, age] if inside else 0.0 * weights[world, :, :, 0]
                    self._add(what, -1, mass, uniform if inside else 0.0)

    def table(self) -> list[Mass]:
        """Means over decisions, by head."""
        return [
            Mass(
                what, layer, head, None if age < 0 else age, float(total[layer, head] / count),
                uniform / count, count,
            )
            for (what, age), (total, uniform, count) in sorted(self._sums.items())
            for layer in range(len(total))
            for head in range(len(total[layer]))
        ]  # fmt: skip

    def _add(self, what: str, age: int, mass: NDArray[np.float64], uniform: float) -> None:
        kept = self._sums[what, age]
        kept[0], kept[1], kept[2] = kept[0] + mass, kept[1] + uniform, kept[2] + 1
