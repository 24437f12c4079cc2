"""How much of a network is still at work: dormant units and the rank of its features.

Networks that learn one thing after another may lose units, and dimensions of what they tell apart,
and with them the means to learn more. All agents that see the same are measured on the same
observations, met by a driver that draws its actions, so that only the network makes a difference.
Sources: Sokar et al., "The dormant neuron phenomenon in deep RL", 2023; Kumar et al., "Implicit
under-parameterization", 2021; Roy and Vetterli, "The effective rank", 2007.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from drivemem.evaluation.drivers import Decision, ReferenceDriver
from drivemem.evaluation.external_drivers import spaces_of
from drivemem.evaluation.jobs import Job
from drivemem.evaluation.rollout import Moment, SuiteCallback, drive_suite
from drivemem.evaluation.suites import Suite
from drivemem.probes.driving import WorldSettings
from drivemem.progress import Progress
from drivemem_agents.policy import MemoryPolicy
from drivemem_envs.drivers import make_driver

DORMANT = 0.025
"""Share of its layer's mean activity at or below which a unit is dormant (Sokar et al. 2023)."""
SPECTRUM = 0.01
"""Share of the sum of singular values that the feature rank leaves out (Kumar et al. 2021)."""
WATCHED_EPISODES = 32
"""Of the suite, the first ones: enough decisions for layers of some hundred units."""
_MOST_ROWS = 4096


@dataclass(frozen=True)
class Activity:
    """One layer on a batch of observations."""

    layer: str
    """encoder, memory (what the heads read) or heads (their hidden layers' output)."""
    units: int
    dormant: float
    """Share of units."""
    feature_rank: int
    """Singular values that make up all but 1 % of their sum."""
    effective_rank: float
    """Exponential of the entropy of the singular values."""
    decisions: int


def dormant_share(activations: NDArray[Any], threshold: float = DORMANT) -> float:
    """Share of units whose mean |activation| is at most `threshold` of the layer's mean.

    Args:
        activations: (R, U) of a layer.
        threshold: of the score; 0: units that are never active at all.
    """
    activity = np.abs(activations.astype(np.float64)).mean(axis=0)
    if not activity.any():
        return 1.0
    return float((activity / activity.mean() <= threshold).mean())


def feature_rank(features: NDArray[Any], left_out: float = SPECTRUM) -> int:
    """The fewest singular values that sum to at least 1 - `left_out` of all (Kumar et al. 2021).

    Args:
        features: (R, U).
        left_out: share of the sum.
    """
    values = _singular(features)
    if not values.any():
        return 0
    shares = np.cumsum(values) / values.sum()
    return int(np.searchsorted(shares, 1.0 - left_out - 1e-12) + 1)


def effective_rank(features: NDArray[Any]) -> float:
    """Exponential of the entropy of the singular values' shares; features (R, U)."""
    values = _singular(features)
    if not values.any():
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _singular(features: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.svd(features.astype(np.float64), compute_uv=False))


def plasticity(job: Job, policy: MemoryPolicy, worlds: WorldSettings) -> list[Activity]:
    """Measure the layers of an agent on observations that do not depend on it.

    Args:
        job: whose suite is met, the first episodes of it.
        policy: it watches; another driver draws the actions.
        worlds: how they are driven.

    Raises:
        DrivememError: worlds that cannot be opened.
    """
    suite = Suite(job.suite.name, job.suite.scenario, job.suite.seeds[:WATCHED_EPISODES])
    driver = ReferenceDriver(make_driver("random", suite.scenario, spaces_of(suite.scenario)[1]))
    onlooker = _Onlooker(policy, len(suite.seeds))
    title = f"{job.home.name} looks on"
    with worlds.opened(suite) as (env, seeds), watched_layers(policy) as layers:
        onlooker.begin(env.num_envs, layers)
        with Progress(title, len(suite.seeds), "episodes", 0, worlds.quiet) as bar:
            drive_suite(env, driver, seeds, bar, [onlooker])
    return [_activity(name, np.concatenate(rows)) for name, rows in onlooker.rows.items()]


@contextmanager
def watched_layers(policy: MemoryPolicy) -> Iterator[dict[str, Tensor]]:
    """What encoder, memory and the hidden layers of the heads gave last (N, U), by name."""
    seen: dict[str, Tensor] = {}
    # Dropout passes on what the memory outputs: while an agent acts, it does nothing else.
    modules: dict[str, nn.Module] = {
        "encoder": policy.encoder, "memory": policy.dropout, "heads": policy.action_layers,
    }  # fmt: skip

    def keep(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            seen[name] = output.detach()

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


class _Onlooker(SuiteCallback):
    """A policy that sees a suite's episodes without driving; keeps what its layers do."""

    def __init__(self, policy: MemoryPolicy, episodes: int) -> None:
        self._policy, self._episodes = policy, episodes
        self.rows: dict[str, list[NDArray[np.float32]]] = {}

    def begin(self, worlds: int, layers: dict[str, Tensor]) -> None:
        """Before the first decision; `layers` is filled whenever the policy acts."""
        self._policy.set_training_mode(False)
        self._state, self._layers = self._policy.initial_state(worlds), layers

    def decided(
        self, moment: Moment, observation: Any, masks: NDArray[Any] | None, decision: Decision
    ) -> None:
        """Let the policy see what the driver saw, and keep its layers where an episode counts."""
        policy, kept = self._policy, np.flatnonzero(moment.episode < self._episodes)
        with torch.inference_mode():
            starts = torch.as_tensor(moment.starts, device=policy.device)
            state = policy.tell_rewards(self._state, torch.zeros(len(starts), device=policy.device))
            self._state = policy.act(policy.to_tensors(observation), state, starts, True).state
        for name, layer in self._layers.items():
            self.rows.setdefault(name, []).append(layer[kept].float().cpu().numpy())


def _activity(name: str, rows: NDArray[np.float32]) -> Activity:
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _MOST_ROWS)).round().astype(int)]
    return Activity(
        name, rows.shape[1], dormant_share(rows), feature_rank(rows), effective_rank(rows),
        len(rows),
    )  # fmt: skip
