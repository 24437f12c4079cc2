"""An SB3 algorithm whose policy carries memory: settings, set-up and prediction, no learning.

`MemoryPPO` adds how it collects and learns. Apart from it, so that what stores and loads agents
need not know the algorithm.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar, cast

import torch
from gymnasium import spaces
from numpy import bool_
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.utils import FloatSchedule
from torch import Tensor

from drivemem_agents.consolidation import Consolidation
from drivemem_agents.devices import check_device
from drivemem_agents.env_capabilities import has_masks, privileged_size
from drivemem_agents.memory import State
from drivemem_agents.normalisation import RewardScaler
from drivemem_agents.policy import MemoryPolicy
from drivemem_agents.ppo_settings import PolicySettings, PPOSettings
from drivemem_agents.rollout import Rollout, chunk_steps
from drivemem_agents.setting_attributes import checked_settings, with_sb3_settings


@with_sb3_settings
class MemoryAlgorithm(OnPolicyAlgorithm):
    """What `MemoryPPO` is before it learns; arguments as there.

    Attributes:
        settings: all settings; of a schedule, its first value.
        consolidation: a penalty on moving weights that an earlier task relies on, or None.
        lost_schedules: settings of a loaded agent that were functions, which no file holds, and
            the value that they are held at.
    """

    policy: MemoryPolicy  # type: ignore[assignment]
    policy_aliases: ClassVar[dict[str, type[MemoryPolicy]]] = {"MemoryPolicy": MemoryPolicy}  # type: ignore[assignment]

    def __init__(
        self,
        policy: str | type[MemoryPolicy],
        env: GymEnv | str | None,
        *,
        settings: PPOSettings | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        torch_threads: int | None = None,
        _init_setup_model: bool = True,
        **changes: Any,
    ) -> None:
        if torch_threads is not None and torch_threads < 1:
            raise ValueError(f"torch_threads is {torch_threads}: give 1 or more, or None")
        self.torch_threads = torch_threads
        if stats_window_size < 1:
            raise ValueError(f"stats_window_size is {stats_window_size}: average 1 episode or more")
        if seed is not None and not (isinstance(seed, Integral) and 0 <= seed < 2**32):
            raise ValueError(f"seed is {seed!r}: give a whole number from 0 to 2**32 - 1, or None")
        given = ({} if settings is None else settings.model_dump()) | changes
        self.settings, self._schedules = checked_settings(given)
        self.lost_schedules: dict[str, float] = {}
        chosen, schedules = self.settings, dict(self._schedules)
        check_device(device)
        super().__init__(
            policy,  # type: ignore[arg-type]
            env,  # type: ignore[arg-type]
            learning_rate=schedules["learning_rate"],
            n_steps=chosen.n_steps,
            gamma=chosen.gamma,
            gae_lambda=chosen.gae_lambda,
            ent_coef=schedules["ent_coef"],  # type: ignore[arg-type]
            vf_coef=chosen.vf_coef,
            max_grad_norm=chosen.max_grad_norm,
            use_sde=False,
            sde_sample_freq=-1,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs={
                **chosen.model_dump(include=set(PolicySettings.model_fields)),
                **(policy_kwargs or {}),
            },
            verbose=verbose,
            seed=seed,
            device=device,
            _init_setup_model=False,
            supported_action_spaces=(spaces.Box, spaces.Discrete, spaces.MultiDiscrete),
        )
        self._n_updates = 0
        self.consolidation: Consolidation | None = None
        if _init_setup_model:
            self._setup_model()

    def _setup_model(self) -> None:
        chosen = self.settings
        self._setup_lr_schedule()
        self.set_random_seed(self.seed)
        if chosen.aux_coef > 0.0 or chosen.critic == "privileged":
            self.policy_kwargs.setdefault("privileged_size", privileged_size(self.env))
        self.policy_kwargs.setdefault("predict_privileged", chosen.aux_coef > 0.0)
        self.policy_kwargs.setdefault("masked", has_masks(self.env, self.action_space))
        policy = self.policy_class(
            self.observation_space, self.action_space, self.lr_schedule, **self.policy_kwargs
        ).to(self.device)
        self.policy = cast(MemoryPolicy, policy)
        stateless = not self.policy.initial_state(1)
        chunk = chunk_steps(chosen.n_steps, chosen.batch_size, chosen.bptt_steps, stateless)
        self.rollout = Rollout(chosen.n_steps, self.n_envs, chunk, self.device)
        # The name that SB3's learn() reads.
        self.rollout_buffer = self.rollout  # type: ignore[assignment]
        self.reward_scaler = RewardScaler(self.n_envs, chosen.gamma)
        self._state: State = self.policy.initial_state(self.n_envs)
        if self._state and chunk < (chosen.memory_horizon_steps or 0):
            warnings.warn(
                f"gradients reach {chunk} steps back, but the scenario hides what must be "
                f"remembered for {chosen.memory_horizon_steps}: raise n_steps (and bptt_steps) to "
                "1.5 times that, or expect no learning",
                stacklevel=3,
            )

    @property
    def lr_schedule(self) -> FloatSchedule:
        """The learning rate as a function of the remaining progress; SB3's name."""
        return self._schedules["learning_rate"]

    @lr_schedule.setter
    def lr_schedule(self, schedule: Callable[[float], float]) -> None:
        self.learning_rate = schedule

    def _setup_learn(self, *args: Any, **kwargs: Any) -> tuple[int, BaseCallback]:
        if self.lost_schedules:
            held = ", ".join(f"{name} at {value}" for name, value in self.lost_schedules.items())
            name = next(iter(self.lost_schedules))
            warnings.warn(
                f"this agent was saved with functions as settings, which no file holds; now "
                f"constant: {held}. Give them again, as in load(path, env, {name}=...), or save "
                "agents with SB3's LinearSchedule",
                stacklevel=3,
            )
        return super()._setup_learn(*args, **kwargs)

    def settings_now(self) -> PPOSettings:
        """The settings with what schedules have come to."""
        left = self._current_progress_remaining
        return self.settings.model_copy(
            update={name: schedule(left) for name, schedule in self._schedules.items()}
        )

    def carried(self) -> dict[str, Tensor]:
        """What else a subclass carries from update to update, which checkpoints keep."""
        return {}

    def carry_on(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `carried` gave."""

    def predict(  # type: ignore[override]
        self,
        observation: Any,
        state: State | None = None,
        episode_start: NDArray[bool_] | bool | None = None,
        deterministic: bool = False,
        action_masks: NDArray[bool_] | None = None,
    ) -> tuple[NDArray[Any], State]:
        """Actions and the next memory state; see `MemoryPolicy.predict`."""
        return self.policy.predict(observation, state, episode_start, deterministic, action_masks)
