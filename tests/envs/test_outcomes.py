"""Exactly one outcome, the first that holds; both backends call these functions."""

from __future__ import annotations

import numpy as np

from drivemem_envs.outcomes import OUTCOMES, first_outcome, is_stuck


def test_stuck_is_standing_for_most_of_the_last_third():
    assert is_stuck(np.array([9.0] * 20 + [0.0] * 10))
    assert not is_stuck(np.array([0.0] * 20 + [9.0] * 10))
    assert not is_stuck(np.array([9.0] * 26 + [0.0] * 4))
    assert is_stuck(np.array([0.0]))


def test_outcomes_are_tested_in_order():
    flags = np.eye(6, dtype=bool)
    found = [OUTCOMES[first_outcome(*row)] for row in flags]
    assert found == ["collision", "off_road", "wrong_route", "violation", "success", "stuck"]
    assert OUTCOMES[first_outcome(*[False] * 6)] == "timeout"
    assert OUTCOMES[first_outcome(*[True] * 6)] == "collision"
    assert OUTCOMES[first_outcome(False, False, False, False, True, True)] == "success"
