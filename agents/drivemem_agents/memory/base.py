"""The memory contract: what every memory between encoder and heads must do, and the registry.

A memory carries its *memory state* through an episode. It acts with `step` and learns with
`sequence`; both must give the same outputs for the same inputs, whatever the episode starts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from drivemem_agents.registry import Registry
from drivemem_agents.settings import Settings, building

State = dict[str, Tensor]
"""Memory state: named tensors, each with leading dimension B. Never None; `{}` if memoryless."""


class MemorySettings(Settings):
    """Base of every memory's typed settings."""


class Memory(nn.Module, ABC):
    """A module (x, state) -> (y, state) with explicit state and episode resets.

    Subclasses set `Settings`, call `super().__init__(input_size, output_size)` and are
    registered with `@register_memory("name")`. The constructor signature is
    `(input_size: int, settings: Settings)`.

    Attributes:
        input_size: D, width of the encoder's features.
        output_size: H, width of what the heads read.
    """

    Settings: ClassVar[type[MemorySettings]] = MemorySettings

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.output_size = output_size

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """The state before the first step of an episode.

        Args:
            batch: B, number of parallel episodes.

        Returns:
            Tensors with leading dimension B, on the module's device and in its dtype.
        """

    @abstractmethod
    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Acting path: one step; the caller has already reset the state of new episodes.

        Args:
            x: (B, D) features.
            state: memory state with leading dimension B; not modified in place.

        Returns:
            (B, H) output and the next state.
        """

    @abstractmethod
    def sequence(self, x: Tensor, state: State, starts: Tensor) -> tuple[Tensor, State]:
        """Training path: T steps at once, equal to T calls of `step` with resets at `starts`.

        Args:
            x: (T, B, D) features.
            state: memory state before step 0 (used where `starts[0]` is False).
            starts: (T, B) bool, True where an episode begins at that step.

        Returns:
            (T, B, H) outputs and the state after step T - 1.
        """

    def outputs(self, x: Tensor, state: State, starts: Tensor) -> Tensor:
        """What `sequence` outputs, without the last state, which learning does not need.

        A memory overrides this where leaving the state out saves work; shapes as in `sequence`.
        """
        return self.sequence(x, state, starts)[0]

    def reset(self, state: State, starts: Tensor) -> State:
        """Replace the state of worlds that begin an episode by the initial one.

        Args:
            state: memory state with leading dimension B.
            starts: (B,) bool.
        """
        if not state:
            return state
        first = self.initial_state(starts.shape[0])
        return {
            key: torch.where(
                starts.reshape(-1, *[1] * (value.dim() - 1)), first[key].to(value), value
            )
            for key, value in state.items()
        }

    def state_bytes(self) -> int:
        """Size of one world's memory state, bytes."""
        return sum(t.element_size() * t[0].numel() for t in self.initial_state(1).values())

    def auxiliary_loss(self) -> Tensor | None:
        """Cost of the memory itself (such as a learned span), added to PPO's loss; usually None.

        Read once after each `sequence` call of a training minibatch.
        """
        return None

    def diagnostics(self) -> dict[str, float]:
        """Scalars worth logging (such as the span found), under `memory/<key>`."""
        return {}


MEMORIES: Registry[type[Memory]] = Registry("memory", "drivemem.memories")
"""All memories by name; other packages add theirs through the entry point group."""

register_memory, memory_names, memory_class = MEMORIES.register, MEMORIES.names, MEMORIES.get


def make_memory(name: str, input_size: int, kwargs: dict[str, Any] | None = None) -> Memory:
    """Build the memory `name` for features of width `input_size`.

    Args:
        name: a registered memory.
        input_size: D.
        kwargs: the memory's settings; by name.

    Raises:
        ValueError: unknown memory or setting, or a value out of range, in one line.
    """
    cls = memory_class(name)
    settings = cls.Settings.checked(kwargs or {}, f"memory '{name}'")
    with building(f"memory '{name}'", settings):
        return cls(input_size, settings)  # type: ignore[arg-type]
