"""Driving a suite again to collect what probes compare: memory state, observations, truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from drivemem.evaluation.drivers import Decision, PolicyDriver
from drivemem.evaluation.rollout import Moment, SuiteCallback, Transition, drive_suite
from drivemem.evaluation.suites import Suite, SuiteSeeds
from drivemem.probes.targets import (
    Hidden,
    Target,
    hidden_targets,
    latent_targets,
    nearest_hidden,
)
from drivemem.probes.tellings import Retold, Tellings, cue_of
from drivemem.progress import Progress

WIDEST = 512
"""Inputs of a probe; wider ones are projected at random, which nearly keeps what is linear."""


@dataclass(frozen=True)
class ProbedMoment(Moment):
    """Where N worlds are at one decision, and what is hidden there."""

    hidden: Hidden
    cue_age_s: NDArray[np.float64]
    """Since a cue was last shown, s; without a cue, since the episode began."""


class ProbeCallback(Protocol):
    """What else wants to know of every decision, such as attention and saliency."""

    def see(self, observation: Any, moment: ProbedMoment, masks: NDArray[Any] | None) -> None:
        """Take note of one decision of N worlds."""


@dataclass(frozen=True)
class Traces:
    """Every decision of a suite, R rows, by episode and step."""

    decision_s: float
    episode: NDArray[np.int64]
    step: NDArray[np.int64]
    inputs: dict[str, NDArray[np.float32]]
    """(R, D): `memory` (the state after the decision), `observation`, `frame stack`."""
    latent: NDArray[np.float64]
    """(R, L)."""
    cue_age_s: NDArray[np.float64]
    hidden: Hidden
    """Of each row; see `nearest_hidden`."""
    actions: NDArray[Any]
    """(R, ...) as the environment took them."""
    probs: NDArray[np.float64] | None
    """(R, n) of discrete actions."""
    outcomes: dict[int, str]
    """How each episode ended, by its number."""
    backend: str
    telling: NDArray[np.int64] | None = None
    """(R,) how often the latents have been told so far in the episode; None: no cue tells them."""

    @property
    def targets(self) -> list[Target]:
        """All that probes decode: the nearest hidden actor, and the scenario's latents."""
        hidden = self.hidden
        return [
            *hidden_targets(hidden.id, hidden.age_s, hidden.ahead, hidden.speed),
            *self.latents,
        ]

    @property
    def latents(self) -> list[Target]:
        """What the scenario hides that is no actor."""
        return latent_targets(self.latent, self.cue_age_s, self.telling)


def collect_traces(
    env: Any, driver: PolicyDriver, suite: Suite, seeds: SuiteSeeds, bar: Progress,
    *, frames: int = 4, callbacks: tuple[ProbeCallback, ...] = (), retold: Retold | None = None,
) -> Traces:  # fmt: skip
    """Drive all episodes of a suite and keep what probes need.

    Args:
        env: worlds whose episode seeds are the suite's.
        driver: who drives.
        suite: the episodes.
        seeds: the rule that gives them to the worlds.
        bar: where progress is shown.
        frames: depth of the frame stack, the present one included.
        callbacks: told of every decision.
        retold: what the driver is told in place of what is true.
    """
    collector = _Collector(env, driver, len(suite.seeds), frames, callbacks, retold)
    drive_suite(env, driver, seeds, bar, [collector])
    return _joined(collector, env)


