"""What a driver is: batches of observations in, batches of actions out, with SB3's signature."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from drivemem_envs.sensing.spec import Tracker


class Driver(Protocol):
    """Maps observations to actions, perhaps with a state of its own.

    One that looks beyond observations also has `meet(env)`: whoever lets it drive calls it before,
    with the vector environment.
    """

    tracker: Tracker
    """Tracker that the environment must run for this driver."""

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[Any], Any]:
        """Actions (N, ...) and the next state.

        Args:
            observation: batched observation of N worlds.
            state: what the last call returned; None at the start.
            episode_start: (N,) True where an episode begins.
            deterministic: without chance, where the driver has a choice.
            action_masks: (N, n) available discrete actions.
        """
        ...
