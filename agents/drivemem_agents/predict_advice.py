"""Warnings to who drives an agent by `predict` and leaves out what it needs; each comes once."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MASKS = (
    "this agent learned with action masks and gets none: it may choose what is not "
    "available and drive far worse than it learned to. Give predict "
    "action_masks=env.action_masks()"
)
_STATE = (
    "this agent's memory begins anew at every call: predict got no state after an episode's first "
    "step. Give it the state that it returned, as in `action, state = agent.predict(observation, "
    "state, episode_start)`; where an episode begins, episode_start=True says so"
)
_ABOVE = 4
"""Frames from here to whoever called the agent's `predict`."""


class PredictAdvice:
    """Watches the calls of one policy's `predict`.

    That the state is forgotten is told from two calls in a row without one, the second of another
    observation and not said to begin an episode. Who has ever passed a state knows of it and is not
    warned; SB3's `evaluate_policy` passes it from the second call on.

    Args:
        masked: whether the agent learned with action masks.
        carries_state: whether its memory carries anything from step to step.
    """

    def __init__(self, masked: bool, carries_state: bool) -> None:
        self._masks_missed, self._state_missed = masked, carries_state
        self._before: Any = None
        """What the last call without a state observed."""

    def given(self, observation: Any, state: Any, episode_start: Any, action_masks: Any) -> None:
        """Warn where a call lacks what it should have.

        Args:
            observation: a batch, as arrays.
            state: the memory state, if one was given.
            episode_start: where episodes begin, if that was given.
            action_masks: the masks, if some were given.
        """
        if self._masks_missed and action_masks is None:
            self._masks_missed = False
            warnings.warn(_MASKS, stacklevel=_ABOVE)
        if self._state_missed and self._forgot(observation, state, episode_start):
            self._state_missed = False
            warnings.warn(_STATE, stacklevel=_ABOVE)

    def _forgot(self, observation: Any, state: Any, episode_start: Any) -> bool:
        if state is not None:
            self._state_missed = False
            return False
        before, self._before = self._before, _copied(observation)
        if episode_start is not None and np.all(episode_start):
            return False
        return before is not None and _follows(before, self._before)


def _copied(observation: Any) -> dict[str, NDArray[Any]]:
    parts = observation if isinstance(observation, dict) else {"": observation}
    return {name: np.array(part) for name, part in parts.items()}


def _follows(before: dict[str, NDArray[Any]], now: dict[str, NDArray[Any]]) -> bool:
    """Whether it may be what as many worlds show a step later: of the same shape, and changed."""
    alike = all(before[name].shape == part.shape for name, part in now.items())
    return alike and any((before[name] != part).any() for name, part in now.items())
