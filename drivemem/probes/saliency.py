"""Saliency of past observations: how strongly each of them moves the present decision.

The gradient of the margin between the two most likely actions, through time, by every observed
number (Simonyan et al., "Deep inside convolutional networks", 2013).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from drivemem.probes.traces import ProbedMoment
from drivemem_agents.policy import MemoryPolicy

DECISIONS = 12
"""Decisions of an episode that are explained, spread evenly; each costs a pass back through it."""


@dataclass(frozen=True)
class Saliency:
    """Share of the gradient on frames of one age."""

    age_steps: int
    share: float
    low: float
    high: float
    decisions: int
    """With a frame of that age."""


class SaliencyWatch:
    """Keeps the frames of the first episodes of a suite, to go back through them.

    Args:
        policy: who drives.
        episodes: how many to keep.
    """

    def __init__(self, policy: MemoryPolicy, episodes: int) -> None:
        self._policy, self._episodes = policy, episodes
        self._frames: dict[int, list[dict[str, Tensor]]] = defaultdict(list)
        self._masks: dict[int, list[NDArray[Any]]] = defaultdict(list)

    def see(self, observation: Any, moment: ProbedMoment, masks: NDArray[Any] | None) -> None:
        """Take note of one decision."""
        kept = np.flatnonzero(moment.episode < self._episodes)
        if not len(kept):
            return
        tensors = self._policy.to_tensors(observation)
        for world in kept:
            number = int(moment.episode[world])
            self._frames[number].append({k: v[world].clone() for k, v in tensors.items()})
            if masks is not None:
                self._masks[number].append(masks[world])

    def table(self) -> list[Saliency]:
        """Mean share by age, with 95 % over episodes; [] if the memory reads its own actions."""
        if self._policy.previous.size:
            return []
        shares: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for number in sorted(self._frames):
            for share in self._explained(number):
                for age, value in enumerate(share):
                    shares[age][number].append(float(value))
        return [_row(age, by_episode) for age, by_episode in sorted(shares.items())]

    def _explained(self, number: int) -> list[NDArray[np.float64]]:
        """For some decisions the share of every frame so far, the present one first."""
        frames = {
            key: torch.stack([frame[key] for frame in self._frames[number]]).unsqueeze(1)
            for key in self._frames[number][0]
        }  # (T, 1, ...)
        watched = [
            frames[key].requires_grad_() for key in frames if frames[key].is_floating_point()
        ]
        steps = len(self._frames[number])
        if not watched:
            return []
        masks = self._masks.get(number)
        margins = _margins(self._policy, frames, masks)
        found = []
        for step in np.unique(np.linspace(0, steps - 1, min(DECISIONS, steps)).round().astype(int)):
            gradients = torch.autograd.grad(
                margins[step], watched, retain_graph=True, allow_unused=True
            )
            squares = sum(
                gradient[: step + 1].flatten(1).double().square().sum(1)
                for gradient in gradients
                if gradient is not None
            )
            norms = torch.as_tensor(squares).sqrt().numpy()[::-1]
            if norms.sum() > 0:
                found.append(norms / norms.sum())
        return found


def _margins(
    policy: MemoryPolicy, frames: dict[str, Tensor], masks: list[NDArray[Any]] | None
) -> Tensor:
    """(T,) how much more likely, in log odds, the chosen action is than the next."""
    steps = len(next(iter(frames.values())))
    starts = torch.zeros(steps, 1, dtype=torch.bool)
    starts[0] = True
    shape = (steps, 1, policy.action_head.action_size)
    blank = torch.zeros(shape)  # features do not depend on the actions
    with torch.enable_grad():
        features = policy.evaluate_sequence(frames, blank, policy.initial_state(1), starts).features
        allowed = None if masks is None else torch.as_tensor(np.stack(masks)).unsqueeze(1)
        parameters = policy.action_head(policy.action_layers(features), allowed)[:, 0]
        if policy.action_head.probabilities(parameters) is None:
            total: Tensor = parameters.sum(dim=-1)  # continuous: what parametrises the action
            return total
        best = parameters.topk(min(2, parameters.shape[-1]), dim=-1).values
        margin: Tensor = best[:, 0] - best[:, -1]
        return margin


def _row(age: int, by_episode: dict[int, list[float]]) -> Saliency:
    means = np.array([np.mean(values) for values in by_episode.values()])
    draws = np.random.default_rng(0).integers(len(means), size=(1000, len(means)))
    low, high = np.percentile(means[draws].mean(axis=1), [2.5, 97.5])
    count = sum(map(len, by_episode.values()))
    return Saliency(age, float(means.mean()), float(low), float(high), count)