class _Collector(SuiteCallback):
    """Keeps a row of every decision of a suite's episodes."""

    def __init__(
        self, env: Any, driver: PolicyDriver, episodes: int, frames: int,
        callbacks: tuple[ProbeCallback, ...], retold: Retold | None,
    ) -> None:  # fmt: skip
        self._env, self._driver, self._episodes = env, driver, episodes
        self._frames, self._callbacks, self._retold = frames, callbacks, retold
        self._tellings = Tellings()
        self.cue_tells: bool | None = None
        """Whether a cue, where it is shown, is the latents themselves; None: none was shown."""
        self._shown_at = np.zeros(env.num_envs, dtype=np.int64)
        self._stack: NDArray[np.float32] | None = None
        self.rows: list[dict[str, NDArray[Any]]] = []
        self.outcomes: dict[int, str] = {}

    def shows(self, moment: Moment, observation: Any) -> Any:
        """What the driver is told in place of what is true, if anything."""
        return observation if self._retold is None else self._retold.shows(moment, observation)

    def decided(
        self, moment: Moment, observation: Any, masks: NDArray[Any] | None, decision: Decision
    ) -> None:
        """Take in what was hidden, seen and remembered."""
        env, seen = self._env, flat_rows(observation)
        cue = cue_of(observation, env.num_envs)
        shown, telling = self._tellings.see(cue, moment.starts)
        self._shown_at = np.where(shown, moment.step, np.where(moment.starts, 0, self._shown_at))
        probed = ProbedMoment(
            moment.episode, moment.step, nearest_hidden(env.truth()),
            (moment.step - self._shown_at) * env.decision_s,
        )  # fmt: skip
        for callback in self._callbacks:
            callback.see(observation, probed, masks)
        stack = self._stacked(seen, moment.starts)
        inputs = {"observation": seen, "frame stack": stack.reshape(env.num_envs, -1)}
        if self._driver.state:
            inputs["memory"] = flat_rows(self._driver.state)
        latent = np.asarray(env.latent(), dtype=np.float64)
        if shown.any():
            tells = cue.shape == latent.shape and np.allclose(cue[shown], latent[shown], atol=1e-6)
            self.cue_tells = tells and self.cue_tells is not False
        kept = np.flatnonzero(moment.episode < self._episodes)
        row = _row(probed, inputs, latent, kept)
        row["telling"] = telling[kept]
        row["actions"] = np.asarray(decision.actions)[kept]
        if decision.probs is not None:
            row["probs"] = decision.probs[kept]
        self.rows.append(row)

    def stepped(self, moment: Moment, decision: Decision, transition: Transition) -> None:
        """Note how episodes ended."""
        for world in np.flatnonzero(transition.ended & (moment.episode < self._episodes)):
            outcome = transition.infos["final_info"]["outcome"][world]
            self.outcomes[int(moment.episode[world])] = str(outcome)

    def _stacked(self, seen: NDArray[np.float32], starts: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The newest frames (N, K, D) of each world's episode, zeros before its start."""
        if self._stack is None:
            self._stack = np.zeros((len(seen), self._frames, seen.shape[1]), dtype=np.float32)
        past = np.where(starts[:, None, None], 0, self._stack)[:, 1:]
        self._stack = np.concatenate([past, seen[:, None]], axis=1)
        return self._stack


def flat_rows(parts: Any) -> NDArray[np.float32]:
    """All numbers of a batch, (N, D): of an array, or of a dict of arrays or tensors."""
    values = [parts[key] for key in sorted(parts)] if isinstance(parts, dict) else [parts]
    arrays = [np.asarray(value.cpu() if hasattr(value, "cpu") else value) for value in values]
    return np.concatenate(
        [array.reshape(len(array), -1).astype(np.float32) for array in arrays], axis=1
    )


@cache
def projection(width: int) -> NDArray[np.float32] | None:
    """What inputs so wide are multiplied with (width, WIDEST); None: they are taken as they are."""
    if width <= WIDEST:
        return None
    drawn = np.random.default_rng(0).standard_normal((width, WIDEST), dtype=np.float32)
    return drawn / np.float32(np.sqrt(WIDEST))


def projected(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inputs (N, D) as probes read them."""
    random = projection(values.shape[1])
    return values if random is None else np.asarray(values @ random, dtype=np.float32)


def _row(
    moment: ProbedMoment, inputs: dict[str, NDArray[np.float32]], latent: NDArray[np.float64],
    kept: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:  # fmt: skip
    row: dict[str, NDArray[Any]] = {
        "episode": moment.episode[kept], "step": moment.step[kept], "latent": latent[kept],
        "cue_age_s": moment.cue_age_s[kept],
    }  # fmt: skip
    for name, values in inputs.items():
        row[f"input {name}"] = projected(values)[kept]
    for name, column in vars(moment.hidden).items():
        row[f"hidden {name}"] = column[kept]
    return row


def _joined(collector: _Collector, env: Any) -> Traces:
    rows = collector.rows
    columns = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    order = np.lexsort((columns["step"], columns["episode"]))
    columns = {name: column[order] for name, column in columns.items()}

    def part(prefix: str) -> dict[str, NDArray[Any]]:
        return {k.removeprefix(prefix): v for k, v in columns.items() if k.startswith(prefix)}

    return Traces(
        env.decision_s, columns["episode"], columns["step"], part("input "), columns["latent"],
        columns["cue_age_s"], Hidden(**part("hidden ")),
        columns["actions"], columns.get("probs"), collector.outcomes, env.backend,
        columns["telling"] if collector.cue_tells else None,
    )  # fmt: skip
