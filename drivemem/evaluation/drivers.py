"""Drivers as evaluation sees them: trained agents and reference drivers behind one interface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from drivemem.errors import DrivememError, one_line
from drivemem.evaluation.attention import AttentionTap
from drivemem.lesions import INTACT, make_lesion
from drivemem.runs import Run
from drivemem_agents import CheckpointError, MemoryPPO
from drivemem_agents.policy import MemoryPolicy
from drivemem_envs.drivers import Driver
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
    attention: NDArray[np.float64] | None = None
    """(N, W) over past frames, the oldest first, mean over heads and layers."""
    parameters: torch.Tensor | None = None
    """(N, P) of the distribution that the actions come from, as the policy's head gives them."""


class ActingDriver(Protocol):
    """A driver during an evaluation; it owns its state."""

    def begin(self, env: Any) -> None:
        """Before the first step, given the worlds that it is going to drive."""

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


class PolicyDriver:
    """A policy that drives, intact or with a lesion.

    Args:
        policy: left as it is; lesions of weights change a copy.
        lesion: `name:argument` or `intact`.
        deterministic: take the most likely action.
    """

    def __init__(self, policy: MemoryPolicy, lesion: str, deterministic: bool) -> None:
        self._deterministic = deterministic
        self._lesion = make_lesion(lesion, policy)
        self._policy = self._lesion.prepare(policy)
        self._tap: AttentionTap | None = None
        self._state: dict[str, torch.Tensor] = {}

    @property
    def policy(self) -> MemoryPolicy:
        """The policy that acts."""
        return self._policy

    @property
    def state(self) -> dict[str, torch.Tensor]:
        """Memory state after the last decision, (N, ...), less the critic's own; {} without one."""
        return {key: value for key, value in self._state.items() if not key.startswith("critic.")}

    def put_state(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from another memory state, tensors as in `state`; what is left out stays."""
        self._state = {**self._state, **state}

    @property
    def repeats_alone(self) -> bool:
        """Whether an episode goes the same whatever was driven before it: nothing is drawn."""
        return self._deterministic and not self._lesion.draws

    def show_attention(self) -> None:
        """Let decisions tell where attention goes, if the memory attends; it costs time."""
        self._tap = AttentionTap(self._policy.memory)

    def begin(self, env: Any) -> None:
        """Initial memory state; sampling is seeded, so evaluations repeat."""
        worlds = env.num_envs
        torch.manual_seed(0)
        self._policy.set_training_mode(False)
        self._state = self._policy.initial_state(worlds)
        self._step = np.zeros(worlds, dtype=np.int64)
        self._lesion.begin(self._policy, worlds)

    def carried(self) -> Any:
        """What it carries from decision to decision, as arrays; see `carry_on`."""
        state = {key: value.cpu().numpy() for key, value in self._state.items()}
        return {"state": state, "step": self._step}

    def carry_on(self, carried: Any) -> None:
        """Go on from where `carried` was asked, in worlds that are there too."""
        device = self._policy.device
        self._state = {
            key: torch.as_tensor(value, device=device) for key, value in carried["state"].items()
        }
        self._step = np.asarray(carried["step"])

    def decide(
        self, observation: Any, starts: NDArray[np.bool_], masks: NDArray[np.bool_] | None
    ) -> Decision:
        """Act, and say what led to it."""
        self._step = np.where(starts, 0, self._step + 1)
        device = self._policy.device
        with torch.inference_mode():
            tensors = self._policy.to_tensors(observation)
            begins = torch.as_tensor(starts, device=device)
            state = self._policy.reset_state(self._state, begins)
            if state:
                state = self._lesion.before(state, tensors, self._step)
            none = torch.zeros_like(begins)
            mask = None if masks is None else torch.as_tensor(masks, device=device)
            act = self._policy.act(tensors, state, none, self._deterministic, mask)
            self._state = act.state
            actions = self._policy.to_environment(act.actions)
        norm, change = _memory_numbers(state, act.state)
        return Decision(
            actions, _column(act.values), _column(act.entropy), _column(act.log_prob),
            None if act.probs is None else _column(act.probs), norm, change, self._attention(),
            act.parameters,
        )  # fmt: skip

    def _attention(self) -> NDArray[np.float64] | None:
        weights = None if self._tap is None else self._tap.weights()
        return None if weights is None else weights.mean(axis=(1, 2))[:, ::-1]


def check_fits(policy: MemoryPolicy, env: Any, scenario: str) -> None:
    """Refuse worlds whose observation or actions have another shape than an agent's.

    Args:
        policy: of the agent.
        env: the vector environment that it is to drive in.
        scenario: the name of what that holds.

    Raises:
        DrivememError: they differ; the message says how.
    """
    for what, mine, theirs in (
        ("observation", policy.observation_space, env.single_observation_space),
        ("actions", policy.action_space, env.single_action_space),
    ):
        if _shape(mine) != _shape(theirs):
            raise DrivememError(
                f"this agent does not fit {scenario}: its {what} are of shape {_shape(mine)}, "
                f"there {_shape(theirs)}; choose a scenario of its own shape, or train one there"
            )


def _shape(space: Any) -> Any:
    """What of a space the sizes of an agent's layers depend on."""
    if isinstance(space, spaces.Dict):
        return {key: _shape(part) for key, part in space.spaces.items()}
    if isinstance(space, spaces.MultiDiscrete):
        return tuple(space.nvec.tolist())
    return int(space.n) if isinstance(space, spaces.Discrete) else space.shape


class AgentDriver(PolicyDriver):
    """A trained agent, read from its folder.

    Raises:
        DrivememError: broken files, or a lesion that does not fit.
    """

    def __init__(self, model_folder: Path, lesion: str, deterministic: bool) -> None:
        with one_line(CheckpointError):
            policy = MemoryPPO.load(model_folder, device="cpu").policy
        super().__init__(policy, lesion, deterministic)


class ReferenceDriver:
    """Anything with SB3's `predict` behind the same interface.

    Args:
        driver: of `drivemem.evaluation.external_drivers.resolve_driver`.
        deterministic: passed on.
    """

    def __init__(self, driver: Driver, deterministic: bool = True) -> None:
        self._driver, self._deterministic = driver, deterministic

    @property
    def meets_worlds(self) -> bool:
        """Whether the driver is given the worlds, so that it can look beyond observations."""
        return hasattr(self._driver, "meet")

    def begin(self, env: Any) -> None:
        """No state yet; drivers that draw from PyTorch repeat.

        Raises:
            DrivememError: the driver cannot drive these worlds.
        """
        torch.manual_seed(0)
        self._state: Any = None
        if hasattr(self._driver, "meet"):
            with one_line(ValueError):
                self._driver.meet(env)

    def carried(self) -> Any:
        """The driver's state after the last decision, whatever it is made of."""
        return self._state

    def carry_on(self, carried: Any) -> None:
        """Go on from where `carried` was asked, in worlds that are there too."""
        self._state = carried

    def decide(
        self, observation: Any, starts: NDArray[np.bool_], masks: NDArray[np.bool_] | None
    ) -> Decision:
        """Act."""
        actions, self._state = self._driver.predict(
            observation, self._state, starts, self._deterministic, masks
        )
        return Decision(np.asarray(actions))


def _memory_numbers(
    before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Euclidean norm of the memory state and of its change, (N,)."""
    own = [key for key in after if not key.startswith("critic.") and after[key].is_floating_point()]
    if not own:
        return None, None
    norm = torch.stack([after[key].flatten(1).double().square().sum(1) for key in own])
    change = torch.stack(
        [(after[key] - before[key]).flatten(1).double().square().sum(1) for key in own]
    )
    return _column(norm.sum(0).sqrt()), _column(change.sum(0).sqrt())


def _column(values: torch.Tensor) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = values.double().cpu().numpy()
    return numbers


def agent_identity(run: Run, lesion: str, deterministic: bool) -> Identity:
    """Identity of a trained run's agent."""
    config = run.config()
    return Identity(
        config.memory, run.name, config.seed, config.full_sensors, config.tracker, config.slots,
        lesion, deterministic,
    )  # fmt: skip


def driver_identity(
    name: str, run: str, tracker: Tracker, full_sensors: bool, deterministic: bool
) -> Identity:
    """Identity of a driver that was not trained here."""
    return Identity(name, run, None, full_sensors, tracker, None, INTACT, deterministic)
