"""Dormant units and ranks of matrices and networks made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from drivemem.evaluation.config import evaluate_config
from drivemem.probes.driving import WorldSettings, probing_job
from drivemem.probes.plasticity import (
    dormant_share,
    effective_rank,
    feature_rank,
    plasticity,
    watched_layers,
)
from drivemem.runs import Run

WORLDS = WorldSettings("auto", 4, 1, quiet=True)


def test_dormant_units_are_those_with_little_of_the_layers_mean_activity() -> None:
    rows = np.array([[1.0, -3.0, 0.0, 0.1], [-3.0, 5.0, 0.0, 0.0]])  # means 2, 4, 0, 0.05
    assert dormant_share(rows) == 0.25  # the last unit's score is 0.05 / 1.5125 = 0.033
    assert dormant_share(rows, 0.04) == 0.5
    assert dormant_share(rows, 0.0) == 0.25
    assert dormant_share(np.ones((3, 8))) == 0.0
    assert dormant_share(np.zeros((3, 8))) == 1.0


def test_ranks_of_matrices_whose_singular_values_are_known() -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))

    def matrix(*values: float) -> np.ndarray:
        return turn[:, : len(values)] * values @ turn[: len(values)]

    assert feature_rank(matrix(1, 1, 1, 1)) == 4
    assert effective_rank(matrix(1, 1, 1, 1)) == pytest.approx(4.0)
    assert (feature_rank(matrix(98, 1, 1)), feature_rank(matrix(99, 1))) == (2, 1)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert effective_rank(matrix(3, 1)) == pytest.approx(math.exp(entropy))
    assert effective_rank(matrix(7, 0, 0)) == pytest.approx(1.0)
    assert feature_rank(np.zeros((4, 3))) == effective_rank(np.zeros((4, 3))) == 0


def test_a_network_with_cut_units_shows_it(run: Run) -> None:
    job = probing_job(run.folder, "intact", evaluate_config(episodes=10))
    policy = job.driver.policy  # type: ignore[attr-defined]
    whole = {one.layer: one for one in plasticity(job, policy, WORLDS)}
    assert list(whole) == ["encoder", "memory", "heads"]
    assert whole["memory"].units == 16 and whole["memory"].dormant == 0.0
    last = policy.action_layers[-2]
    with torch.no_grad():
        last.weight[:16], last.bias[:16] = 0.0, 0.0  # dormant
        last.weight[16:], last.bias[16:] = last.weight[16:17], last.bias[16:17]  # all the same
    cut = {one.layer: one for one in plasticity(job, policy, WORLDS)}
    assert cut["heads"].dormant == 16 / cut["heads"].units
    assert cut["heads"].feature_rank == 1
    assert cut["heads"].effective_rank == pytest.approx(1.0, abs=1e-3)
    assert cut["memory"] == whole["memory"], "seen by the same driver, whatever the heads do"


def test_what_is_watched_is_what_the_heads_read(run: Run) -> None:
    job = probing_job(run.folder, "intact", evaluate_config(episodes=10))
    policy = job.driver.policy  # type: ignore[attr-defined]
    with WORLDS.opened(job.suite) as (env, _), watched_layers(policy) as layers:
        observation, _ = env.reset()
        starts = torch.ones(env.num_envs, dtype=torch.bool)
        with torch.inference_mode():
            act = policy.act(policy.to_tensors(observation), policy.initial_state(4), starts)
        assert torch.equal(layers["memory"], act.features)
    layers.clear()
    with torch.inference_mode():
        policy.act(policy.to_tensors(observation), policy.initial_state(4), starts)
    assert not layers, "afterwards nothing is watched"
