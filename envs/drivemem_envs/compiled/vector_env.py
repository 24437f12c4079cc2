"""Many compiled worlds as one Gymnasium vector environment; the reference one is its model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from drivemem_envs.actions import check_rewards
from drivemem_envs.compiled.batch import CompiledWorlds
from drivemem_envs.cores import usable_cores
from drivemem_envs.episode_trace import ego_trace
from drivemem_envs.metrics import EgoTrace, judge_on_time, named
from drivemem_envs.outcomes import OUTCOMES
from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.seeding import EpisodeSeeds
from drivemem_envs.vector_base import EpisodicVectorEnv

Truth = dict[str, Any]


class CompiledVectorEnv(EpisodicVectorEnv):
    """N worlds of one scenario, stepped by kernels; same-step autoreset.

    Args:
        scenario: the resolved scenario.
        num_envs: N.
        seeds: seed of every episode; None: derived from `reset(seed=...)`.
        num_threads: threads that share the worlds; None: one for each core.

    Raises:
        CompiledUnsupported: the scenario has something that the kernels do not reproduce.
    """

    backend = "compiled"

    def __init__(
        self,
        scenario: Scenario,
        num_envs: int,
        *,
        seeds: EpisodeSeeds | None = None,
        num_threads: int | None = None,
    ) -> None:
        super().__init__(scenario, num_envs, seeds)
        threads = min(num_threads or usable_cores(), num_envs)
        self._worlds = CompiledWorlds(scenario, num_envs, threads)
        self.single_observation_space = self._worlds.observation_space
        self.single_action_space = self._worlds.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.decision_s = scenario.decision_s
        self._terms = self._worlds.terms
        self._keep = False
        self._finals: list[Truth | None] = [None] * num_envs

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Step every world; ended ones restart, with `final_obs` and `final_info` in the infos.

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`.
            ValueError: actions of another shape, not finite, or no such discrete actions; or a
                reward that is not finite.
        """
        if self._rule is None:
            raise ResetNeeded("step() before reset(): call reset() first, once")
        worlds = self._worlds
        worlds.step(actions)
        self._finals = [None] * self.num_envs
        result = worlds.batch.result
        check_rewards(self.scenario.name, result.rewards)
        rewards = result.rewards.copy()
        terminated, truncated = result.terminated.copy(), result.truncated.copy()
        ended = np.flatnonzero(terminated | truncated)
        going_on = ~(terminated | truncated)
        infos: dict[str, Any] = {}
        if len(ended):
            infos = self._final(ended)
            self.episodes[ended] += 1
            worlds.reset(ended, self._seeds_of(ended))
        if going_on.any():
            infos["rewards"] = self._reward_terms(result.terms, going_on)
            infos["_rewards"] = going_on
        return self._observation(), rewards, terminated, truncated, infos

    def _begin(self, seeds: list[int]) -> Any:
        self._worlds.reset(np.arange(self.num_envs), seeds)
        return self._observation()

    def _play(self, seeds: list[int], actions: Sequence[Any]) -> Any:
        self._begin(seeds)
        taken = [np.asarray(world) for world in actions]
        for step in range(max(map(len, taken), default=0)):
            going = np.array([world for world, each in enumerate(taken) if step < len(each)])
            self._worlds.step_some(going, np.stack([taken[world][step] for world in going]))
        return self._observation()

    def truth(self) -> Truth:
        """What is true of every actor, arrays (N, A) with a `present` mask; ego first."""
        return self._worlds.truth()

    def latent(self) -> NDArray[np.float64]:
        """What scenarios hide that is no actor (N, L), such as the cue; for training and probes."""
        return self._worlds.latents.copy()

    def action_masks(self) -> NDArray[np.bool_]:
        """Available discrete actions (N, n).

        Raises:
            ValueError: for continuous actions.
        """
        return self._worlds.action_masks()

    def occluders(self) -> list[NDArray[np.float64]]:
        """Static occluders of every world, (K, 5) each."""
        return list(self._worlds.batch.sight.occluders.copy())

    @property
    def worlds(self) -> CompiledWorlds:
        """The worlds as arrays, for whoever drives copies of them ahead (`compiled.copies`)."""
        return self._worlds

    def keep_final_truth(self, keep: bool = True) -> None:
        """Whether `final_truths` shall be available (recorders want it; it costs a copy)."""
        self._keep = keep

    def final_truths(self) -> list[Truth | None]:
        """Truth at the end of the episodes that ended in the last step; None for other worlds."""
        return self._finals

    def close_extras(self, **_: Any) -> None:
        """Close the live world that scenes come from."""
        self._worlds.close()

    def _observation(self) -> Any:
        return self._worlds.observation()

    def _final(self, ended: NDArray[Any]) -> dict[str, Any]:
        """Gymnasium's `final_obs` and `final_info` of the worlds that ended."""
        result, mask = self._worlds.batch.result, np.zeros(self.num_envs, dtype=bool)
        mask[ended] = True
        shown = self._worlds.observation(ended)
        final_obs = np.full(self.num_envs, None, dtype=object)
        truth = self._worlds.truth() if self._keep else None
        for row, world in enumerate(ended):
            final_obs[world] = (
                {key: part[row] for key, part in shown.items()}
                if isinstance(shown, dict)
                else shown[row]
            )
            if truth is not None:
                there = truth["present"][world]
                self._finals[world] = {
                    key: part[world][there] for key, part in truth.items() if key != "present"
                }
        info: dict[str, Any] = {"rewards": self._reward_terms(result.terms, mask)}
        info["outcome"] = np.full(self.num_envs, None, dtype=object)
        info["outcome"][ended] = [OUTCOMES[result.outcomes[world]] for world in ended]
        info["is_success"] = result.successes & mask
        metrics = self._metrics(ended)
        metrics["on_time"] = judge_on_time(
            self.scenario.on_time_mps, info["outcome"][ended], metrics["mean_speed"]
        )
        for name, values in metrics.items():
            nothing = None if values.dtype == object else 0
            column = np.full(self.num_envs, nothing, dtype=values.dtype)
            column[ended] = values
            info[name] = column
        info |= {f"_{key}": mask for key in list(info)}
        return {
            "final_obs": final_obs, "_final_obs": mask, "final_info": info, "_final_info": mask,
        }  # fmt: skip

    def _metrics(self, ended: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Metrics (R,) of episodes that ended in worlds (R,), as the reference backend's."""
        batch = self._worlds.batch

        def trace_of(row: int) -> EgoTrace:
            world = int(ended[row])
            steps = int(batch.sight.decisions[world])
            return ego_trace(batch.trace, world, steps, self.decision_s)

        return named(batch.result.metrics[ended], trace_of)

    def _reward_terms(self, terms: NDArray[np.float64], mask: NDArray[np.bool_]) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for column, name in enumerate(self._terms):
            told[name] = np.where(mask, terms[:, column], 0.0)
            told[f"_{name}"] = mask
        return told
