"""Contamination: memory is shown a burst of another episode's observations, and then its own again.

How success depends on how long ago the burst was tells how long a memory stays wrong.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from drivemem.errors import DrivememError
from drivemem.lesions.base import Lesion, need_another_world, register_lesion, whole_number
from drivemem_agents.memory import State
from drivemem_agents.observations import Observation
from drivemem_agents.policy import MemoryPolicy
from drivemem_agents.previous_inputs import PREVIOUS

BURST = 5
"""Observations of a burst whose length is not given."""


def _burst(argument: str) -> tuple[int, int]:
    """Decision at which a burst begins, and its length, of `T` or `TxK`."""
    at, x, length = argument.partition("x")
    return (
        whole_number(at, "contaminate", 0),
        whole_number(length, "contaminate", 1) if x else BURST,
    )


def _over(argument: str) -> float:
    return sum(_burst(argument))


@register_lesion(
    "contaminate",
    "from decision T on, show memory K observations of another episode in place of its own (TxK)",
    axis="decisions from the burst to the end of an intact episode",
    over=_over,
    title="Recovery from another episode's observations",
)
class Contaminate(Lesion):
    """Memory reads K observations that another world had at the same decisions of its episode.

    During the burst the ego goes on as the undisturbed agent does, whose state is carried along: up
    to its end the world is that of the intact episode, and whatever differs later, memory alone
    has caused. What it did itself (the previous action and reward) memory is told truly. The
    other episode is the last one that the next world has driven through the burst.
    """

    draws = True

    def __init__(self, argument: str) -> None:
        self.at, self.length = _burst(argument)

    def begin(self, policy: MemoryPolicy, worlds: int) -> None:
        """Keep the policy, which reads the burst.

        Raises:
            DrivememError: there is no other world.
        """
        need_another_world(worlds, "contaminate", "shows observations of")
        self._policy = policy
        self._whole = np.zeros(worlds, dtype=bool)  # whose last burst is kept to its end
        self._before: State = {}
        self._own: Observation = {}
        self._last: Observation = {}

    def before(self, state: State, observation: Observation, step: NDArray[np.int64]) -> State:
        """The state; where the burst has just ended, what it has made of it."""
        unused = torch.zeros(len(step), dtype=torch.bool, device=self._policy.device)
        frame = self._policy.with_previous_inputs(observation, state, unused)
        if not self._own:
            self._before = {key: value.clone() for key, value in state.items()}
            self._own, self._last = (
                {key: value.new_zeros((self.length, *value.shape)) for key, value in frame.items()}
                for _ in range(2)
            )
        place = step - self.at
        begun, within = place == 0, np.flatnonzero((place >= 0) & (place < self.length))
        for key, value in state.items():
            self._before[key][begun] = value[begun]
        for key, value in frame.items():
            self._own[key][place[within], within] = value[within]
        due = np.flatnonzero(place == self.length)
        return self._contaminated(state, due) if len(due) else state

    def _contaminated(self, state: State, due: NDArray[np.int64]) -> State:
        """The state where the worlds `due` have read another's burst in place of their own."""
        self._whole[due] = True
        for key, value in self._own.items():
            self._last[key][:, due] = value[:, due]
        givers = [self._giver(world) for world in due]
        frames = {key: value[:, givers] for key, value in self._last.items()}
        if PREVIOUS in frames:
            frames[PREVIOUS] = self._own[PREVIOUS][:, due]
        begun = {key: value[due] for key, value in self._before.items()}
        starts = torch.zeros((self.length, len(due)), dtype=torch.bool, device=self._policy.device)
        read = self._policy.state_after(frames, begun, starts)
        changed = {key: value.clone() for key, value in state.items()}
        for key in changed.keys() - {PREVIOUS}:
            changed[key][due] = read[key]
        return changed

    def _giver(self, world: int) -> int:
        """The next world that has been through the burst."""
        others = np.roll(np.arange(len(self._whole)), -world)[1:]
        through = others[self._whole[others]]
        if not len(through):
            raise DrivememError(
                f"lesion 'contaminate' found no other episode that lasts until decision "
                f"{self.at + self.length}: let the burst begin earlier, or drive more worlds with "
                "--num-envs"
            )
        return int(through[0])
