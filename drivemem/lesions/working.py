"""Lesions of working memory: the state is changed between decisions."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from drivemem.errors import DrivememError
from drivemem.lesions.base import (
    Lesion,
    need_another_world,
    number,
    register_lesion,
    whole_number,
)
from drivemem_agents.memory import State
from drivemem_agents.observations import Observation
from drivemem_agents.policy import MemoryPolicy
from drivemem_agents.previous_inputs import PREVIOUS

_SWAP_WITHIN = 20
"""Decisions among which a bare `swap` draws its moment."""


@register_lesion(
    "span",
    "remember only the last K decisions (the present one included)",
    axis="decisions remembered",
    title="How much memory is needed",
    scale="logarithmic",
    erases="1",
)
class Span(Lesion):
    """The state is recomputed from the initial one over the last k - 1 observations."""

    def __init__(self, argument: str) -> None:
        self.steps = whole_number(argument, "span", 1)

    def begin(self, policy: MemoryPolicy, worlds: int) -> None:
        """Keep the policy, which recomputes."""
        self._policy, self._worlds = policy, worlds
        self._past: list[Observation] = []

    def before(self, state: State, observation: Observation, step: NDArray[np.int64]) -> State:
        """The state as if the episode had begun k - 1 decisions ago.

        Worlds whose episode is younger than that have their own state.
        """
        recomputed = self._policy.initial_state(self._worlds)
        length = len(self._past)
        for age, frame in zip(range(length, 0, -1), self._past, strict=True):
            begins = torch.as_tensor((step == age) | (age == length), device=self._policy.device)
            recomputed = self._policy.act(_beginning(frame, begins), recomputed, begins, True).state
        if self.steps > 1:
            self._past.append(_frame(self._policy, observation, state, step))
            self._past = self._past[-(self.steps - 1) :]
            recomputed |= _previous(state)
        young = torch.as_tensor(step < self.steps, device=self._policy.device)
        return {
            key: torch.where(_wide(young, value), value, recomputed[key])
            for key, value in state.items()
        }


@register_lesion(
    "reset_every",
    "forget everything every K decisions (inf: never)",
    axis="decisions between resets",
    title="Forgetting now and then",
    scale="logarithmic",
    erases="1",
)
class ResetEvery(Lesion):
    """The state is replaced by the initial one every k decisions of an episode."""

    def __init__(self, argument: str) -> None:
        self.period = None if argument == "inf" else whole_number(argument, "reset_every", 1)

    def begin(self, policy: MemoryPolicy, worlds: int) -> None:
        """Keep the policy, which knows its initial state."""
        self._policy = policy

    def before(self, state: State, observation: Observation, step: NDArray[np.int64]) -> State:
        """The state, initial where the period is over."""
        if self.period is None:
            return state
        over = torch.as_tensor(step % self.period == 0, device=self._policy.device)
        return self._policy.reset_state(state, over)


@register_lesion(
    "freeze",
    "stop updating the state after decision T of the episode",
    axis="decision after which memory stands still",
    title="Memory that stands still",
)
class Freeze(Lesion):
    """From decision t on, every step starts from the state reached then."""

    def __init__(self, argument: str) -> None:
        self.at = number(argument, "freeze")

    def begin(self, policy: MemoryPolicy, worlds: int) -> None:
        """Keep nothing yet."""
        self._kept: State = {}

    def before(self, state: State, observation: Observation, step: NDArray[np.int64]) -> State:
        """The state, or what it was at t."""
        if not self._kept:
            self._kept = {key: value.clone() for key, value in state.items()}
        device = next(iter(state.values())).device
        moving = torch.as_tensor(step <= self.at, device=device)
        for key, value in state.items():
            self._kept[key] = torch.where(_wide(moving, value), value, self._kept[key])
        return {key: value.clone() for key, value in self._kept.items()}


@register_lesion(
    "noise",
    "add normal noise of deviation S to the state at every decision",
    axis="noise on the memory state, standard deviation",
    title="Noise on the memory state",
)
class Noise(Lesion):
    """State + sigma * N(0, 1), seeded."""

    draws = True

    def __init__(self, argument: str) -> None:
        self.sigma = number(argument, "noise")

    def begin(self, policy: MemoryPolicy, worlds: int) -> None:
        """Seed the noise, so that evaluations repeat."""
        self._generator = torch.Generator().manual_seed(0)

    def before(self, state: State, observation: Observation, step: NDArray[np.int64]) -> State:
        """The noisy state."""
        if self.sigma == 0.0:
            return state
        return {
            key: value
            + self.sigma * torch.randn(value.shape, generator=self._generator).to(value.device)
            if value.is_floating_point()
            else value
            for key, value in state.items()
        }


@register_lesion(
    "shuffle",
    "remember the last K decisions in random order (no K: all of them)",
    axis="decisions remembered, in random order",
    title="Memory out of order",
    scale="logarithmic",
)
class Shuffle(Lesion):
    """The state is recomputed with the episode's last k past observations in random order."""

    draws = True

    def __init__(self, argument: str) -> None:
        self.steps = whole_number(argument, "shuffle", 1) if argument else None

    def begin(self, policy: MemoryPolicy, worlds: int) -> None:
        """Keep the policy, which recomputes, and seed the order, so that evaluations repeat."""
        self._policy, self._worlds = policy, worlds
        self._past: list[Observation] = []
        self._generator = np.random.default_rng(0)

    def before(self, state: State, observation: Observation, step: NDArray[np.int64]) -> State:
        """The state after the same frames in another order; with fewer than two, the state."""
        if self.steps == 1:
            return state
        self._past = self._past[len(self._past) - int(step.max()) :]
        frame = _frame(self._policy, observation, state, step)
        depth = step if self.steps is None else np.minimum(step, self.steps)
        result = state
        if depth.max() > 1:
            recomputed = self._recompute(step, depth) | _previous(state)
            untouched = torch.as_tensor(depth < 2, device=self._policy.device)
            result = {
                key: torch.where(_wide(untouched, value), value, recomputed[key])
                for key, value in state.items()
            }
        self._past.append(frame)
        return result

    def _recompute(self, step: NDArray[np.int64], depth: NDArray[np.int64]) -> State:
        """The state after the last `step` frames of each world, the newest `depth` shuffled."""
        length, device = len(self._past), self._policy.device
        rows = np.tile(np.arange(length)[:, None], self._worlds)  # (L, N)
        for world, count in enumerate(depth):
            rows[length - count :, world] = self._generator.permutation(
                rows[length - count :, world]
            )
        order = torch.as_tensor(rows, device=device)
        worlds = torch.arange(self._worlds, device=device)
        frames = {
            key: torch.stack([frame[key] for frame in self._past])[order, worlds]
            for key in self._past[0]
        }
        starts = torch.as_tensor(np.arange(length)[:, None] == length - step, device=device)
        return self._policy.state_after(frames, self._policy.initial_state(self._worlds), starts)


