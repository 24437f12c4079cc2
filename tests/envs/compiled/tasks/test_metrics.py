"""Outcome and metrics in kernels equal those computed from recorded truth."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivemem_envs.compiled.tasks import metrics as kernels
from drivemem_envs.metrics import METRICS, EpisodeMetrics
from drivemem_envs.outcomes import OUTCOMES, is_stuck

DT = 0.2


def random_truths(seed, steps, actors):
    """An episode in which vehicles come and go, get hidden and crash at the end."""
    random = np.random.default_rng(seed)
    place, speed = random.uniform(-15, 15, (actors, 2)), random.uniform(0, 12, actors)
    heading = random.uniform(-3, 3, actors)
    ids = np.array([0, *range(1, actors - 1), kernels.FIRST_OBJECT_ID])
    kind = np.array([0] * (actors - 1) + [random.integers(1, 3)])
    speed[-1] = 0
    truths = []
    for step in range(steps):
        speed[:-1] = np.abs(speed[:-1] + random.normal(0, 1.0, actors - 1))
        place += DT * speed[:, None] * np.column_stack([np.cos(heading), np.sin(heading)])
        there = np.concatenate([[True], random.random(actors - 2) < 0.9, [True]])
        perceived = random.random(actors) < 0.6
        perceived[0] = True
        crash = np.zeros(actors, dtype=bool)
        if step == steps - 1 and seed % 2:
            crash[0] = crash[1] = True
        truth = {
            "id": ids, "kind": kind, "x": place[:, 0], "y": place[:, 1], "heading": heading,
            "speed": speed, "length": np.full(actors, 5.0), "width": np.full(actors, 2.0),
            "crashed": crash, "perceived": perceived,
        }  # fmt: skip
        truths.append({key: value[there].copy() for key, value in truth.items()})
    return truths


def run_kernels(truths, capacity=8):
    memory = kernels.make_memory(1, len(truths) - 1, capacity, 20)
    ego, paths, others, hidden, revealed = (part[0] for part in memory)
    kernels.forget(hidden, revealed)
    boxes, out = np.zeros((2, 7)), np.zeros(len(METRICS))
    for step, truth in enumerate(truths):
        vx, vy = (
            truth["speed"] * np.cos(truth["heading"]),
            truth["speed"] * np.sin(truth["heading"]),
        )
        actors = np.column_stack(
            [
                truth["x"], truth["y"], truth["heading"], vx, vy, truth["length"],
                truth["width"], truth["kind"],
            ]
        ).astype(float)  # fmt: skip
        report = np.zeros((len(actors), 3))
        report[:, 1] = truth["perceived"]
        kernels.add_decision(
            actors, truth["id"], truth["speed"][0], report, step, ego, paths, others, hidden,
            revealed, boxes,
        )  # fmt: skip
    kernels.summarize(ego, paths, others, len(truths), DT, out)
    kernels.summarize_collision(
        actors, truth["id"], truth["speed"], truth["crashed"].astype(np.int64), hidden, revealed,
        capacity, len(truths), DT, boxes, out,
    )  # fmt: skip
    return out, ego


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**20), steps=st.integers(1, 30), actors=st.integers(3, 8))
def test_metrics_are_those_of_the_recorded_truth(seed, steps, actors):
    truths = random_truths(seed, steps, actors)
    recorded = EpisodeMetrics(DT)
    for truth in truths:
        recorded.add(truth)
    out, ego = run_kernels(truths)
    for index, (name, expected) in enumerate(recorded.result().items()):
        index = METRICS.index(name)
        if name == "at_fault":
            assert kernels.FAULTS[int(out[index])] == expected
        elif isinstance(expected, float) and math.isnan(expected):
            assert math.isnan(out[index]), name
        else:
            assert out[index] == pytest.approx(float(expected), rel=1e-12), name
    assert kernels.is_stuck(ego, steps) == is_stuck(recorded.speeds())


def test_every_metric_has_a_place():
    assert METRICS[kernels.AT_FAULT] == "at_fault"
    assert METRICS[kernels.BLIND_ENTRY] == "blind_entry_speed"
    assert METRICS[kernels.PET] == "pet"


def test_outcomes_are_tested_in_order():
    flags = np.eye(6, dtype=bool)
    found = [OUTCOMES[kernels.outcome(*row)] for row in flags]
    assert found == ["collision", "off_road", "wrong_route", "violation", "success", "stuck"]
    assert OUTCOMES[kernels.outcome(*[False] * 6)] == "timeout"
    assert OUTCOMES[kernels.outcome(*[True] * 6)] == "collision"
    assert OUTCOMES[kernels.outcome(False, False, False, False, True, True)] == "success"
