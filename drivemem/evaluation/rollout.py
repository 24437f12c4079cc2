"""The one loop that drives a suite; whoever wants to know what happens in it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.evaluation.drivers import ActingDriver, Decision
from drivemem.evaluation.suites import SuiteSeeds
from drivemem.progress import Progress


@dataclass(frozen=True)
class Moment:
    """Where N worlds are at one decision."""

    episode: NDArray[np.int64]
    """Number in the suite; beyond its end for idle worlds."""
    step: NDArray[np.int64]
    """Decisions taken before it in the episode."""

    @property
    def starts(self) -> NDArray[np.bool_]:
        """Where an episode begins."""
        return np.asarray(self.step == 0, dtype=bool)


@dataclass(frozen=True)
class Transition:
    """What came of one decision in N worlds."""

    rewards: NDArray[np.float64]
    ended: NDArray[np.bool_]
    infos: dict[str, Any]


class SuiteCallback:
    """Told of every decision of a suite; the base keeps and changes nothing."""

    def shows(self, moment: Moment, observation: Any) -> Any:
        """Before a decision: what the driver is shown in place of an observation."""
        return observation

    def decided(
        self, moment: Moment, observation: Any, masks: NDArray[Any] | None, decision: Decision
    ) -> None:
        """After a decision, while the worlds are still as it met them.

        The observation is that of the worlds, whatever the driver was shown.
        """

    def stepped(self, moment: Moment, decision: Decision, transition: Transition) -> None:
        """After the worlds went on; `moment` is that of the decision."""


def drive_suite(
    env: Any,
    driver: ActingDriver,
    seeds: SuiteSeeds,
    bar: Progress,
    callbacks: Sequence[SuiteCallback],
) -> None:
    """Drive all episodes of a suite that are left to drive.

    Args:
        env: worlds whose episode seeds are the suite's.
        driver: who drives.
        seeds: the rule that gives the episodes to the worlds.
        bar: where progress is shown.
        callbacks: told of everything.
    """
    worlds, wanted = env.num_envs, len(seeds.seeds)
    done = wanted - len(seeds.order)
    driver.begin(env)
    observation, _ = env.reset()
    masked = hasattr(env.single_action_space, "n")
    count = np.zeros(worlds, dtype=np.int64)
    moment = Moment(seeds.indices(count), np.zeros(worlds, dtype=np.int64))
    while done < wanted:
        masks = env.action_masks() if masked else None
        shown = observation
        for callback in callbacks:
            shown = callback.shows(moment, shown)
        decision = driver.decide(shown, moment.starts, masks)
        for callback in callbacks:
            callback.decided(moment, observation, masks, decision)
        observation, rewards, terminated, truncated, infos = env.step(decision.actions)
        transition = Transition(rewards, terminated | truncated, infos)
        for callback in callbacks:
            callback.stepped(moment, decision, transition)
        ended = transition.ended
        done += int((ended & (moment.episode < wanted)).sum())
        count += ended
        moment = Moment(seeds.indices(count), np.where(ended, 0, moment.step + 1))
        bar.update(done)
