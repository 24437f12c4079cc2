"""Drawn settings of memories, encoders and the learner: agents are built of them and learn."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
from hypothesis import strategies as st

from tests.campaigns.apart import Ending, apart
from tests.campaigns.draws import (
    Drawn,
    changes,
    is_huge,
    of_model,
    seconds_for,
)

SPACES: dict[str, gym.Space[Any]] = {
    "vector": gym.spaces.Box(-1.0, 1.0, (9,), np.float32),
    "vehicles": gym.spaces.Box(-1.0, 1.0, (5, 7), np.float32),
    "grid": gym.spaces.Box(-1.0, 1.0, (3, 11, 11), np.float32),
    "image": gym.spaces.Box(0, 255, (4, 64, 64), np.uint8),
}
SPACES["fusion"] = gym.spaces.Dict({name: SPACES[name] for name in ("vehicles", "grid", "vector")})


class Noise(gym.Env[Any, Any]):
    """Episodes of five random observations: what agents are built on here."""

    def __init__(self, space: gym.Space[Any]) -> None:
        self.observation_space, self.action_space = space, gym.spaces.Discrete(3)
        space.seed(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """A random observation."""
        super().reset(seed=seed)
        self.steps = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        """Another."""
        self.steps += 1
        return self.observation_space.sample(), float(action == 0), self.steps == 5, False, {}


@cache
def memory_fields(name: str) -> dict[str, st.SearchStrategy[Any]]:
    """Right values of a memory's settings."""
    from drivemem_agents.memory import memory_class

    fields = of_model(memory_class(name).Settings)
    return fields or {"hidden_size": st.just(8)}


@cache
def encoder_fields(name: str) -> dict[str, st.SearchStrategy[Any]]:
    """Right values of an encoder's settings."""
    from drivemem_agents import MemoryPPO

    model = MemoryPPO("MemoryPolicy", Noise(SPACES[name]), encoder=name, device="cpu")  # type: ignore[arg-type]
    fields = of_model(type(model.policy.encoder).Settings)
    return fields or {"widths": st.just([8])}


def memories() -> tuple[st.SearchStrategy[Any], Callable[[Any], Ending]]:
    from drivemem_agents.memory import memory_names

    def of_memory(name: str) -> st.SearchStrategy[Any]:
        drawn = changes(memory_fields(name))
        return drawn.map(lambda changed: Drawn(name, changed))

    def meet(drawn: Drawn) -> Ending:
        return _learn("vector", memory=drawn.where, memory_kwargs=drawn.changed)

    return st.sampled_from(memory_names()).flatmap(of_memory), meet


def encoders() -> tuple[st.SearchStrategy[Any], Callable[[Any], Ending]]:
    def of_encoder(name: str) -> st.SearchStrategy[Any]:
        drawn = changes(encoder_fields(name))
        return drawn.map(lambda changed: Drawn(name, changed))

    def meet(drawn: Drawn) -> Ending:
        return _learn(drawn.where, encoder=drawn.where, encoder_kwargs=drawn.changed)

    return st.sampled_from(sorted(SPACES)).flatmap(of_encoder), meet


def agents() -> tuple[st.SearchStrategy[Any], Callable[[Any], Ending]]:
    """The settings of MemoryPPO itself, which have the names and ranges of a configuration's."""
    from drivemem import TrainConfig
    from drivemem_agents.memory import memory_names

    fields = of_model(TrainConfig, {"memory": st.sampled_from([*memory_names(), "gruu"])})
    own = {
        "memory", "learning_rate", "n_steps", "batch_size", "n_epochs", "bptt_steps", "state_init",
        "burn_in_steps", "gamma", "gae_lambda", "clip_range", "clip_range_vf", "ent_coef",
        "vf_coef", "max_grad_norm", "target_kl", "dropout", "weight_decay", "l1_coef",
        "normalize_observations", "normalize_rewards", "observe_previous_action", "precision",
        "aux_coef", "critic", "seed", "device",
    }  # fmt: skip
    right = {name: values for name, values in fields.items() if name in own}
    right["device"] = st.just("cpu")
    # A misspelt argument of a function is Python's to refuse.
    drawn = changes(right).map(lambda each: {k: v for k, v in each.items() if k in own})
    return drawn, lambda changed: _learn("vector", **changed)


def _learn(space: str, **settings: Any) -> Ending:
    """Build an agent and learn for a few steps, where that is little work."""
    base = {"n_steps": 8, "batch_size": 8, "n_epochs": 1, "device": "cpu", "seed": 0}

    def work() -> Ending | None:
        from drivemem_agents import MemoryPPO

        known = {**base, **settings}
        model = MemoryPPO("MemoryPolicy", Noise(SPACES[space]), **known)  # type: ignore[arg-type]
        if not is_huge([known[key] for key in ("n_steps", "batch_size", "n_epochs")]):
            model.learn(9)
        bad = [
            name for name, value in model.policy.state_dict().items() if not value.isfinite().all()
        ]
        if bad:
            return Ending("traceback", "learned weights that are not finite", bad[0])
        return None

    return apart(work, seconds_for(settings), library=True)
