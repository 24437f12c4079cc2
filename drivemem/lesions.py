"""Lesions: interventions on memory at evaluation time, on the same checkpoint and episodes.

A working-memory lesion changes the state between steps; a long-term one changes the weights once.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from drivemem.errors import DrivememError
from drivemem_agents.memory import State
from drivemem_agents.observations import Observation
from drivemem_agents.policy import MemoryPolicy

INTACT = "intact"


class Lesion:
    """Base: leaves everything intact."""

    needs_state = True

    def __init__(self, argument: str) -> None:
        if argument:
            raise DrivememError(f"lesion {type(self).__name__} takes no argument, not '{argument}'")

    def prepare(self, policy: MemoryPolicy) -> MemoryPolicy:
        """The policy to evaluate (a changed copy for long-term lesions)."""
        return policy

    def begin(self, policy: MemoryPolicy, worlds: int) -> None:
        """Called once before the first step."""

    def before(self, state: State, observation: Observation, step: NDArray[np.int64]) -> State:
        """The state to act with.

        Args:
            state: (N, ...) carried from the previous step.
            observation: (N, ...) present frames.
            step: (N,) decisions since the start of each world's episode.
        """
        return state


_LESIONS: dict[str, tuple[type[Lesion], str]] = {}


def register_lesion(name: str, summary: str) -> Callable[[type[Lesion]], type[Lesion]]:
    """Class decorator: make a lesion selectable as `name:argument`."""

    def register(cls: type[Lesion]) -> type[Lesion]:
        if name in _LESIONS:
            raise ValueError(f"lesion '{name}' is already registered")
        _LESIONS[name] = (cls, summary)
        return cls

    return register


def lesion_names() -> dict[str, str]:
    """Registered lesions and a line about each."""
    return {name: summary for name, (_, summary) in sorted(_LESIONS.items())}


def parse_lesions(text: str) -> list[str]:
    """`span:1,2,4` as `["span:1", "span:2", "span:4"]`; `intact` alone as itself."""
    name, colon, arguments = text.partition(":")
    return [f"{name}:{argument}" for argument in arguments.split(",")] if colon else [name]


def make_lesion(text: str, policy: MemoryPolicy) -> Lesion:
    """The lesion `name:argument` for a policy.

    Raises:
        DrivememError: unknown name, bad argument, or a lesion that the policy's memory has no
            place for.
    """
    if text == INTACT:
        return Intact("")
    name, _, argument = text.partition(":")
    if name not in _LESIONS:
        near = difflib.get_close_matches(name, _LESIONS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise DrivememError(
            f"unknown lesion '{name}'{hint} (one of: {', '.join(sorted(_LESIONS))})"
        )
    lesion = _LESIONS[name][0](argument)
    if lesion.needs_state and not policy.initial_state(1):
        raise DrivememError(
            f"lesion '{name}' cuts working memory, but memory '{policy.settings['memory']}' "
            "carries no state; lesions of its weights are: prune, weight_noise, reinit, quantize"
        )
    return lesion


def folder_name(text: str) -> str:
    """A lesion's name as part of a folder's name."""
    return text.replace(":", "-").replace("/", "_")


def _number(argument: str, name: str, least: float = 0.0) -> float:
    try:
        value = float(argument)
    except ValueError as error:
        raise DrivememError(
            f"lesion '{name}' needs a number, as in {name}:1, not '{argument}'"
        ) from error
    if not value >= least:
        raise DrivememError(f"lesion '{name}' needs a number of at least {least:g}, not {argument}")
    return value


class Intact(Lesion):
    """No lesion."""

    needs_state = False


@register_lesion("reset_every", "forget everything every K decisions (inf: never)")
class ResetEvery(Lesion):
    """The state is replaced by the initial one every k decisions of an episode."""

    def __init__(self, argument: str) -> None:
        self.period = _number(argument, "reset_every", 1)

    def begin(self, policy: MemoryPolicy, worlds: int) -> None:
        """Keep the policy, which knows its initial state."""
        self._policy = policy

    def before(self, state: State, observation: Observation, step: NDArray[np.int64]) -> State:
        """The state, initial where the period is over."""
        if np.isinf(self.period):
            return state
        over = torch.as_tensor(step % int(self.period) == 0, device=self._policy.device)
        return self._policy.reset_state(state, over)


@register_lesion("freeze", "stop updating the state after decision T of the episode")
class Freeze(Lesion):
    """From decision t on, every step starts from the state reached then."""

    def __init__(self, argument: str) -> None:
        self.at = _number(argument, "freeze")
        self._kept: State = {}

    def before(self, state: State, observation: Observation, step: NDArray[np.int64]) -> State:
        """The state, or what it was at t."""
        if not self._kept:
            self._kept = {key: value.clone() for key, value in state.items()}
        device = next(iter(state.values())).device
        moving = torch.as_tensor(step <= self.at, device=device)
        for key, value in state.items():
            shape = (-1, *[1] * (value.dim() - 1))
            self._kept[key] = torch.where(moving.reshape(shape), value, self._kept[key])
        return {key: value.clone() for key, value in self._kept.items()}


@register_lesion("noise", "add normal noise of deviation S to the state at every decision")
class Noise(Lesion):
    """State + sigma * N(0, 1), seeded."""

    def __init__(self, argument: str) -> None:
        self.sigma = _number(argument, "noise")
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


@register_lesion("span", "remember only the last K decisions (the present one included)")
class Span(Lesion):
    """The state is recomputed from the initial one over the last k - 1 observations."""

    def __init__(self, argument: str) -> None:
        self.steps = int(_number(argument, "span", 1))
        self._past: list[Observation] = []

    def begin(self, policy: MemoryPolicy, worlds: int) -> None:
        """Keep the policy, which recomputes."""
        self._policy, self._worlds = policy, worlds

    def before(self, state: State, observation: Observation, step: NDArray[np.int64]) -> State:
        """The state as if the episode had begun k - 1 decisions ago.

        Worlds whose episode is younger than that have their own state.
        """
        recomputed = self._policy.initial_state(self._worlds)
        length = len(self._past)
        for age, frame in zip(range(length, 0, -1), self._past, strict=True):
            begins = torch.as_tensor((step == age) | (age == length), device=self._policy.device)
            recomputed = self._policy.act(frame, recomputed, begins, True).state
        if self.steps > 1:
            self._past.append({key: value.clone() for key, value in observation.items()})
            self._past = self._past[-(self.steps - 1) :]
        young = torch.as_tensor(step < self.steps, device=self._policy.device)
        return {
            key: torch.where(young.reshape(-1, *[1] * (value.dim() - 1)), value, recomputed[key])
            for key, value in state.items()
        }


class _WeightLesion(Lesion):
    """A lesion of long-term memory: the weights of a copy are changed."""

    needs_state = False

    def prepare(self, policy: MemoryPolicy) -> MemoryPolicy:
        """A changed copy of the policy."""
        changed = copy.deepcopy(policy)
        with torch.no_grad():
            self.change(changed)
        return changed

    def change(self, policy: MemoryPolicy) -> None:
        """Change the weights in place."""
        raise NotImplementedError


def _weights(policy: MemoryPolicy) -> list[Tensor]:
    """Weight matrices (biases and normalisers left alone)."""
    return [weight for weight in policy.parameters() if weight.dim() > 1]


@register_lesion("prune", "set the share P of smallest weights to zero")
class Prune(_WeightLesion):
    """Magnitude pruning over all weight matrices together (Han et al. 2015)."""

    def __init__(self, argument: str) -> None:
        self.share = _number(argument, "prune")
        if self.share > 1.0:
            raise DrivememError(f"lesion 'prune' takes a share from 0 to 1, not {argument}")

    def change(self, policy: MemoryPolicy) -> None:
        """Zero the smallest."""
        weights = _weights(policy)
        magnitudes = torch.cat([weight.abs().flatten() for weight in weights])
        count = round(self.share * len(magnitudes))
        if count == 0:
            return
        threshold = magnitudes.kthvalue(count).values
        for weight in weights:
            weight[weight.abs() <= threshold] = 0.0


@register_lesion("weight_noise", "add normal noise of S times each matrix's deviation")
class WeightNoise(_WeightLesion):
    """W + sigma * std(W) * N(0, 1), seeded."""

    def __init__(self, argument: str) -> None:
        self.sigma = _number(argument, "weight_noise")

    def change(self, policy: MemoryPolicy) -> None:
        """Add the noise."""
        generator = torch.Generator().manual_seed(0)
        for weight in _weights(policy):
            noise = torch.randn(weight.shape, generator=generator).to(weight.device)
            weight += self.sigma * weight.std() * noise


@register_lesion("reinit", "re-initialise one part: encoder, memory or heads")
class Reinit(_WeightLesion):
    """One part's layers get fresh random weights, seeded."""

    parts = ("encoder", "memory", "heads")

    def __init__(self, argument: str) -> None:
        if argument not in self.parts:
            raise DrivememError(
                f"lesion 'reinit' takes one of {', '.join(self.parts)}, not '{argument}'"
            )
        self.part = argument

    def change(self, policy: MemoryPolicy) -> None:
        """Reset every layer of the part that knows how."""
        modules: list[nn.Module] = (
            [policy.action_layers, policy.action_head]
            if self.part == "heads"
            else [getattr(policy, self.part)]
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for module in modules:
                for layer in module.modules():
                    reset = getattr(layer, "reset_parameters", None)
                    if callable(reset):
                        reset()


@register_lesion("quantize", "round weights to B bits (symmetric, per matrix)")
class Quantize(_WeightLesion):
    """Each matrix is rounded to 2^(b-1) - 1 levels on either side of zero."""

    def __init__(self, argument: str) -> None:
        self.bits = int(_number(argument, "quantize", 2))

    def change(self, policy: MemoryPolicy) -> None:
        """Round."""
        levels = 2 ** (self.bits - 1) - 1
        for weight in _weights(policy):
            scale: Any = weight.abs().max() / levels
            if scale > 0:
                weight.copy_((weight / scale).round() * scale)