@register_lesion(
    "swap",
    "take over another episode's state at decision T (no T: a random one)",
    axis="decision at which another episode's state takes over",
    title="Another episode's memory",
)
class Swap(Lesion):
    """Once an episode, the state is replaced by the one that another world has at that moment."""

    draws = True

    def __init__(self, argument: str) -> None:
        self.at = whole_number(argument, "swap", 1) if argument else None

    def begin(self, policy: MemoryPolicy, worlds: int) -> None:
        """Seed the draws, so that evaluations repeat.

        Raises:
            DrivememError: there is no other world.
        """
        need_another_world(worlds, "swap", "takes the state of")
        self._generator = np.random.default_rng(0)
        self._moment = np.full(worlds, self.at or 0, dtype=np.int64)

    def before(self, state: State, observation: Observation, step: NDArray[np.int64]) -> State:
        """The state, another episode's where the moment has come."""
        if self.at is None:
            for world in np.flatnonzero(step == 0):
                self._moment[world] = self._generator.integers(1, _SWAP_WITHIN + 1)
        givers = np.arange(len(step))
        for world in np.flatnonzero(step == self._moment):
            others = np.delete(np.arange(len(step)), world)
            under_way = others[step[others] > 0]  # a state that has just begun is empty
            givers[world] = self._generator.choice(under_way if len(under_way) else others)
        return {key: value[torch.as_tensor(givers)] for key, value in state.items()}


@register_lesion(
    "stack",
    "leave a frame stack only its newest K frames (the present one included)",
    part="stack",
    axis="frames left in the stack",
    title="How many frames are needed",
    scale="logarithmic",
    erases="1",
)
class Stack(Lesion):
    """Older frames of the stack are zero, as before the episode."""

    def __init__(self, argument: str) -> None:
        self.frames = whole_number(argument, "stack", 1)

    def check(self, policy: MemoryPolicy) -> None:
        """Refuse other memories than `frame_stack`."""
        if policy.settings["memory"] != "frame_stack":
            raise DrivememError(
                "lesion 'stack' shortens the stack of memory 'frame_stack', which memory "
                f"'{policy.settings['memory']}' has not; use span:{self.frames}"
            )

    def before(self, state: State, observation: Observation, step: NDArray[np.int64]) -> State:
        """The state with the newest k - 1 past frames alone."""
        return {key: self._shortened(value) for key, value in state.items()}

    def _shortened(self, frames: Tensor) -> Tensor:
        dropped = max(frames.shape[1] - (self.frames - 1), 0)  # (N, K - 1, D), the oldest first
        return torch.cat([torch.zeros_like(frames[:, :dropped]), frames[:, dropped:]], dim=1)


def _frame(
    policy: MemoryPolicy, observation: Observation, state: State, step: NDArray[np.int64]
) -> Observation:
    """What memory reads of this decision, to be read again: previous action and reward with it."""
    begins = torch.as_tensor(step == 0, device=policy.device)
    read = policy.with_previous_inputs(observation, state, begins)
    return {key: value.clone() for key, value in read.items()}


def _beginning(frame: Observation, begins: Tensor) -> Observation:
    """The frame as it is where an episode begins with it: nothing was done before."""
    if PREVIOUS not in frame:
        return frame
    return {**frame, PREVIOUS: torch.where(_wide(begins, frame[PREVIOUS]), 0.0, frame[PREVIOUS])}


def _previous(state: State) -> State:
    """What the agent did last, which no order of older frames changes."""
    return {key: value for key, value in state.items() if key == PREVIOUS}


def _wide(flags: Tensor, value: Tensor) -> Tensor:
    """(N,) as (N, 1, ...), to choose between states."""
    return flags.reshape(-1, *[1] * (value.dim() - 1))
