"""Rewards of goal environments, the same for one goal and for many."""

from __future__ import annotations

from typing import Any

import numpy as np


class GoalRewards:
    """Mixed in before a goal environment of highway-env: rewards of a batch row by row.

    highway-env multiplies goals and weights with `np.dot`, and BLAS adds a matrix's rows in
    another order than a vector on most processors. So the reward that hindsight replay computes
    for a batch would differ from the one that was stepped in its last bit.
    """

    def compute_reward(
        self, achieved_goal: Any, desired_goal: Any, info: Any, **options: Any
    ) -> Any:
        """Reward of goals (D,), or rewards (B,) of goals (B, D) with B infos."""
        one = super().compute_reward  # type: ignore[misc]
        if np.ndim(achieved_goal) < 2:
            return one(achieved_goal, desired_goal, info, **options)
        rows = zip(achieved_goal, desired_goal, info, strict=True)
        return np.array(
            [one(achieved, desired, told, **options) for achieved, desired, told in rows]
        )
