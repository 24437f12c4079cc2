"""Many reference worlds as one Gymnasium vector environment, spread over processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from drivemem_envs.actions import check_actions, check_rewards
from drivemem_envs.cores import usable_cores
from drivemem_envs.reference.environment import make_reference
from drivemem_envs.reference.worlds import RemoteWorlds, Step, Worlds, stack_truth
from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.seeding import EpisodeSeeds
from drivemem_envs.vector_base import EpisodicVectorEnv


class ReferenceVectorEnv(EpisodicVectorEnv):
    """N reference worlds with same-step autoreset; the seed of each episode is chosen by rule.

    Args:
        scenario: the resolved scenario.
        num_envs: N.
        seeds: seed of every episode; None: derived from `reset(seed=...)`.
        num_workers: processes; None or 1: this process alone.
    """

    backend = "reference"

    def __init__(
        self,
        scenario: Scenario,
        num_envs: int,
        *,
        seeds: EpisodeSeeds | None = None,
        num_workers: int | None = None,
    ) -> None:
        super().__init__(scenario, num_envs, seeds)
        probe = make_reference(scenario)
        self.single_observation_space = probe.observation_space
        self.single_action_space = probe.action_space
        self.observation_space = batch_space(probe.observation_space, num_envs)
        self.action_space = batch_space(probe.action_space, num_envs)
        self.decision_s = probe.decision_s
        probe.close()
        workers = min(num_workers or 1, num_envs, usable_cores())
        self._parts = [part for part in np.array_split(np.arange(num_envs), workers) if len(part)]
        self._local = Worlds(scenario, num_envs) if workers == 1 else None
        self._remote = (
            [] if self._local else [RemoteWorlds(scenario, len(part)) for part in self._parts]
        )

    def keep_final_truth(self, keep: bool = True) -> None:
        """Whether `final_truths` shall be available (recorders want it; it costs a copy)."""
        self._ask("keep_final_truth", [keep] * len(self._parts))

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Step every world; ended ones restart, with `final_obs` and `final_info` in the infos.

        Raises:
            ValueError: actions of another shape, not finite, or no such discrete actions; or a
                reward that is not finite.
        """
        check_actions(self.scenario.name, self.single_action_space, actions, self.num_envs)
        following = self._seeds_of(np.arange(self.num_envs), ahead=1)
        steps: list[Step] = self._ask("step", self._split(list(actions)), self._split(following))
        check_rewards(self.scenario.name, [step[1] for step in steps])
        infos: dict[str, Any] = {}
        for world, (_, _, terminated, truncated, info, final) in enumerate(steps):
            if terminated or truncated:
                infos = self._add_info(infos, {"final_obs": final, "final_info": info}, world)
                self.episodes[world] += 1
            else:
                infos = self._add_info(infos, info, world)
        return (
            self._stack([step[0] for step in steps]),
            np.array([step[1] for step in steps], dtype=np.float64),
            np.array([step[2] for step in steps], dtype=bool),
            np.array([step[3] for step in steps], dtype=bool),
            infos,
        )

    def _begin(self, seeds: list[int]) -> Any:
        return self._stack(self._ask("reset", self._split(seeds)))

    def _play(self, seeds: list[int], actions: Sequence[Any]) -> Any:
        taken = [list(world) for world in actions]
        return self._stack(self._ask("replay", self._split(seeds), self._split(taken)))

    def truth(self) -> dict[str, Any]:
        """What is true of every actor, arrays (N, A) with a `present` mask; ego first."""
        return stack_truth(self._ask("call", "truth"))

    def action_masks(self) -> NDArray[np.bool_]:
        """Available discrete actions (N, n)."""
        return np.stack(self._ask("call", "action_masks"))

    def latent(self) -> NDArray[np.float64]:
        """What scenarios hide that is no actor (N, L), such as the cue; for training and probes."""
        return np.stack(self._ask("call", "latent"))

    def final_truths(self) -> list[dict[str, Any] | None]:
        """Truth at the end of the episodes that ended in the last step; None for other worlds."""
        return list(self._ask("final_truths"))

    def occluders(self) -> list[NDArray[np.float64]]:
        """Static occluders of every world, (K, 5) each."""
        return list(self._ask("call", "occluders"))

    def environments(self) -> list[Any]:
        """The single environments, to be drawn; [] where they live in other processes."""
        return [] if self._local is None else list(self._local.envs)

    def close_extras(self, **_: Any) -> None:
        """End the processes."""
        for remote in self._remote:
            remote.close()
        if self._local:
            self._local.close()

    def _split(self, values: Sequence[Any]) -> list[list[Any]]:
        return [[values[world] for world in part] for part in self._parts]

    def _ask(self, method: str, *arguments: Any) -> list[Any]:
        """Call a method of all worlds; list arguments are split by part already."""
        if self._local is not None:
            return list(
                getattr(self._local, method)(
                    *(a[0] if isinstance(a, list) else a for a in arguments)
                )
            )
        for index, remote in enumerate(self._remote):
            remote.send(method, *(a[index] if isinstance(a, list) else a for a in arguments))
        # All answers are taken before any error is raised, so that the next call gets its own.
        answers = [remote.receive() for remote in self._remote]
        for _, error in answers:
            if error is not None:
                raise RuntimeError(f"in a world's process: {error}")
        return [result for results, _ in answers for result in results]

    def _stack(self, observations: Sequence[Any]) -> Any:
        if isinstance(self.single_observation_space, spaces.Dict):
            return {
                key: np.stack([observation[key] for observation in observations])
                for key in self.single_observation_space.spaces
            }
        return np.stack(observations)
