"""PPO's loss on one minibatch, in the parts that other losses share, and what is logged of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from drivemem_agents.consolidation import Consolidation
from drivemem_agents.policy import MemoryPolicy
from drivemem_agents.policy_outputs import SequenceOutput
from drivemem_agents.ppo_settings import PPOSettings
from drivemem_agents.rollout import Minibatch


def ppo_loss(
    policy: MemoryPolicy,
    batch: Minibatch,
    settings: PPOSettings,
    consolidation: Consolidation | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """The loss to minimise, and its terms by SB3's names."""
    new = evaluated(policy, batch)
    loss, logged = surrogate(new, batch, settings)
    loss = with_companions(loss, logged, new, policy, batch, settings, consolidation)
    return loss, as_numbers(loss, logged)


def evaluated(policy: MemoryPolicy, batch: Minibatch) -> SequenceOutput:
    """What the policy makes of a minibatch now."""
    return policy.evaluate_sequence(
        batch.observation, batch.actions, batch.state, batch.starts, batch.masks, batch.privileged
    )


def surrogate(
    new: SequenceOutput, batch: Minibatch, settings: PPOSettings
) -> tuple[Tensor, dict[str, Tensor]]:
    """PPO's own terms: the clipped surrogate and the entropy bonus; and what is logged of them."""
    advantages = batch.advantages
    if settings.normalize_advantage and advantages.numel() > 1:
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    policy_loss, log_ratio = clipped_policy_loss(
        new.log_prob, batch.log_prob, advantages, settings.clip_range
    )
    entropy_loss = -new.entropy.mean()
    logged = {"policy_gradient_loss": policy_loss, "entropy_loss": entropy_loss}
    with torch.no_grad():
        logged["approx_kl"] = approximate_kl(log_ratio)
        logged["clip_fraction"] = (
            ((log_ratio.exp() - 1.0).abs() > settings.clip_range).float().mean()
        )
    return policy_loss + settings.ent_coef * entropy_loss, logged


def with_companions(
    loss: Tensor,
    logged: dict[str, Tensor],
    new: SequenceOutput,
    policy: MemoryPolicy,
    batch: Minibatch,
    settings: PPOSettings,
    consolidation: Consolidation | None,
) -> Tensor:
    """A loss of actions and what is learnt beside them: values, the auxiliary task, penalties.

    Args:
        loss: of the actions.
        logged: gets the terms that are added.
        new: what the policy makes of the minibatch.
        policy: that learns.
        batch: the minibatch.
        settings: the weights of the terms.
        consolidation: a penalty on moving weights, or None.
    """
    values = new.values
    if settings.clip_range_vf is not None:
        change = (values - batch.values).clamp(-settings.clip_range_vf, settings.clip_range_vf)
        values = batch.values + change
    logged["value_loss"] = nn.functional.mse_loss(values, batch.returns)
    loss = loss + settings.vf_coef * logged["value_loss"]
    if policy.prediction_head is not None and batch.privileged is not None:
        predicted = policy.prediction_head(new.features)
        logged["aux_loss"] = nn.functional.mse_loss(predicted, batch.privileged)
        loss = loss + settings.aux_coef * logged["aux_loss"]
    return _with_penalties(loss, policy, settings.l1_coef, consolidation, logged)


def as_numbers(loss: Tensor, logged: dict[str, Tensor]) -> dict[str, float]:
    """A loss and its terms as numbers, fetched at once."""
    with torch.no_grad():
        every = {**logged, "loss": loss}
        numbers = torch.stack([value.detach() for value in every.values()]).tolist()
    return dict(zip(every, numbers, strict=True))


def _with_penalties(
    loss: Tensor, policy: MemoryPolicy, l1_coef: float, consolidation: Consolidation | None,
    logged: dict[str, Tensor],
) -> Tensor:  # fmt: skip
    """The loss and what weights and memory cost in themselves; adds to what is logged."""
    cost = policy.memory.auxiliary_loss()
    if cost is not None:
        loss = loss + cost
    if l1_coef > 0.0:
        sums = [weight.abs().sum() for weight in policy.parameters()]
        loss = loss + l1_coef * torch.stack(sums).sum()
    if consolidation is not None:
        logged["consolidation_loss"] = consolidation.penalty(policy)
        loss = loss + logged["consolidation_loss"]
    return loss


def clipped_policy_loss(
    log_prob: Tensor, old_log_prob: Tensor, advantages: Tensor, clip: float
) -> tuple[Tensor, Tensor]:
    """PPO's clipped surrogate (equation 7 of Schulman et al. 2017), negated.

    Returns:
        The loss, and the log-ratio of new to old probabilities.
    """
    log_ratio = log_prob - old_log_prob
    ratio = log_ratio.exp()
    bounded = ratio.clamp(1.0 - clip, 1.0 + clip)
    return -torch.min(advantages * ratio, advantages * bounded).mean(), log_ratio


def approximate_kl(log_ratio: Tensor) -> Tensor:
    """KL(old || new) by an unbiased estimate that is never negative.

    Source: http://joschu.net/blog/kl-approx.html
    """
    return (log_ratio.expm1() - log_ratio).mean()
