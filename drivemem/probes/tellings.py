"""When an episode's cue tells something, and drivers that are told something else than is true."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.evaluation.rollout import Moment


def cue_of(observation: Any, worlds: int) -> NDArray[np.float64]:
    """The cue that N worlds show, (N, K), zero where none is shown; K is 0 without one."""
    if isinstance(observation, dict) and "cue" in observation:
        return np.asarray(observation["cue"], dtype=np.float64).reshape(worlds, -1)
    return np.zeros((worlds, 0))


class Tellings:
    """Counts in each of N worlds how often the episode's cue has told something.

    A telling begins where a cue is shown that was not shown at the decision before, or was another.
    """

    def __init__(self) -> None:
        self._number = np.zeros(1, dtype=np.int64)
        self._last: NDArray[np.float64] | None = None

    def see(
        self, cue: NDArray[np.float64], starts: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Where a cue is shown now (N,), and how often the episode has told so far (N,).

        Args:
            cue: (N, K), see `cue_of`.
            starts: (N,) where an episode begins.
        """
        shown = np.asarray(cue.any(axis=1))
        last = np.zeros_like(cue) if self._last is None else self._last
        begins = shown & (starts | (cue != last).any(axis=1))
        self._number = np.asarray(np.where(starts, 0, self._number) + begins, dtype=np.int64)
        self._last = cue.copy()
        return shown, self._number


class Retold:
    """Shows another cue at one telling of each of E episodes.

    Args:
        episode: (E,) numbers in the suite.
        telling: (E,) which telling of the episode, counted from 1.
        value: (E,) what is told.
        part: the numbers of the cue that tell it, one-hot where they are several.
    """

    def __init__(
        self, episode: NDArray[np.int64], telling: NDArray[np.int64], value: NDArray[np.float64],
        part: slice,
    ) -> None:  # fmt: skip
        self._tellings, self._part = Tellings(), part
        self._due = {
            (int(number), int(which)): float(told)
            for number, which, told in zip(episode, telling, value, strict=True)
        }

    def shows(self, moment: Moment, observation: Any) -> Any:
        """The observation of N worlds as they are told it; the one given stays as it is."""
        cue = cue_of(observation, len(moment.step))
        shown, telling = self._tellings.see(cue, moment.starts)
        places = list(zip(moment.episode.tolist(), telling.tolist(), strict=True))
        due = [world for world in np.flatnonzero(shown) if places[world] in self._due]
        if not due:
            return observation
        told = np.array(observation["cue"])
        for world in due:
            told[world] = self._told(told[world], self._due[places[world]])
        return {**observation, "cue": told}

    def _told(self, cue: NDArray[Any], value: float) -> NDArray[Any]:
        """One world's cue that tells a value, of the same shape."""
        flat = cue.ravel().copy()
        size = flat[self._part].size
        flat[self._part] = value if size == 1 else np.arange(size) == value
        return flat.reshape(cue.shape)
