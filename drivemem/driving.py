"""Drivers as evaluation sees them: trained agents and reference drivers behind one interface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from drivemem.errors import DrivememError
from drivemem.lesions import INTACT, make_lesion
from drivemem.runs import Run
from drivemem_agents.checkpoint import CheckpointError, load_agent
from drivemem_envs import Scenario
from drivemem_envs.drivers import make_driver
from drivemem_envs.sensing.spec import Slots, Tracker


class Decision(NamedTuple):
    """What a driver did in one step, for N worlds; None where it has no such thing."""

    actions: NDArray[Any]
    value: NDArray[np.float64] | None = None
    entropy: NDArray[np.float64] | None = None
    log_prob: NDArray[np.float64] | None = None
    probs: NDArray[np.float64] | None = None
    memory_norm: NDArray[np.float64] | None = None
    memory_change: NDArray[np.float64] | None = None


class Evaluated(Protocol):
    """A driver during an evaluation; it owns its state."""

    def begin(self, worlds: int) -> None:
        """Before the first step."""

    def decide(
        self, observation: Any, starts: NDArray[np.bool_], masks: NDArray[np.bool_] | None
    ) -> Decision:
        """Actions for N worlds; `starts` says where an episode begins."""
        ...


@dataclass(frozen=True)
class Identity:
    """What the tables say of a driver."""

    driver: str
    run: str
    train_seed: int | None
    full_sensors: bool
    tracker: Tracker
    slots: Slots | None
    lesion: str
    deterministic: bool


class AgentDriver:
    """A trained agent, intact or with a lesion."""

    def __init__(self, model_folder: Path, lesion: str, deterministic: bool) -> None:
        try:
            self._model = load_agent(model_folder, device="cpu")
        except CheckpointError as error:
            raise DrivememError(str(error)) from error
        self._deterministic = deterministic
        self._lesion = make_lesion(lesion, self._model.policy)
        self._policy = self._lesion.prepare(self._model.policy)
        self._policy.set_training_mode(False)

    @property
    def policy(self) -> Any:
        """The policy that acts."""
        return self._policy

    def begin(self, worlds: int) -> None:
        """Initial memory state; sampling is seeded, so evaluations repeat."""
        self._generator_state = torch.get_rng_state()
        torch.manual_seed(0)
        self._state = self._policy.initial_state(worlds)
        self._step = np.zeros(worlds, dtype=np.int64)
        self._lesion.begin(self._policy, worlds)

    def decide(
        self, observation: Any, starts: NDArray[np.bool_], masks: NDArray[np.bool_] | None
    ) -> Decision:
        """Act, and say what led to it."""
        self._step = np.where(starts, 0, self._step + 1)
        with torch.inference_mode():
            tensors = self._policy.to_tensors(observation)
            begins = torch.from_numpy(starts)
            state = self._policy.reset_state(self._state, begins)
            if state:
                state = self._lesion.before(state, tensors, self._step)
            none = torch.zeros_like(begins)
            mask = None if masks is None else torch.from_numpy(masks)
            act = self._policy.act(tensors, state, none, self._deterministic, mask)
            self._state = act.state
            actions = self._policy.to_environment(act.actions)
        norm, change = _memory_numbers(state, act.state)
        probs = None if act.probs is None else act.probs.double().numpy()
        return Decision(
            actions, act.values.double().numpy(), act.entropy.double().numpy(),
            act.log_prob.double().numpy(), probs, norm, change,
        )  # fmt: skip


class ReferenceDriver:
    """A reference driver behind the same interface."""

    def __init__(self, name: str, scenario: Scenario, action_space: Any) -> None:
        try:
            self._driver = make_driver(name, scenario, action_space)
        except ValueError as error:
            raise DrivememError(str(error)) from error
        self.tracker = self._driver.tracker

    def begin(self, worlds: int) -> None:
        """No state yet."""
        self._state: Any = None

    def decide(
        self, observation: Any, starts: NDArray[np.bool_], masks: NDArray[np.bool_] | None
    ) -> Decision:
        """Act."""
        actions, self._state = self._driver.predict(observation, self._state, starts, True, masks)
        return Decision(actions)


def _memory_numbers(
    before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Euclidean norm of the memory state and of its change, (N,)."""
    if not after:
        return None, None
    own = [key for key in after if not key.startswith("critic.") and after[key].is_floating_point()]
    norm = sum(after[key].flatten(1).double().square().sum(1) for key in own)
    change = sum((after[key] - before[key]).flatten(1).double().square().sum(1) for key in own)
    return np.sqrt(np.asarray(norm)), np.sqrt(np.asarray(change))


def agent_identity(run: Run, lesion: str, deterministic: bool) -> Identity:
    """Identity of a trained run's agent."""
    config = run.config()
    return Identity(
        config.memory, run.name, config.seed, config.full_sensors, config.tracker, config.slots,
        lesion, deterministic,
    )  # fmt: skip


def driver_identity(name: str, run: str, tracker: Tracker) -> Identity:
    """Identity of a reference driver."""
    return Identity(name, run, None, False, tracker, None, INTACT, True)
