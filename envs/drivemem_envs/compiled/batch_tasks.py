"""Tasks in NumPy beside compiled dynamics: one call judges all worlds that were stepped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem_envs.batch_task import Moment, begun, judged, rewards_of
from drivemem_envs.compiled import codes
from drivemem_envs.compiled.decision import Batch, end
from drivemem_envs.compiled.scenes.scene_source import SceneSource
from drivemem_envs.scenario_spec import Scenario

# Not from `_jit`: what imports that is taken for a source of kernels.
Ints = NDArray[np.int64]


class BatchTasks:
    """The `BatchTask` of N worlds, and what it remembers of each.

    Args:
        scenario: of a `TaskWorld`.
        source: where its scenes come from.
    """

    def __init__(self, scenario: Scenario, source: SceneSource) -> None:
        world: Any = scenario.world_class()
        self.task = world.make_task(source.env.config, list(source.scene.network.lane_indices))
        self._drawn, self._latent = source.drawn, source.latent
        self._state = np.zeros((len(self._drawn), self.task.state_size))
        self._window_s = scenario.sensors.cue_window_s
        self.navigation = np.zeros((len(self._drawn), self.task.navigation_size), np.float32)
        """What a map tells each world (N, M)."""

    def begin(self, batch: Batch, rows: Ints) -> None:
        """Begin the episodes of worlds (R,) that were just reset and perceived."""
        self._state[rows] = begun(self.task, self._drawn[rows])
        self._tell(batch, rows)

    def take(self, rows: Ints | slice, other: BatchTasks, worlds: Ints) -> None:
        """Let worlds (R,) be where some of another batch of the same scenario are (R,)."""
        self._drawn[rows], self._state[rows] = other._drawn[worlds], other._state[worlds]
        self.navigation[rows] = other.navigation[worlds]

    def judge(self, batch: Batch, rows: Ints) -> None:
        """Reward, end and result of the last decision of worlds (R,); what they are told anew."""
        result = batch.result
        moment, drawn, state = _moment(batch, rows), self._drawn[rows], self._state[rows]
        verdict = judged(self.task, moment, drawn, state)
        self._state[rows] = state
        result.terms[rows, : len(self.task.terms)] = verdict.terms
        result.rewards[rows] = rewards_of(self.task, verdict)
        age_s = (batch.sight.decisions[rows] - 1) * batch.task.vector[codes.DECISION]
        late = verdict.truncated | (age_s >= batch.task.limit_s[0] - 1e-9)
        result.terminated[rows] = verdict.terminated
        result.truncated[rows] = late & ~verdict.terminated
        ended = np.flatnonzero(verdict.terminated | late)
        if len(ended):
            told = verdict.success, verdict.wrong_route, verdict.violation
            end(batch, rows[ended], np.stack(told, axis=1)[ended])
        self._tell(batch, rows)

    def _tell(self, batch: Batch, rows: Ints) -> None:
        """Write what a map tells, what is announced, where it is still shown, and what is hidden.

        The kernel has emptied what is shown, or left it as it was with perfect recall.
        """
        task, drawn, state = self.task, self._drawn[rows], self._state[rows]
        self._latent[rows] = task.latent(drawn, state)
        self.navigation[rows] = task.navigation(drawn, state)
        if not task.cue_size:
            return
        age_s = (batch.sight.decisions[rows] - 1) * batch.task.vector[codes.DECISION]
        age_s = age_s - task.announced_s(drawn, state)
        fresh = np.full(len(rows), True)
        if self._window_s is not None:
            fresh = age_s < self._window_s - 1e-9
        batch.shown.shown[rows[fresh]] = task.cue(drawn, state)[fresh]


def _moment(batch: Batch, rows: Ints) -> Moment:
    """What a decision left of the egos (R,)."""
    columns = dict(zip(Moment._fields, batch.result.moments[rows].T.copy(), strict=True))
    kinds = {
        "lane": np.int64, "target_lane": np.int64, "on_road": np.bool_, "crashed": np.bool_,
    }  # fmt: skip
    return Moment(**{name: part.astype(kinds.get(name, float)) for name, part in columns.items()})
