"""One PPO for every memory (Schulman et al. 2017), an SB3 OnPolicyAlgorithm; reads top down.

What differs from SB3's PPO: rollouts carry memory state, minibatches are whole chunks of time
with the state that preceded them, and truncated episodes are bootstrapped with carried state.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.utils import explained_variance, get_system_info
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from drivemem_agents.algorithm import MemoryAlgorithm
from drivemem_agents.checkpoint import load_agent, load_parameters, save_agent
from drivemem_agents.env_capabilities import action_masks_method, privileged_method
from drivemem_agents.files import agent_folder
from drivemem_agents.finite import (
    check_actions,
    check_gradients,
    check_loss,
    check_rollout,
    check_weights,
)
from drivemem_agents.losses import ppo_loss
from drivemem_agents.memory import State
from drivemem_agents.observations import select
from drivemem_agents.policy_outputs import StepOutput
from drivemem_agents.ppo_settings import PPOSettings
from drivemem_agents.rollout import Minibatch
from drivemem_agents.settings import documented_by
from drivemem_agents.threads import on_own_threads

Starts = NDArray[np.bool_]


@documented_by(PPOSettings)
class MemoryPPO(MemoryAlgorithm):
    """Proximal policy optimisation for policies with memory.

    Args:
        policy: "MemoryPolicy" or a subclass of it.
        env: any SB3 VecEnv or Gymnasium environment.
        settings: where settings that are not given by name come from; None: their defaults.
        policy_kwargs: further arguments of the policy.
        stats_window_size: episodes averaged in `rollout/ep_rew_mean`.
        tensorboard_log: folder of TensorBoard's log, or None.
        verbose: 0 or 1.
        seed: of PyTorch, NumPy and the environment.
        device: "auto", "cpu", "cuda".
        torch_threads: PyTorch's threads while it learns; None: one, which networks of this size
            are fastest with, unless OMP_NUM_THREADS is set. Results are the same to the last bit
            for the same number of threads.
        changes: settings by name, as listed below; learning_rate, clip_range, clip_range_vf and
            ent_coef may also be functions of the remaining progress (1 to 0).

    Raises:
        ValueError: unknown settings, or some that do not fit together; the message says how they
            would. While learning, `NonFiniteError`: an observation, reward, action, loss, gradient
            or weight is no longer finite; nothing was learnt from it.
    """

    # ---- collect --------------------------------------------------------------------------

    @on_own_threads
    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int
    ) -> bool:
        """Fill the rollout; False if a callback asks to stop (signature of SB3)."""
        self.policy.set_training_mode(False)
        self.rollout.clear()
        callback.on_rollout_start()
        self._masks_of = action_masks_method(env, self.action_space)
        reads_truth = self.policy.settings["privileged_size"] > 0
        self._privileged_of = privileged_method(env) if reads_truth else None
        for t in range(self.n_steps):
            actions = self._act(t)
            check_actions(actions, self.num_timesteps)
            new_obs, rewards, dones, infos = env.step(actions)
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, dones)
            self._record_rewards(t, rewards, dones, infos)
            self._last_obs = new_obs  # type: ignore[assignment]
            self._last_episode_starts = dones
        self._finish_rollout()
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _act(self, t: int) -> NDArray[Any]:
        """Choose step t's actions, as the environment takes them."""
        return self.policy.to_environment(self._decide(t).actions)

    @torch.inference_mode()
    def _decide(self, t: int) -> StepOutput:
        """Choose step t's actions, and store what led to them."""
        rollout, policy = self.rollout, self.policy
        starts = self._tensor(self._last_episode_starts)
        if t % rollout.chunk == 0:
            rollout.states.append({key: value.clone() for key, value in self._state.items()})
        observation = policy.with_previous_inputs(
            policy.to_tensors(self._last_obs), self._state, starts
        )
        masks = None if self._masks_of is None else self._tensor(self._masks_of()).bool()
        privileged = self._privileged()
        act = policy.act(observation, self._state, starts, False, masks, privileged)
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
        self._state = act.state
        return act

    @torch.inference_mode()
    def _record_rewards(
        self, t: int, rewards: NDArray[np.float32], dones: Starts, infos: list[dict[str, Any]]
    ) -> None:
        """Store what step t earned; the memory state may take the rewards in."""
        self.rollout.rewards[t], self.rollout.dones[t] = rewards, dones
        if self.policy.previous.reward:
            told = self._tensor(rewards).float()
            self._state = self.policy.tell_rewards(self._state, told)
        ended = np.flatnonzero(dones)
        truncated = [int(i) for i in ended if infos[i].get("TimeLimit.truncated", False)]
        if truncated:
            self.rollout.bootstraps[t, truncated] = self._values_of_truncated(truncated, infos)

    def _values_of_truncated(
        self, worlds: list[int], infos: list[dict[str, Any]]
    ) -> NDArray[np.float32]:
        """Truncation is not termination: V(final observation, carried state), added to the reward.

        The memory state is the one after the last step, not reset: the episode would have gone on.
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
        carried = select(self._state, worlds)
        return self._values(observation, carried, np.zeros(len(worlds), dtype=bool), privileged)

    def _finish_rollout(self) -> None:
        """Advantages and returns, from the values of what follows the last step."""
        starts = cast(Starts, self._last_episode_starts)
        last = self._values(self._last_obs, self._state, starts, self._privileged())
        rollout, chosen = self.rollout, self.settings
        check_rollout(rollout, last, self.num_timesteps)
        rewards = rollout.rewards
        if chosen.normalize_rewards:
            rewards = self.reward_scaler.scale(
                torch.from_numpy(rewards), torch.from_numpy(rollout.dones)
            ).numpy()
        rollout.finish(rewards, last, chosen.gamma, chosen.gae_lambda)

    @torch.inference_mode()
    def _values(
        self, observation: Any, state: State, starts: Starts, privileged: Tensor | None
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

    def _update_info_buffer(
        self, infos: list[dict[str, Any]], dones: NDArray[np.bool_] | None = None
    ) -> None:
        """SB3's episode statistics, looking only at worlds whose episode ended."""
        if dones is None:
            return
        ended = np.flatnonzero(dones)
        super()._update_info_buffer([infos[i] for i in ended], dones[ended])

    # ---- learn ----------------------------------------------------------------------------

    @on_own_threads
    def train(self) -> None:
        """Improve the policy on the rollout: n_epochs passes over minibatches of chunks."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        settings = self.settings_now()
        logs: dict[str, list[float]] = {}
        named = list(self.policy.named_parameters())
        parameters = [parameter for _, parameter in named]
        going_on = True
        for _ in range(settings.n_epochs):
            states = self._chunk_states()
            for batch in self.rollout.minibatches(settings.batch_size, states):
                loss, terms = self._loss(batch, settings)
                for name, value in terms.items():
                    logs.setdefault(name, []).append(value)
                check_loss(terms, self._n_updates, self.num_timesteps)
                if self._moved_too_far(terms, settings):
                    going_on = False
                    break
                for parameter in parameters:  # what zero_grad does, without its wrappers
                    parameter.grad = None
                loss.backward()
                norm = nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)
                check_gradients(norm, named, self._n_updates, self.num_timesteps)
                self.policy.optimizer.step()
            self._n_updates += 1
            if not going_on:
                break
        self._update_normaliser()
        check_weights(self.policy, self._n_updates, self.num_timesteps)
        self._log(logs, settings)

    def _loss(self, batch: Minibatch, settings: PPOSettings) -> tuple[Tensor, dict[str, float]]:
        """The loss of a minibatch, and its terms."""
        return ppo_loss(self.policy, batch, settings, self.consolidation)

    def _moved_too_far(self, terms: dict[str, float], settings: PPOSettings) -> bool:
        """Whether the policy has moved so far from the one that drove that the epochs shall end."""
        limit = settings.target_kl
        return limit is not None and terms.get("approx_kl", 0.0) > 1.5 * limit

    @torch.no_grad()
    def _chunk_states(self) -> list[State]:
        """Memory state (B, ...) before each chunk of the rollout, as `state_init` says."""
        policy, rollout, state_init = self.policy, self.rollout, self.settings.state_init
        stored = rollout.states
        if state_init == "stored" or not stored[0]:
            return stored
        if state_init == "zero":
            return [policy.initial_state(rollout.worlds)] * len(stored)
        states, observation = stored[:1], rollout.observation()
        for part in range(1, len(stored)):
            end = part * rollout.chunk
            begin, state = end - rollout.chunk, states[-1]
            if state_init == "burn_in":
                begin = max(0, end - self.settings.burn_in_steps)
                state = policy.initial_state(rollout.worlds) if begin else stored[0]
            rows = slice(begin, end)
            starts = rollout.starts[rows].to(rollout.device)
            states.append(policy.state_after(select(observation, rows), state, starts))
        return states

    def _update_normaliser(self) -> None:
        observation = {
            key: value.flatten(0, 1)
            for key, value in self.rollout.observation().items()
            if key in self.policy.normaliser.moments
        }
        if observation:
            self.policy.normaliser.update(observation)

    def _log(self, logs: dict[str, list[float]], settings: PPOSettings) -> None:
        """Record SB3's names."""
        for name, values in logs.items():
            last = name in ("loss",)
            self.logger.record(f"train/{name}", values[-1] if last else float(np.mean(values)))
        explained = explained_variance(
            self.rollout.values.numpy().ravel(), self.rollout.returns.numpy().ravel()
        )
        self.logger.record("train/explained_variance", float(explained))
        head = self.policy.action_head
        if hasattr(head, "log_std"):
            self.logger.record("train/std", float(cast(Tensor, head.log_std).detach().exp().mean()))
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/clip_range", settings.clip_range)
        if settings.clip_range_vf is not None:
            self.logger.record("train/clip_range_vf", settings.clip_range_vf)
        self.logger.record("train/ent_coef", settings.ent_coef)
        for name, value in self.policy.memory.diagnostics().items():
            self.logger.record(f"memory/{name}", value)

    # ---- keep -----------------------------------------------------------------------------

    def save(  # type: ignore[override]
        self,
        path: str | Path,
        exclude: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
    ) -> None:
        """Write the agent as a folder of safetensors and JSON (never a pickle).

        What a loaded agent needs to learn on is written too, as by SB3; functions as settings are
        not, apart from SB3's LinearSchedule.

        Args:
            path: the folder; SB3's callbacks call this with a path ending in `.zip`, which is
                dropped.
            exclude: must be None: no attributes are pickled.
            include: must be None, as `exclude`.

        Raises:
            CheckpointError: something else is there, or weights are not finite.
            ValueError: no path, or attributes to be left out or taken in.
        """
        if exclude is not None or include is not None:
            raise ValueError(
                "exclude and include choose what SB3 pickles; an agent's files hold its weights, "
                "settings and training state: leave both out"
            )
        save_agent(self, agent_folder(path), training=True)

    @classmethod
    def load(  # type: ignore[override]
        cls,
        path: str | Path,
        env: GymEnv | None = None,
        device: str = "auto",
        custom_objects: dict[str, Any] | None = None,
        print_system_info: bool = False,
        force_reset: bool = True,
        **kwargs: Any,
    ) -> Self:
        """Read an agent that `save` wrote.

        Args:
            path: the folder.
            env: environment to go on training in, whose spaces must be the agent's, or None to
                predict only.
            device: "auto", "cpu", "cuda".
            custom_objects: SB3's way to replace what cannot be unpickled: the same as `kwargs`.
            print_system_info: print versions of now first.
            force_reset: must be True: worlds begin anew.
            kwargs: settings that replace the stored ones; `policy`, a subclass of MemoryPolicy, in
                the place of the class that is stored by name.

        Raises:
            CheckpointError: a missing, truncated or foreign folder, or another architecture.
        """
        if not force_reset:
            raise ValueError("force_reset=False needs the worlds of then, which no file holds")
        if print_system_info:
            get_system_info()
        objects = dict(custom_objects or {})
        if "lr_schedule" in objects:
            objects.setdefault("learning_rate", objects.pop("lr_schedule"))
        return load_agent(cls, agent_folder(path), env, device, **{**objects, **kwargs})

    def set_parameters(
        self, load_path_or_dict: Any, exact_match: bool = True, device: torch.device | str = "auto"
    ) -> None:
        """Take over weights and the optimiser's state.

        Args:
            load_path_or_dict: the folder of a saved agent, or what `get_parameters` gave.
            exact_match: whether a dict must hold everything; a saved agent does.
            device: left as it is.

        Raises:
            CheckpointError: a folder that is no agent's or one of another architecture.
            ValueError: names that are not the agent's.
        """
        if isinstance(load_path_or_dict, dict):
            super().set_parameters(load_path_or_dict, exact_match, device)
        else:
            load_parameters(self, agent_folder(load_path_or_dict))
