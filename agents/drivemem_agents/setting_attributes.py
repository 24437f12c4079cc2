"""SB3's names for PPO's settings, as attributes of an algorithm that are read and changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule

from drivemem_agents.ppo_settings import SCHEDULED, PPOSettings
from drivemem_agents.rollout import chunk_steps

SB3_SETTINGS = (
    "learning_rate", "n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "clip_range",
    "clip_range_vf", "normalize_advantage", "ent_coef", "vf_coef", "max_grad_norm", "target_kl",
)  # fmt: skip
"""Settings that SB3's PPO has as attributes."""

Algorithm = TypeVar("Algorithm", bound=type)


def checked_settings(given: dict[str, Any]) -> tuple[PPOSettings, dict[str, FloatSchedule]]:
    """Settings, functions by their first value, and schedules of those that may be functions.

    Raises:
        ValueError: an unknown name or a value out of range.
    """
    functions: dict[str, Callable[[float], float]] = {
        name: given[name] for name in SCHEDULED if callable(given.get(name))
    }
    plain = {name: value for name, value in given.items() if name not in functions}
    settings = PPOSettings.checked(plain).model_copy(
        update={name: float(function(1.0)) for name, function in functions.items()}
    )
    starts = {name: getattr(settings, name) for name in SCHEDULED}
    schedules = {
        name: FloatSchedule(functions.get(name, start))
        for name, start in starts.items()
        if start is not None
    }
    return settings, schedules


class SettingAttribute:
    """One setting of an algorithm: what is set is what is trained with from the next update on.

    As in SB3, `clip_range` and `clip_range_vf` are functions of the remaining progress.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.__doc__ = PPOSettings.model_fields[name].description

    def __get__(self, model: Any, owner: type) -> Any:
        if model is None:
            return self
        schedule = model._schedules.get(self.name)
        if schedule is None:
            return getattr(model.settings, self.name)
        constant = isinstance(schedule.value_schedule, ConstantSchedule)
        if constant and not self.name.startswith("clip_range"):
            return getattr(model.settings, self.name)
        return schedule

    def __set__(self, model: Any, value: Any) -> None:
        settings, schedules = checked_settings({self.name: value})
        chosen = getattr(settings, self.name)
        if hasattr(model, "rollout"):
            self._check_sizes(model, chosen)
        model.settings = model.settings.model_copy(update={self.name: chosen})
        if self.name in SCHEDULED:
            model._schedules.pop(self.name, None)
            model._schedules |= {k: v for k, v in schedules.items() if k == self.name}
            model.lost_schedules.pop(self.name, None)
        if self.name == "gamma" and hasattr(model, "reward_scaler"):
            model.reward_scaler.gamma = chosen

    def _check_sizes(self, model: Any, chosen: Any) -> None:
        """Refuse sizes that the rollout, which is made already, cannot have."""
        now = model.settings
        if self.name == "n_steps" and chosen != now.n_steps:
            raise ValueError(
                f"n_steps is {now.n_steps} and cannot become {chosen} now, for rollouts are made: "
                f"give it when the agent is made, or save it and load(path, env, n_steps={chosen})"
            )
        if self.name == "batch_size":
            stateless = not model.policy.initial_state(1)
            chunk_steps(now.n_steps, chosen, now.bptt_steps, stateless)


def with_sb3_settings(cls: Algorithm) -> Algorithm:
    """Class decorator: SB3's names read and change the settings."""
    for name in SB3_SETTINGS:
        setattr(cls, name, SettingAttribute(name))
    return cls
