"""What both vector environments do with episodes: count them, seed them, go back into them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.seeding import EpisodeSeeds, first_seeds, spaced_seeds

MOST_WORLDS = 1_000_000
"""More would not fit into memory: a world takes some 10 kB and more."""


class EpisodicVectorEnv(VectorEnv[Any, Any, Any]):
    """N worlds of one scenario with same-step autoreset; a rule gives each episode its seed.

    Args:
        scenario: the resolved scenario.
        num_envs: N.
        seeds: seed of every episode; None: derived from `reset(seed=...)`.

    Raises:
        ValueError: no worlds, or more than `MOST_WORLDS`.
    """

    def __init__(self, scenario: Scenario, num_envs: int, seeds: EpisodeSeeds | None) -> None:
        if not 1 <= num_envs <= MOST_WORLDS:
            raise ValueError(f"num_envs is {num_envs}; it must be from 1 to {MOST_WORLDS:,}")
        self.scenario, self.num_envs, self.seeds = scenario, num_envs, seeds
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.episodes: NDArray[np.int64] = np.zeros(num_envs, dtype=np.int64)
        self._rule: EpisodeSeeds | None = None

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin the first episode of every world.

        Args:
            seed: one number for all, one for each world (of its first episode), or None: the
                `seeds` given, else fresh entropy.
            options: unused.
        """
        first, base = first_seeds(seed, self.num_envs)
        if self.seeds is None or base is not None:
            self._rule = spaced_seeds(base)
        else:
            self._rule = self.seeds
        self.episodes[:] = 0
        return self._begin(first or self._seeds_of(np.arange(self.num_envs))), {}

    def restore(self, episodes: Any, actions: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
        """Go back into the middle of episodes by playing them again.

        Args:
            episodes: (N,) which episode of its rule each world is in.
            actions: for each world, the actions taken in it so far.

        Raises:
            ValueError: without a rule of seeds there is nothing to go back to.
        """
        if self.seeds is None:
            raise ValueError("restore needs the rule of episode seeds: pass seeds= to make_vec")
        self._rule = self.seeds
        self.episodes[:] = episodes
        return self._play(self._seeds_of(np.arange(self.num_envs)), actions), {}

    @abstractmethod
    def _begin(self, seeds: list[int]) -> Any:
        """Reset every world to its seed; the observation."""

    @abstractmethod
    def _play(self, seeds: list[int], actions: Sequence[Any]) -> Any:
        """Reset every world to its seed and take its actions; the observation."""

    def _seeds_of(self, rows: NDArray[Any], ahead: int = 0) -> list[int]:
        """Seeds of the episodes that these worlds are in, or of later ones."""
        rule = self._rule
        if rule is None:
            raise ResetNeeded("no episode has begun: call reset() first, once")
        return [rule(int(world), int(self.episodes[world]) + ahead) for world in rows]
