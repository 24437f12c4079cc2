"""The policy: encoder, memory, heads. It acts step by step and is trained on whole sequences."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from drivemem_agents.encoders import make_encoder, mlp
from drivemem_agents.files import agent_folder
from drivemem_agents.heads import described_size, make_head, orthogonal
from drivemem_agents.memory import State, make_memory
from drivemem_agents.normalisation import ObservationNormaliser
from drivemem_agents.observations import (
    Observation,
    batch_of,
    subspaces,
    to_tensors,
)
from drivemem_agents.policy_files import load_policy, save_policy
from drivemem_agents.policy_outputs import CRITIC, SequenceOutput, StepOutput, split_state
from drivemem_agents.ppo_settings import PolicySettings
from drivemem_agents.predict_advice import PredictAdvice
from drivemem_agents.predict_arguments import as_batch, as_masks, as_starts, as_state
from drivemem_agents.previous_inputs import PREVIOUS, PreviousInputs
from drivemem_agents.sb3_policy import SB3Policy
from drivemem_agents.settings import documented_by, sizes


@documented_by(PolicySettings)
class MemoryPolicy(SB3Policy):
    """Encoder, memory and heads over any Gymnasium observation and action space.

    Args:
        observation_space: Box, Discrete, MultiBinary, or a Dict of them.
        action_space: Discrete, MultiDiscrete or Box.
        lr_schedule: SB3's learning-rate schedule.
        use_sde: must be False; there for SB3's signature.
        privileged_size: P, width of the privileged vector; needed by the privileged critic (an
            MLP over the true state; training only) and by the auxiliary prediction.
        predict_privileged: add a linear head that predicts the privileged vector from the
            memory's output (auxiliary loss).
        head_widths: tanh layers between the memory and each of the two heads.
        masked: whether it learns where actions are masked; `predict` then warns if it gets none.
        changes: settings that are not to have their default.

    Raises:
        ValueError: unknown settings, values out of range, or a part that needs the true state
            without its size.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        use_sde: bool = False,
        *,
        privileged_size: int = 0,
        predict_privileged: bool = False,
        head_widths: tuple[int, ...] = (64,),
        masked: bool = False,
        **changes: Any,
    ) -> None:
        if use_sde:
            raise ValueError("use_sde is not supported: exploration noise comes from the heads")
        super().__init__(observation_space, action_space)
        chosen = PolicySettings.checked(changes).model_dump()
        critic, widths = chosen["critic"], sizes("head_widths", head_widths)
        self.settings: dict[str, Any] = {
            **chosen,
            "memory_kwargs": chosen["memory_kwargs"] or {},
            "encoder_kwargs": chosen["encoder_kwargs"] or {},
            "privileged_size": privileged_size,
            "predict_privileged": predict_privileged,
            "head_widths": list(widths),
            "masked": masked,
        }
        if privileged_size == 0 and (critic == "privileged" or predict_privileged):
            raise ValueError(
                "privileged_size is 0, but a privileged critic or the auxiliary loss needs the "
                "true state: use an environment that offers `privileged()`, or critic='shared'"
            )
        self.critic, self.precision = critic, chosen["precision"]
        self._build_trunk(observation_space, action_space)
        self._build_critic(observation_space)
        self._advice = PredictAdvice(masked, carries_state=bool(self.initial_state(1)))
        if chosen["compile"]:
            for module in (self.encoder, self.action_layers, self.value_head):
                module.compile()
        self._first_rate = lr_schedule(1)
        self.optimizer_state: dict[int, dict[str, Tensor]] = {}

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:  # type: ignore[override]
        """Adam over all weights, made when training asks: importing it takes a second or two."""
        decay = self.settings["weight_decay"]
        adam = torch.optim.AdamW if decay > 0.0 else torch.optim.Adam
        made = adam(
            self.parameters(), lr=self._first_rate, eps=1e-5, weight_decay=decay, fused=True
        )
        if self.optimizer_state:  # of a loaded agent that has not learnt yet
            groups = made.state_dict()["param_groups"]
            made.load_state_dict({"state": self.optimizer_state, "param_groups": groups})
        return made

    def _build_trunk(
        self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]
    ) -> None:
        """Normaliser, encoder, memory and action head."""
        settings = self.settings
        self.encoder = make_encoder(
            settings["encoder"], observation_space, settings["encoder_kwargs"]
        )
        self.normaliser = ObservationNormaliser(
            {
                key: part.shape
                for key, part in subspaces(observation_space).items()
                if settings["normalize_observations"]
                and part.dtype != np.uint8
                and key not in self.encoder.unscaled
            }
        )
        self.previous = PreviousInputs(
            described_size(action_space) if settings["observe_previous_action"] else 0,
            settings["observe_previous_reward"],
        )
        self.memory = make_memory(
            settings["memory"],
            self.encoder.output_size + self.previous.size,
            settings["memory_kwargs"],
        )
        self.dropout = nn.Dropout(settings["dropout"])
        width, widths = self.memory.output_size, tuple(settings["head_widths"])
        self.action_layers = mlp(width, widths)
        last = widths[-1] if widths else width
        self.action_head = make_head(last, action_space, settings["squash"])

    def _build_critic(self, observation_space: spaces.Space[Any]) -> None:
        """Value head, the separate critic's own trunk, and the auxiliary prediction."""
        settings, width = self.settings, self.memory.output_size
        widths = tuple(settings["head_widths"])
        if self.critic == "separate":
            self.critic_encoder = make_encoder(
                settings["encoder"], observation_space, settings["encoder_kwargs"]
            )
            self.critic_memory = make_memory(
                settings["memory"], self.memory.input_size, settings["memory_kwargs"]
            )
        privileged = settings["privileged_size"]
        critic_input = privileged if self.critic == "privileged" else width
        critic_widths = (128, *widths) if self.critic == "privileged" else widths
        self.value_head = nn.Sequential(
            mlp(critic_input, critic_widths),
            orthogonal(critic_widths[-1] if critic_widths else critic_input, 1, gain=1.0),
        )
        self.prediction_head = (
            nn.Linear(width, privileged) if settings["predict_privileged"] else None
        )

    def initial_state(self, batch: int) -> State:
        """Memory state before the first step of an episode, leading dimension B."""
        state = dict(self.memory.initial_state(batch))
        if self.critic == "separate":
            first = self.critic_memory.initial_state(batch)
            state |= {CRITIC + key: value for key, value in first.items()}
        return state | self.previous.initial(batch, self.device)

    def is_critics(self, name: str) -> bool:
        """Whether a tensor of the memory state is carried for the separate critic alone."""
        return name.startswith(CRITIC)

    def to_tensors(self, observation: Any) -> Observation:
        """A batch of observations as tensors on the policy's device."""
        return to_tensors(self.observation_space, observation, self.device)

    def to_environment(self, actions: Tensor) -> np.ndarray[Any, Any]:
        """Stored actions (B, A) as the environment takes them (B, ...)."""
        return self.action_head.to_environment(actions)

    def reset_state(self, state: State, starts: Tensor) -> State:
        """Replace the state of worlds that begin an episode by the initial one."""
        own, critics = split_state(state)
        fresh = dict(self.memory.reset(own, starts))
        if critics:
            reset = self.critic_memory.reset(critics, starts)
            fresh |= {CRITIC + key: value for key, value in reset.items()}
        return fresh | self.previous.reset(state, starts)

    def tell_rewards(self, state: State, rewards: Tensor) -> State:
        """Enter the rewards (B,) of the step just driven, if the memory reads them."""
        return self.previous.enter_rewards(state, rewards)

    def with_previous_inputs(
        self, observation: Observation, state: State, starts: Tensor
    ) -> Observation:
        """The observation and, where the memory reads them, the previous action and reward."""
        return self.previous.add_to(observation, state, starts)

    def act(
        self,
        observation: Observation,
        state: State,
        episode_start: Tensor,
        deterministic: bool = False,
        action_masks: Tensor | None = None,
        privileged: Tensor | None = None,
    ) -> StepOutput:
        """One step of a batch of worlds.

        Args:
            observation: tensors (B, ...) from `to_tensors`.
            state: memory state (B, ...).
            episode_start: (B,) bool; those worlds' state is reset first.
            deterministic: take the most likely action.
            action_masks: (B, n) bool, True where a discrete action is available.
            privileged: (B, P) true state, for a privileged critic (without it values are nan).
        """
        frames = self.normaliser(self.with_previous_inputs(observation, state, episode_start))
        own, critics = split_state(state)
        own = self.memory.reset(own, episode_start)
        features, own = self.memory.step(self._inputs(self.encoder, frames), own)
        features = self.dropout(features)
        parameters = self.action_head(self.action_layers(features), action_masks)
        actions, carried = self.action_head.sample(parameters, deterministic), dict(own)
        if self.critic == "separate":
            critics = self.critic_memory.reset(critics, episode_start)
            encoded = self._inputs(self.critic_encoder, frames)
            critic_features, critics = self.critic_memory.step(encoded, critics)
            values = self.value_head(critic_features)
            carried |= {CRITIC + key: value for key, value in critics.items()}
        else:
            values = self._values(features, privileged)
        carried |= self.previous.after_step(actions, self.action_head)
        log_prob = self.action_head.log_prob(parameters, actions)
        values = values.squeeze(-1)
        return StepOutput(
            actions, values, log_prob, carried, features, parameters, self.action_head
        )

    def evaluate_sequence(
        self,
        observation: Observation,
        actions: Tensor,
        state: State,
        starts: Tensor,
        action_masks: Tensor | None = None,
        privileged: Tensor | None = None,
    ) -> SequenceOutput:
        """Values, log-probabilities and entropies of stored steps.

        Args:
            observation: tensors (T, B, ...).
            actions: (T, B, A) as stored.
            state: memory state before step 0.
            starts: (T, B) bool.
            action_masks: (T, B, n) bool.
            privileged: (T, B, P) true state.
        """
        frames = self.normaliser(observation)
        own, critics = split_state(state)
        with self._autocast():
            encoded = self._encode(self.encoder, frames)
        features = self.dropout(self.memory.outputs(encoded.float(), own, starts))
        critic_features = features
        if self.critic == "separate":
            with self._autocast():
                encoded = self._encode(self.critic_encoder, frames)
            critic_features = self.critic_memory.outputs(encoded.float(), critics, starts)
        with self._autocast():
            hidden = self.action_layers(features)
            values = self._values(critic_features, privileged)
        parameters = self.action_head(hidden.float(), action_masks)
        return SequenceOutput(
            values.float().squeeze(-1),
            self.action_head.log_prob(parameters, actions),
            self.action_head.entropy(parameters),
            features,
            parameters,
        )

    def state_after(self, observation: Observation, state: State, starts: Tensor) -> State:
        """Memory state after a block (T, B, ...), arguments as in `evaluate_sequence`."""
        frames = self.normaliser(observation)
        own, critics = split_state(state)
        after = dict(self.memory.sequence(self._encode(self.encoder, frames), own, starts)[1])
        if self.critic == "separate":
            encoded = self._encode(self.critic_encoder, frames)
            last = self.critic_memory.sequence(encoded, critics, starts)[1]
            after |= {CRITIC + key: value for key, value in last.items()}
        if PREVIOUS in state:  # not read: a stored frame carries its own previous inputs
            after[PREVIOUS] = state[PREVIOUS]
        return after

    def predict(  # type: ignore[override]
        self,
        observation: Any,
        state: State | None = None,
        episode_start: np.ndarray[Any, Any] | bool | None = None,
        deterministic: bool = False,
        action_masks: np.ndarray[Any, Any] | None = None,
    ) -> tuple[np.ndarray[Any, Any], State]:
        """SB3's predict, with memory state: see `stable_baselines3`'s RecurrentPPO convention.

        Args:
            observation: one observation or a batch, as arrays, tensors or lists.
            state: what the previous call returned; None at the start, of which a memory that
                carries state warns once where it comes again.
            episode_start: (B,) bool, True where an episode begins; or one for all.
            deterministic: take the most likely action.
            action_masks: (B, n) bool; needed where the agent learned with masks, for what it
                thinks of actions that were never available means nothing.

        Returns:
            Actions as the environment takes them, and the memory state.

        Raises:
            ValueError: something of another shape, or an observation that is not finite.
        """
        self.set_training_mode(False)
        observation, vectorized = as_batch(self.observation_space, observation)
        with torch.inference_mode():
            tensors = self.to_tensors(observation)
            batch = batch_of(tensors)
            self._advice.given(observation, state, episode_start, action_masks)
            initial = self.initial_state(batch)
            begins = state is None or (False if episode_start is None else episode_start)
            starts = torch.as_tensor(as_starts(begins, batch), device=self.device)
            state = initial if state is None else as_state(state, initial)
            masks = None
            if action_masks is not None:
                choices = described_size(self.action_space)
                masks = as_masks(action_masks, batch, choices, self.device)
            act = self.act(tensors, state, starts, deterministic, masks)
            actions = self.to_environment(act.actions)
        return (actions if vectorized else actions[0]), act.state

    def forward(self, observation: Any, deterministic: bool = False) -> tuple[Tensor, ...]:
        """Actions, values and log-probabilities at the first step of an episode (SB3's form)."""
        tensors = self.to_tensors(observation)
        state = self.initial_state(batch_of(tensors))
        starts = torch.ones(batch_of(tensors), dtype=torch.bool, device=self.device)
        act = self.act(tensors, state, starts, deterministic)
        return act.actions, act.values, act.log_prob

    def _predict(self, observation: Any, deterministic: bool = False) -> Tensor:
        return self.forward(observation, deterministic)[0]

    def _values(self, features: Tensor, privileged: Tensor | None) -> Tensor:
        if self.critic == "privileged" and privileged is None:
            return features.new_full((*features.shape[:-1], 1), torch.nan)
        values: Tensor = self.value_head(privileged if self.critic == "privileged" else features)
        return values

    def _autocast(self) -> AbstractContextManager[Any]:
        """bfloat16 for encoder and heads where the settings say so."""
        if self.precision == "bf16" and self.training:
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def _inputs(self, encoder: nn.Module, frames: Observation) -> Tensor:
        """What the memory reads of frames (N, ...): features, previous action and reward."""
        features: Tensor = encoder(frames)
        if self.previous.size:
            features = torch.cat([features, frames[PREVIOUS]], dim=1)
        return features

    def _encode(self, encoder: nn.Module, frames: Observation) -> Tensor:
        """Encode (T, B, ...) frames as one batch."""
        first = next(iter(frames.values()))
        steps, worlds = first.shape[:2]
        flat = {
            key: value.reshape(steps * worlds, *value.shape[2:]) for key, value in frames.items()
        }
        return self._inputs(encoder, flat).reshape(steps, worlds, -1)

    def extra_arguments(self) -> dict[str, Any]:
        """Arguments of a subclass's constructor beyond this class's, for `save`."""
        return {}

    def save(self, path: str | Path) -> None:
        """Write the policy alone as a folder; see `MemoryPPO.save` for the whole agent."""
        save_policy(self, agent_folder(path), MemoryPolicy)

    @classmethod
    def load(cls, path: str | Path, device: torch.device | str = "auto") -> Self:
        """Read a policy that `save` or an agent wrote; of MemoryPolicy also its subclasses."""
        return cast(Self, load_policy(cls, agent_folder(path), device, MemoryPolicy))
