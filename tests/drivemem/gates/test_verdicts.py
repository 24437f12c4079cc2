"""Verdicts of gates by hand: each passes at its bound and fails beyond it."""

from __future__ import annotations

import math

import pytest

from drivemem.comparison.rows import Judged
from drivemem.comparison.statistics import wilson
from drivemem.gates.verdicts import (
    GATES,
    Arm,
    Finding,
    Verdict,
    judge_headroom,
    judge_learnable,
    judge_oracle,
    judge_shortcuts,
)

PASS, FAIL, NOT_RUN = Verdict.PASS, Verdict.FAIL, Verdict.NOT_RUN


def arm(
    name: str, *scores: float, collision: float = 0.1, time: float = 10.0, spread: float = 0.0
) -> Arm:
    """An arm whose runs differ in their scores, and by so much in their times."""
    times = tuple(time + spread * (k - (len(scores) - 1) / 2) for k in range(len(scores)))
    return Arm(name, scores, (collision,) * len(scores), times, 1000)


def judged(judge, *arms: Arm, by: Judged = Judged.SUCCESS) -> Finding:
    finding = judge({one.name: one for one in arms}, by)
    assert "\n" not in finding.words
    return finding


@pytest.mark.parametrize(("score", "verdict"), [(0.95, PASS), (0.949, FAIL), (1.0, PASS)])
def test_the_oracle_reaches_95_of_100(score: float, verdict: Verdict) -> None:
    found = judge_oracle({"oracle": arm("planner", score)}, Judged.ON_TIME)
    assert found.verdict is verdict
    assert found.figures["oracle"] == wilson(round(1000 * score), 1000)
    low, high = found.figures["oracle"][1:]
    assert found.words == f"planner: on time {score:.3f} [{low:.3f}, {high:.3f}]"


@pytest.mark.parametrize(
    ("scores", "verdict", "says"),
    [
        ((0.97, 0.96, 0.95), PASS, "3 of 3 runs within 0.03 of 0.980"),
        ((1.0, 0.95, 0.96), PASS, "spread 0.050"),
        ((0.97, 0.96, 0.949), FAIL, "2 of 3 runs"),
        ((1.0, 0.949 + 0.001, 1.0), PASS, "3 of 3 runs"),
        ((1.0, 0.95, 0.9499), FAIL, "2 of 3 runs"),
        ((1.006, 0.955, 0.96), FAIL, "3 of 3 runs"),
    ],
)
def test_every_run_with_full_sensors_comes_near(
    scores: tuple[float, ...], verdict: Verdict, says: str
) -> None:
    found = judged(judge_learnable, arm("oracle", 0.98), arm("full", *scores))
    assert found.verdict is verdict
    assert says in found.words


def test_without_an_oracle_runs_come_near_the_least_of_one() -> None:
    found = judged(judge_learnable, arm("full", 0.92, 0.93))
    assert found.verdict is PASS and "of 0.950, the least of an oracle, for none" in found.words
    assert judged(judge_learnable, arm("full", 0.919, 0.93)).verdict is FAIL


def test_headroom_in_score() -> None:
    none = arm("none", 0.60, 0.61, 0.59)
    found = judged(judge_headroom, none, arm("perfect_recall", 0.75, 0.76, 0.74))
    assert found.verdict is PASS and found.words.endswith("passes by success")
    assert found.figures["headroom"].estimate == pytest.approx(0.15)
    assert found.figures["headroom"].low > 0
    assert judged(judge_headroom, none, arm("perfect_recall", 0.74, 0.75, 0.73)).verdict is FAIL


def test_headroom_that_is_not_surely_there_asks_for_more_seeds() -> None:
    none = arm("none", 0.10, 0.90)
    found = judged(judge_headroom, none, arm("perfect_recall", 0.60, 0.80))
    assert found.figures["headroom"].estimate == pytest.approx(0.2)
    assert found.verdict is FAIL
    assert found.words.endswith("large enough, but not surely above 0: give more seeds")


