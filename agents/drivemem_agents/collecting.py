"""What MemoryPPO does at each step of a rollout: act, store what led to it, value what was cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from drivemem_agents.env_capabilities import masks_hook, privileged_hook
from drivemem_agents.memory import State
from drivemem_agents.policy import MemoryPolicy
from drivemem_agents.rollout import Rollout


class Collector:
    """Drives the worlds through one rollout.

    Args:
        policy: in evaluation mode.
        rollout: empty; is filled.
        env: asked for action masks and, if the policy reads it, for the true state.
        action_space: of the environment.
    """

    def __init__(
        self, policy: MemoryPolicy, rollout: Rollout, env: VecEnv, action_space: spaces.Space[Any]
    ) -> None:
        self.policy, self.rollout, self.device = policy, rollout, policy.device
        self._masks_of = masks_hook(env, action_space)
        reads_truth = policy.settings["privileged_size"] > 0
        self._privileged_of = privileged_hook(env) if reads_truth else None

    @torch.inference_mode()
    def act(
        self, t: int, last_obs: Any, episode_starts: NDArray[np.bool_], state: State
    ) -> tuple[NDArray[Any], State]:
        """Choose step t's actions and store what led to them.

        Returns:
            The actions as the environment takes them, and the memory state after the step.
        """
        rollout, policy = self.rollout, self.policy
        starts = self._tensor(episode_starts)
        if t % rollout.chunk == 0:
            rollout.states.append({key: value.clone() for key, value in state.items()})
        observation = policy.with_previous(policy.to_tensors(last_obs), state, starts)
        masks = None if self._masks_of is None else self._tensor(self._masks_of()).bool()
        privileged = self._privileged()
        act = policy.act(observation, state, starts, False, masks, privileged)
        for key, value in observation.items():
            rollout.store(t, f"observation.{key}", value)
        rollout.store(t, "actions", act.actions)
        if masks is not None:
            rollout.store(t, "masks", masks)
        if privileged is not None:
            rollout.store(t, "privileged", privileged)
        rollout.starts[t] = starts
        rollout.values[t] = act.values
        rollout.log_prob[t] = act.log_prob
        return policy.to_environment(act.actions), act.state

    @torch.inference_mode()
    def tell(
        self,
        t: int,
        rewards: NDArray[np.float32],
        dones: NDArray[np.bool_],
        infos: list[dict[str, Any]],
        state: State,
    ) -> State:
        """Store what step t earned; the memory state may take the rewards in."""
        self.rollout.rewards[t], self.rollout.dones[t] = rewards, dones
        if self.policy.previous.reward:
            state = self.policy.tell_rewards(state, self._tensor(rewards).float())
        worlds = [
            int(i) for i in np.flatnonzero(dones) if infos[i].get("TimeLimit.truncated", False)
        ]
        if worlds:
            self._bootstrap(t, worlds, infos, state)
        return state

    def _bootstrap(
        self, t: int, worlds: list[int], infos: list[dict[str, Any]], state: State
    ) -> None:
        """Truncation is not termination: keep V(final observation, carried state) as reward.

        The memory state is the one after step t, not reset: the episode would have gone on.
        """
        finals = [infos[i]["terminal_observation"] for i in worlds]
        observation = (
            {key: np.stack([final[key] for final in finals]) for key in finals[0]}
            if isinstance(finals[0], dict)
            else np.stack(finals)
        )
        privileged = None
        if self.policy.critic == "privileged":
            truth = np.stack([infos[i]["final_privileged"] for i in worlds])
            privileged = self._tensor(truth).float()
        carried = {key: value[worlds] for key, value in state.items()}
        values = self._values(observation, carried, np.zeros(len(worlds), dtype=bool), privileged)
        self.rollout.bootstraps[t, worlds] = values

    @torch.inference_mode()
    def last_values(
        self, last_obs: Any, episode_starts: NDArray[np.bool_], state: State
    ) -> NDArray[np.float32]:
        """V of the observations after the last step, with the carried state."""
        return self._values(last_obs, state, episode_starts, self._privileged())

    def _values(
        self, observation: Any, state: State, starts: NDArray[np.bool_], privileged: Tensor | None
    ) -> NDArray[np.float32]:
        tensors = self.policy.to_tensors(observation)
        act = self.policy.act(tensors, state, self._tensor(starts), True, None, privileged)
        values: NDArray[np.float32] = act.values.cpu().numpy()
        return values

    def _privileged(self) -> Tensor | None:
        """The true state now, if the policy reads it."""
        return None if self._privileged_of is None else self._tensor(self._privileged_of()).float()

    def _tensor(self, array: Any) -> Tensor:
        return torch.as_tensor(array, device=self.device)
