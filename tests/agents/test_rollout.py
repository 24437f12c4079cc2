"""Advantages and chunks against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import torch

from drivemem_agents.losses import clipped_policy_loss
from drivemem_agents.rollout import Rollout, generalised_advantages


def test_advantages_by_hand():
    # gamma .5, lambda .5; the episode ends after the second of three steps.
    # t=2: delta = 3 + .5*4 - 1 = 4;                 A = 4
    # t=1: delta = 2 + 0     - 2 = 0 (done);         A = 0
    # t=0: delta = 1 + .5*2  - 1 = 1;                A = 1 + .25*0 = 1
    rewards = np.array([[1.0], [2.0], [3.0]], dtype=np.float32)
    values = np.array([[1.0], [2.0], [1.0]], dtype=np.float32)
    dones = np.array([[False], [True], [False]])
    last = np.array([4.0], dtype=np.float32)
    found = generalised_advantages(rewards, values, dones, last, 0.5, 0.5)
    np.testing.assert_allclose(found[:, 0], [1.0, 0.0, 4.0])


def test_advantages_accumulate_backwards():
    # gamma 1, lambda 1, no end: the advantage is the sum of rewards plus the last value, minus V.
    rewards = np.ones((4, 2), dtype=np.float32)
    values = np.full((4, 2), 0.25, dtype=np.float32)
    dones = np.zeros((4, 2), dtype=bool)
    last = np.array([10.0, 20.0], dtype=np.float32)
    found = generalised_advantages(rewards, values, dones, last, 1.0, 1.0)
    np.testing.assert_allclose(found[:, 0], [13.75, 12.75, 11.75, 10.75])
    np.testing.assert_allclose(found[:, 1], [23.75, 22.75, 21.75, 20.75])


def test_clipped_loss_by_hand():
    # ratios 2 and .5 with clip .2; advantages 1 and -1:
    # min(2, 1.2) = 1.2;  min(-.5, -.8) = -.8;  loss = -(1.2 - .8) / 2 = -.2
    log_ratio = torch.log(torch.tensor([2.0, 0.5]))
    loss, found = clipped_policy_loss(log_ratio, torch.zeros(2), torch.tensor([1.0, -1.0]), 0.2)
    torch.testing.assert_close(loss, torch.tensor(-0.2))
    torch.testing.assert_close(found, log_ratio)


def test_minibatches_are_whole_chunks_with_their_own_state():
    rollout = Rollout(steps=6, worlds=3, chunk=2, device=torch.device("cpu"))
    for t in range(6):
        world = torch.arange(3.0)
        rollout.store(t, "observation.x", (10 * world + t)[:, None])
        rollout.store(t, "actions", torch.zeros(3, 1))
    states = [{"h": (100 * part + torch.arange(3.0))[:, None]} for part in range(3)]
    seen = []
    for batch in rollout.minibatches(4, states):
        x = batch.observation["x"][..., 0]
        assert x.shape[0] == 2 and x.shape[1] <= 2  # 4 transitions: 2 chunks of 2
        torch.testing.assert_close(x[1], x[0] + 1)  # consecutive steps of one world
        part, world = (x[0] % 10) // 2, x[0] // 10
        torch.testing.assert_close(batch.state["h"][:, 0], 100 * part + world)
        seen += x.flatten().tolist()
    assert sorted(seen) == sorted(10 * w + t for w in range(3) for t in range(6))