def test_a_single_run_passes_by_its_estimate() -> None:
    assert judged(judge_headroom, arm("none", 0.5), arm("perfect_recall", 0.7)).verdict is PASS


@pytest.mark.parametrize(
    ("time", "collision", "verdict"),
    [(8.5, 0.12, PASS), (8.6, 0.12, FAIL), (8.5, 0.121, FAIL), (7.0, 0.3, FAIL)],
)
def test_headroom_in_travel_time_at_equal_safety(
    time: float, collision: float, verdict: Verdict
) -> None:
    none = arm("none", 0.8, 0.8, 0.8)
    recall = arm("perfect_recall", 0.8, 0.8, 0.8, time=time, collision=collision)
    found = judged(judge_headroom, none, recall)
    assert found.verdict is verdict
    assert found.words.endswith("passes by travel time") is (verdict is PASS)
    assert ("(not as safe)" in found.words) is (collision > 0.12)
    assert found.figures["time_saved"].estimate == pytest.approx(1 - time / 10)


def test_a_run_that_never_succeeds_has_no_travel_time() -> None:
    none = Arm("none", (0.0, 0.1), (1.0, 0.9), (math.nan, 10.0), 10)
    found = judged(judge_headroom, none, arm("perfect_recall", 0.1, 0.1, time=1.0))
    assert found.verdict is FAIL and math.isnan(found.figures["time_saved"].estimate)
    assert "nan" not in found.words and "no travel times to compare" in found.words


def test_headroom_is_counted_from_the_better_agent_without_memory() -> None:
    recall, none = arm("perfect_recall", 0.96, 0.96), arm("none", 0.0, 0.0)
    alone = judged(judge_headroom, none, recall)
    assert alone.verdict is PASS
    taught = judged(judge_headroom, none, recall, arm("none_taught", 0.89, 0.89))
    assert taught.verdict is FAIL and "0.890 of none_taught" in taught.words
    assert taught.figures["headroom"].estimate == pytest.approx(0.07)
    worse = judged(judge_headroom, arm("none", 0.5, 0.5), recall, arm("none_taught", 0.4, 0.4))
    assert worse.figures["headroom"].estimate == pytest.approx(0.46)


def test_shortcuts_leave_a_third() -> None:
    arms = [
        arm("none", 0.5, 0.5),
        arm("perfect_recall", 0.8, 0.8),
        arm("frame_stack", 0.7, 0.7),
        arm("kalman", 0.55, 0.55),
        arm("oracle", 1.0),
        arm("full", 0.9, 0.9),
    ]
    found = judged(judge_shortcuts, *arms)
    assert found.verdict is PASS
    shares = {name: one.estimate for name, one in found.figures.items()}
    assert shares == {"frame_stack": pytest.approx(2 / 3), "kalman": pytest.approx(1 / 6)}
    arms[2] = arm("frame_stack", 0.701, 0.7)
    assert judged(judge_shortcuts, *arms).verdict is FAIL


def test_shortcuts_in_travel_time_count_only_at_equal_safety() -> None:
    arms = [
        arm("none", 0.8, 0.8),
        arm("perfect_recall", 0.8, 0.8, time=8.0),
        arm("frame_stack", 0.5, 0.5, time=6.0, collision=0.4),
    ]
    found = judged(judge_shortcuts, *arms)
    assert found.verdict is PASS and found.figures["frame_stack"].estimate == 0.0
    assert "in travel time" in found.words
    arms[2] = arm("frame_stack", 0.8, 0.8, time=8.5)
    found = judged(judge_shortcuts, *arms)
    assert found.verdict is FAIL and found.figures["frame_stack"].estimate == pytest.approx(0.75)


def test_without_headroom_there_are_no_shortcuts_to_judge() -> None:
    arms = [arm("none", 0.5, 0.5), arm("perfect_recall", 0.5, 0.5), arm("frame_stack", 0.7, 0.7)]
    assert judged(judge_shortcuts, *arms).verdict is NOT_RUN


def test_gates_stand_in_their_order() -> None:
    assert [gate.name for gate in GATES] == ["oracle", "learnable", "headroom", "shortcuts"]
