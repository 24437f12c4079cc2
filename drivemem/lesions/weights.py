"""Lesions of long-term memory: the weights of a copy of the policy are changed once."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from drivemem.errors import DrivememError
from drivemem.lesions.base import Lesion, number, register_lesion, whole_number
from drivemem_agents.policy import MemoryPolicy


class _WeightLesion(Lesion):
    """A lesion of long-term memory: the weights of a copy are changed."""

    def prepare(self, policy: MemoryPolicy) -> MemoryPolicy:
        """A changed copy of the policy."""
        changed = copy.deepcopy(policy)
        with torch.no_grad():
            self.change(changed)
        return changed

    def change(self, policy: MemoryPolicy) -> None:
        """Change the weights in place."""
        raise NotImplementedError


def _weights(policy: MemoryPolicy) -> list[Tensor]:
    """Weight matrices (biases and normalisers left alone)."""
    return [weight for weight in policy.parameters() if weight.dim() > 1]


def _share(argument: str, name: str) -> float:
    share = number(argument, name)
    if share > 1.0:
        raise DrivememError(f"lesion '{name}' takes a share from 0 to 1, not {argument}")
    return share


@register_lesion(
    "prune",
    "set the share P of smallest weights to zero",
    part="weights",
    axis="share of weights set to zero",
    title="Pruned weights",
)
class Prune(_WeightLesion):
    """Magnitude pruning over all weight matrices together (Han et al. 2015)."""

    def __init__(self, argument: str) -> None:
        self.share = _share(argument, "prune")

    def change(self, policy: MemoryPolicy) -> None:
        """Zero the smallest."""
        weights = _weights(policy)
        magnitudes = torch.cat([weight.abs().flatten() for weight in weights])
        count = round(self.share * len(magnitudes))
        if count == 0:
            return
        threshold = magnitudes.kthvalue(count).values
        for weight in weights:
            weight[weight.abs() <= threshold] = 0.0


@register_lesion(
    "prune_random",
    "set the share P of weights to zero, whichever they are",
    part="weights",
    axis="share of weights set to zero, whichever",
    title="Randomly pruned weights",
)
class PruneRandom(_WeightLesion):
    """Random pruning over all weight matrices together, seeded: the yardstick of `prune`."""

    def __init__(self, argument: str) -> None:
        self.share = _share(argument, "prune_random")

    def change(self, policy: MemoryPolicy) -> None:
        """Zero a random choice."""
        weights = _weights(policy)
        total = sum(weight.numel() for weight in weights)
        order = torch.randperm(total, generator=torch.Generator().manual_seed(0))
        kept = torch.ones(total)
        kept[order[: round(self.share * total)]] = 0.0
        for weight, part in zip(weights, kept.split([w.numel() for w in weights]), strict=True):
            weight *= part.reshape(weight.shape).to(weight.device)


@register_lesion(
    "weight_noise",
    "add normal noise of S times each matrix's deviation",
    part="weights",
    axis="noise on the weights, standard deviations",
    title="Noise on the weights",
)
class WeightNoise(_WeightLesion):
    """W + sigma * std(W) * N(0, 1), seeded."""

    def __init__(self, argument: str) -> None:
        self.sigma = number(argument, "weight_noise")

    def change(self, policy: MemoryPolicy) -> None:
        """Add the noise."""
        generator = torch.Generator().manual_seed(0)
        for weight in _weights(policy):
            noise = torch.randn(weight.shape, generator=generator).to(weight.device)
            weight += self.sigma * weight.std() * noise


@register_lesion(
    "reinit",
    "re-initialise one part: encoder, memory or heads",
    part="weights",
)
class Reinit(_WeightLesion):
    """One part's layers get fresh random weights, seeded."""

    parts = ("encoder", "memory", "heads")

    def __init__(self, argument: str) -> None:
        if argument not in self.parts:
            raise DrivememError(
                f"lesion 'reinit' takes one of {', '.join(self.parts)}, not '{argument}'"
            )
        self.part = argument

    def change(self, policy: MemoryPolicy) -> None:
        """Reset every layer of the part that knows how."""
        modules: list[nn.Module] = (
            [policy.action_layers, policy.action_head]
            if self.part == "heads"
            else [getattr(policy, self.part)]
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for module in modules:
                for layer in module.modules():
                    reset = getattr(layer, "reset_parameters", None)
                    if callable(reset):
                        reset()


@register_lesion(
    "quantize",
    "round weights to B bits (symmetric, per matrix)",
    part="weights",
    axis="bits per weight",
    title="Coarser weights",
    scale="logarithmic",
)
class Quantize(_WeightLesion):
    """Each matrix is rounded to 2^(b-1) - 1 levels on either side of zero."""

    def __init__(self, argument: str) -> None:
        self.bits = whole_number(argument, "quantize", 2)

    def change(self, policy: MemoryPolicy) -> None:
        """Round."""
        levels = 2 ** (self.bits - 1) - 1
        for weight in _weights(policy):
            scale: Any = weight.abs().max() / levels
            if scale > 0:
                weight.copy_((weight / scale).round() * scale)
