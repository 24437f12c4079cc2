"""One PPO for every memory (Schulman et al. 2017), an SB3 OnPolicyAlgorithm; reads top down.

What differs from SB3's PPO: rollouts carry memory state, minibatches are whole chunks of time
with the state that preceded them, and truncated episodes are bootstrapped with carried state.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import GymEnv, Schedule
from stable_baselines3.common.utils import FloatSchedule, explained_variance
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from drivemem_agents.chunk_states import StateInit, chunk_states
from drivemem_agents.collecting import Collector
from drivemem_agents.consolidation import Consolidation
from drivemem_agents.env_capabilities import has_masks, privileged_size
from drivemem_agents.losses import LossSettings, ppo_loss
from drivemem_agents.memory import State
from drivemem_agents.normalisation import RewardScaler
from drivemem_agents.policy import Critic, MemoryPolicy, Precision
from drivemem_agents.rollout import Rollout, chunk_steps


class MemoryPPO(OnPolicyAlgorithm):
    """Proximal policy optimisation for policies with memory.

    Args:
        policy: "MemoryPolicy" or a subclass of it.
        env: any SB3 VecEnv or Gymnasium environment.
        memory: name of a registered memory; `drivemem_agents.memory.memory_names()`.
        memory_kwargs: the memory's settings.
        encoder: name of a registered encoder.
        encoder_kwargs: the encoder's settings.
        learning_rate: Adam's, a number or a function of the remaining progress (1 to 0).
        n_steps: T, steps per world and rollout; at least 1.5 times the memory horizon, or a
            delayed reward never reaches its cause.
        batch_size: transitions per minibatch, a multiple of the chunk length.
        n_epochs: passes over each rollout.
        bptt_steps: L, chunk length that gradients flow through; divides n_steps. None: n_steps
            (1 for a memory without state, whose steps are shuffled one by one).
        state_init: where a chunk's memory state comes from: `stored` while acting, `zero`,
            `burn_in` (the last burn_in_steps before the chunk, from zero state, with the present
            weights) or `recompute` (from the rollout's start, with the present weights).
        burn_in_steps: see `state_init`.
        gamma: discount factor.
        gae_lambda: trade-off of generalised advantage estimation.
        clip_range: of the probability ratio; a number or a function of the remaining progress.
        clip_range_vf: of the change in values; None: not clipped.
        normalize_advantage: scale advantages in each minibatch.
        ent_coef: weight of the entropy bonus; a number or a function of the remaining progress.
        vf_coef: weight of the value loss.
        max_grad_norm: gradients are scaled down to this norm.
        target_kl: stop a rollout's epochs when the approximate KL divergence passes 1.5 times
            this.
        critic: `shared`, `separate` or `privileged`; see `MemoryPolicy`.
        aux_coef: weight of the auxiliary loss, in which a linear head on the memory's output
            predicts the privileged vector; 0: off. Needs an environment with `privileged()`.
        dropout: rate between memory and heads.
        weight_decay: L2 penalty, decoupled (AdamW).
        l1_coef: weight of the sum of absolute weights.
        normalize_observations: scale observations by running statistics.
        normalize_rewards: scale rewards by the standard deviation of their discounted sum.
        squash: tanh-squash continuous actions.
        observe_previous_action: the memory also reads the action taken one step before.
        observe_previous_reward: and its reward; then whoever drives the agent must report
            rewards with `policy.tell_rewards` (SB3's `evaluate_policy` does not).
        precision: "float32", or "bf16" for encoder and heads while training.
        compile: run encoder and heads through `torch.compile`.
        memory_horizon_steps: for how many steps a scenario hides what must be remembered, if
            known; a warning is given when gradients cannot reach that far.
        stats_window_size: episodes averaged in `rollout/ep_rew_mean`.
        tensorboard_log: folder of TensorBoard's log, or None.
        policy_kwargs: further arguments of the policy.
        verbose: 0 or 1.
        seed: of PyTorch, NumPy and the environment.
        device: "auto", "cpu", "cuda".

    Raises:
        ValueError: settings that do not fit together; the message says how they would.
    """

    policy: MemoryPolicy  # type: ignore[assignment]
    policy_aliases: ClassVar[dict[str, type[MemoryPolicy]]] = {"MemoryPolicy": MemoryPolicy}  # type: ignore[assignment]

    def __init__(
        self,
        policy: str | type[MemoryPolicy],
        env: GymEnv | str | None,
        *,
        memory: str = "gru",
        memory_kwargs: dict[str, Any] | None = None,
        encoder: str = "vector",
        encoder_kwargs: dict[str, Any] | None = None,
        learning_rate: float | Schedule = 1e-3,
        n_steps: int = 128,
        batch_size: int = 1024,
        n_epochs: int = 4,
        bptt_steps: int | None = None,
        state_init: StateInit = "stored",
        burn_in_steps: int = 16,
        gamma: float = 0.99,
        gae_lambda: float = 0.95,
        clip_range: float | Schedule = 0.2,
        clip_range_vf: float | Schedule | None = None,
        normalize_advantage: bool = True,
        ent_coef: float | Schedule = 0.01,
        vf_coef: float = 0.5,
        max_grad_norm: float = 0.5,
        target_kl: float | None = None,
        critic: Critic = "shared",
        aux_coef: float = 0.0,
        dropout: float = 0.0,
        weight_decay: float = 0.0,
        l1_coef: float = 0.0,
        normalize_observations: bool = False,
        normalize_rewards: bool = False,
        squash: bool = True,
        observe_previous_action: bool = False,
        observe_previous_reward: bool = False,
        precision: Precision = "float32",
        compile: bool = False,
        memory_horizon_steps: int | None = None,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        super().__init__(
            policy,  # type: ignore[arg-type]
            env,  # type: ignore[arg-type]
            learning_rate=learning_rate,
            n_steps=n_steps,
            gamma=gamma,
            gae_lambda=gae_lambda,
            ent_coef=0.0,
            vf_coef=vf_coef,
            max_grad_norm=max_grad_norm,
            use_sde=False,
            sde_sample_freq=-1,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs={
                "memory": memory,
                "memory_kwargs": memory_kwargs,
                "encoder": encoder,
                "encoder_kwargs": encoder_kwargs,
                "critic": critic,
                "dropout": dropout,
                "weight_decay": weight_decay,
                "normalize_observations": normalize_observations,
                "squash": squash,
                "observe_previous_action": observe_previous_action,
                "observe_previous_reward": observe_previous_reward,
                "precision": precision,
                "compile": compile,
                **(policy_kwargs or {}),
            },
            verbose=verbose,
            seed=seed,
            device=device,
            _init_setup_model=False,
            supported_action_spaces=(spaces.Box, spaces.Discrete, spaces.MultiDiscrete),
        )
        self.batch_size, self.n_epochs = batch_size, n_epochs
        self.bptt_steps, self.state_init, self.burn_in_steps = bptt_steps, state_init, burn_in_steps
        self.clip_range = FloatSchedule(clip_range)
        self.clip_range_vf = None if clip_range_vf is None else FloatSchedule(clip_range_vf)
        self.entropy_schedule = FloatSchedule(ent_coef)
        self.normalize_advantage, self.target_kl = normalize_advantage, target_kl
        self.aux_coef, self.l1_coef = aux_coef, l1_coef
        self.normalize_rewards = normalize_rewards
        self.memory_horizon_steps = memory_horizon_steps
        self._n_updates = 0
        self.consolidation: Consolidation | None = None
        if _init_setup_model:
            self._setup_model()

    # ---- set up ---------------------------------------------------------------------------

    def _setup_model(self) -> None:
        self._setup_lr_schedule()
        self.set_random_seed(self.seed)
        if self.aux_coef > 0.0 or self.policy_kwargs["critic"] == "privileged":
            self.policy_kwargs.setdefault("privileged_size", privileged_size(self.env))
        self.policy_kwargs.setdefault("predict_privileged", self.aux_coef > 0.0)
        self.policy_kwargs.setdefault("masked", has_masks(self.env, self.action_space))
        policy = self.policy_class(
            self.observation_space, self.action_space, self.lr_schedule, **self.policy_kwargs
        ).to(self.device)
        self.policy = cast(MemoryPolicy, policy)
        stateless = not self.policy.initial_state(1)
        chunk = chunk_steps(self.n_steps, self.batch_size, self.bptt_steps, stateless)
        self.rollout = Rollout(self.n_steps, self.n_envs, chunk, self.device)
        # The name that SB3's learn() reads.
        self.rollout_buffer = self.rollout  # type: ignore[assignment]
        self.reward_scaler = RewardScaler(self.n_envs, self.gamma)
        self._state: State = self.policy.initial_state(self.n_envs)
        reach = min(self.n_steps, chunk)
        if self._state and reach < (self.memory_horizon_steps or 0):
            warnings.warn(
                f"gradients reach {reach} steps back, but the scenario hides what must be "
                f"remembered for {self.memory_horizon_steps}: raise n_steps (and bptt_steps) to "
                "1.5 times that, or expect no learning",
                stacklevel=3,
            )

    # ---- collect --------------------------------------------------------------------------

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int
    ) -> bool:
        """Fill the rollout; False if a callback asks to stop (signature of SB3)."""
        self.policy.set_training_mode(False)
        self.rollout.clear()
        callback.on_rollout_start()
        collector = Collector(self.policy, self.rollout, env, self.action_space)
        for t in range(self.n_steps):
            starts = cast(NDArray[np.bool_], self._last_episode_starts)
            actions, self._state = collector.act(t, self._last_obs, starts, self._state)
            new_obs, rewards, dones, infos = env.step(actions)
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, dones)
            self._state = collector.tell(t, rewards, dones, infos, self._state)
            self._last_obs = new_obs  # type: ignore[assignment]
            self._last_episode_starts = dones
        last_values = collector.last_values(self._last_obs, dones, self._state)
        scaled = self.rollout.rewards
        if self.normalize_rewards:
            scaled = self.reward_scaler.scale(
                torch.from_numpy(self.rollout.rewards), torch.from_numpy(self.rollout.dones)
            ).numpy()
        self.rollout.finish(scaled, last_values, self.gamma, self.gae_lambda)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _update_info_buffer(
        self, infos: list[dict[str, Any]], dones: NDArray[np.bool_] | None = None
    ) -> None:
        """SB3's episode statistics, looking only at worlds whose episode ended."""
        if dones is None:
            return
        ended = np.flatnonzero(dones)
        super()._update_info_buffer([infos[i] for i in ended], dones[ended])

    # ---- learn ----------------------------------------------------------------------------

    def train(self) -> None:
        """Improve the policy on the rollout: n_epochs passes over minibatches of chunks."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        progress = self._current_progress_remaining
        settings = LossSettings(
            clip=self.clip_range(progress),
            clip_value=None if self.clip_range_vf is None else self.clip_range_vf(progress),
            entropy_weight=self.entropy_schedule(progress),
            value_weight=self.vf_coef,
            auxiliary_weight=self.aux_coef,
            l1_weight=self.l1_coef,
            normalize_advantage=self.normalize_advantage,
            consolidation=self.consolidation,
        )
        logs: dict[str, list[float]] = {}
        parameters = list(self.policy.parameters())
        going_on = True
        for _ in range(self.n_epochs):
            states = self._chunk_states()
            for batch in self.rollout.minibatches(self.batch_size, states):
                loss, terms = ppo_loss(self.policy, batch, settings)
                for name, value in terms.items():
                    logs.setdefault(name, []).append(value)
                if self.target_kl is not None and terms["approx_kl"] > 1.5 * self.target_kl:
                    going_on = False
                    break
                for parameter in parameters:  # what zero_grad does, without its wrappers
                    parameter.grad = None
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, self.max_grad_norm)
                self.policy.optimizer.step()
            self._n_updates += 1
            if not going_on:
                break
        self._update_normaliser()
        self._log(logs, settings)

    def _chunk_states(self) -> list[State]:
        """Memory state at each chunk's start, as `state_init` says."""
        return chunk_states(self.policy, self.rollout, self.state_init, self.burn_in_steps)

    def _update_normaliser(self) -> None:
        observation = {
            key: value.flatten(0, 1)
            for key, value in self.rollout.observation().items()
            if key in self.policy.normaliser.moments
        }
        if observation:
            self.policy.normaliser.update(observation)

    def _log(self, logs: dict[str, list[float]], settings: LossSettings) -> None:
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
        self.logger.record("train/clip_range", settings.clip)
        if settings.clip_value is not None:
            self.logger.record("train/clip_range_vf", settings.clip_value)
        self.logger.record("train/ent_coef", settings.entropy_weight)
        for name, value in self.policy.memory.diagnostics().items():
            self.logger.record(f"memory/{name}", value)

    # ---- use ------------------------------------------------------------------------------

    def predict(  # type: ignore[override]
        self,
        observation: Any,
        state: State | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[Any], State]:
        """Actions and the next memory state; see `MemoryPolicy.predict`."""
        return self.policy.predict(observation, state, episode_start, deterministic, action_masks)

    def save(self, path: str | Path, *_: Any, **__: Any) -> None:  # type: ignore[override]
        """Write the agent as a folder of safetensors and JSON (never a pickle).

        Args:
            path: the folder; SB3's callbacks call this with a path ending in `.zip`, which is
                dropped.
        """
        from drivemem_agents.checkpoint import save_agent

        save_agent(self, Path(str(path).removesuffix(".zip")))

    @classmethod
    def load(  # type: ignore[override]
        cls, path: str | Path, env: GymEnv | None = None, device: str = "auto", **kwargs: Any
    ) -> MemoryPPO:
        """Read an agent that `save` wrote.

        Args:
            path: the folder.
            env: environment to go on training in, or None to predict only.
            device: "auto", "cpu", "cuda".
            kwargs: settings that replace the stored ones.

        Raises:
            CheckpointError: a missing, truncated or foreign folder.
        """
        from drivemem_agents.checkpoint import load_agent

        return load_agent(Path(str(path).removesuffix(".zip")), env, device, **kwargs)
