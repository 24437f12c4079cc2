"""Elastic weight consolidation: weights that an earlier task relies on are held (EWC).

Source: Kirkpatrick et al. 2017, "Overcoming catastrophic forgetting in neural networks".
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from drivemem_agents.observations import select
from drivemem_agents.policy import MemoryPolicy
from drivemem_agents.rollout import Rollout

WORLDS = 64
"""Worlds of a rollout that the Fisher information is estimated from, at most."""


class Consolidation:
    """The penalty on moving weights away from where they are now, by how much they matter.

    Args:
        policy: with the weights to hold.
        importance: a weight's name to its `fisher_information`; weights without are free.
        coef: of the penalty; the weights' drift falls as it grows.

    Raises:
        ValueError: importance of another architecture.
    """

    def __init__(self, policy: MemoryPolicy, importance: Mapping[str, Tensor], coef: float) -> None:
        weights = dict(policy.named_parameters())
        for name, value in importance.items():
            if name not in weights or weights[name].shape != value.shape:
                raise ValueError(f"importance of '{name}' fits no weight of this policy")
        self.coef = coef
        self._held = {
            name: (value.to(weights[name].device), weights[name].detach().clone())
            for name, value in importance.items()
        }

    def penalty(self, policy: MemoryPolicy) -> Tensor:
        """Half of coef times the sum over weights of importance times squared drift, a scalar."""
        weights = dict(policy.named_parameters())
        drifts = [
            (importance * (weights[name] - start).square()).sum()
            for name, (importance, start) in self._held.items()
        ]
        total = torch.stack(drifts).sum() if drifts else torch.zeros((), device=policy.device)
        return 0.5 * self.coef * total


def fisher_information(policy: MemoryPolicy, rollout: Rollout) -> dict[str, Tensor]:
    """The diagonal Fisher information per decision of the policy's weights, on a rollout.

    Actions are drawn anew from the present policy, so the scores of different decisions are
    uncorrelated, and the square of their sum over a world's steps estimates the sum of their
    squares: one backward pass for each world is enough, through time as in training. Weights that
    do not touch the actions, such as the value head's, have none and are left out, as are frozen
    ones (`requires_grad=False`).

    Args:
        policy: with its present weights; its gradients are left alone.
        rollout: full; up to `WORLDS` worlds of it are used.
    """
    policy.set_training_mode(False)
    worlds = slice(0, min(WORLDS, rollout.worlds))
    # Copies: what was stored while acting cannot take part in a backward pass.
    observation = {name: part[:, worlds].clone() for name, part in rollout.observation().items()}
    starts = rollout.starts[:, worlds].to(rollout.device)
    masks = rollout.columns.get("masks")
    masks = None if masks is None else masks[:, worlds].clone()
    state = {name: part[worlds].clone() for name, part in rollout.states[0].items()}
    learnt = [(name, w) for name, w in policy.named_parameters() if w.requires_grad]
    if not learnt:
        return {}
    names, weights = zip(*learnt, strict=True)
    total = [torch.zeros_like(weight) for weight in weights]
    drawn, present = [], state
    with torch.no_grad():
        for step in range(rollout.steps):
            mask = None if masks is None else masks[step]
            act = policy.act(select(observation, step), present, starts[step], False, mask)
            drawn.append(act.actions)
            present = act.state
    actions = torch.stack(drawn)
    for world in range(starts.shape[1]):
        one = slice(world, world + 1)
        found = policy.evaluate_sequence(
            {name: value[:, one] for name, value in observation.items()}, actions[:, one],
            select(state, one), starts[:, one], None if masks is None else masks[:, one],
        )  # fmt: skip
        if not found.log_prob.requires_grad:  # all that touches the actions is frozen
            return {}
        scores = torch.autograd.grad(found.log_prob.sum(), weights, allow_unused=True)
        for sums, score in zip(total, scores, strict=True):
            if score is not None:
                sums += score.square()
    count = starts.numel()
    return {name: sums / count for name, sums in zip(names, total, strict=True) if sums.any()}
