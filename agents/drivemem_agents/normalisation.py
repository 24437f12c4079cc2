"""Running statistics that scale observations and rewards; they live in the agent's weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from drivemem_agents.observations import Observation


class RunningMoments(nn.Module):
    """Mean and variance of everything seen (Chan et al., "Updating formulae", 1979)."""

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(shape, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    def update(self, values: Tensor) -> None:
        """Take in values (N, *shape)."""
        values = values.double()
        added = float(values.shape[0])
        mean, variance = values.mean(0), values.var(0, unbiased=False)
        total = self.count + added
        delta = mean - self.mean
        moments = self.variance * self.count + variance * added
        moments = moments + delta.square() * self.count * added / total
        self.mean += delta * added / total
        self.variance.copy_(moments / total)
        self.count.copy_(total)


class ObservationNormaliser(nn.Module):
    """Scales float observations to zero mean and unit variance, clipped to [-10, 10].

    The statistics change only between rollouts, so that replayed log-probabilities equal the
    collected ones.
    """

    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.moments = nn.ModuleDict({key: RunningMoments(shape) for key, shape in shapes.items()})

    def forward(self, observation: Observation) -> Observation:
        """Scaled copies of the parts that have statistics; the others as they are."""
        scaled = dict(observation)
        for key, moments in self.moments.items():
            scale = (moments.variance + 1e-8).rsqrt().float()  # type: ignore[operator,union-attr]
            value = (observation[key] - moments.mean.float()) * scale  # type: ignore[operator]
            scaled[key] = value.clamp(-10.0, 10.0)
        return scaled

    def update(self, observation: Observation) -> None:
        """Take in a rollout's observations (N, ...)."""
        for key, moments in self.moments.items():
            moments.update(observation[key])  # type: ignore[operator]


class RewardScaler(nn.Module):
    """Divides rewards by the standard deviation of their discounted sum, as SB3's VecNormalize."""

    returns: Tensor

    def __init__(self, worlds: int, gamma: float) -> None:
        super().__init__()
        self.moments = RunningMoments(())
        self.gamma = gamma
        self.register_buffer("returns", torch.zeros(worlds, dtype=torch.float64))

    def scale(self, rewards: Tensor, dones: Tensor) -> Tensor:
        """Take in a rollout's rewards and return them scaled.

        Args:
            rewards: (T, B).
            dones: (T, B) bool, True where the episode ended with that reward.
        """
        sums = torch.empty_like(rewards, dtype=torch.float64)
        for t in range(rewards.shape[0]):
            self.returns.mul_(self.gamma).add_(rewards[t])
            sums[t] = self.returns
            self.returns.masked_fill_(dones[t], 0.0)
        self.moments.update(sums.flatten())
        return rewards / (self.moments.variance + 1e-8).sqrt().float()
