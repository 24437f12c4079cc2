"""The task of who drives along x: be at a goal in time, unharmed, the faster the better."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from drivemem_envs.batch_task import BatchTask, Floats, Moment, Verdict


class ReachTask(BatchTask):
    """Be at `goal_x` within `duration`, which ends the episode; speed counts on the way."""

    terms = ("collision_reward", "goal_reward", "high_speed_reward")

    @property
    @abstractmethod
    def goal_x(self) -> float:
        """Where the ego has arrived, m."""

    def judge(self, moment: Moment, drawn: Floats, state: Floats) -> Verdict:
        """Arrived, crashed, late, or on the way."""
        slow, fast = self.config["reward_speed_range"]
        arrived = (moment.x >= self.goal_x) & ~moment.crashed
        speed = np.clip((moment.speed - slow) / (fast - slow), 0.0, 1.0)
        no = np.zeros(len(arrived), dtype=bool)
        return Verdict(
            np.stack([moment.crashed, arrived, speed], axis=1).astype(np.float64),
            terminated=moment.crashed | arrived,
            truncated=moment.time_s >= self.config["duration"] - 1e-9,
            success=arrived,
            wrong_route=no,
            violation=no,
        )
