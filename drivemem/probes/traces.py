"""Driving a suite again to collect what probes compare: memory state, observations, truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from drivemem.evaluation.drivers import Evaluated
from drivemem.evaluation.suites import Suite, SuiteSeeds
from drivemem.probes.targets import Hidden, nearest_hidden
from drivemem.progress import Progress

WIDEST = 512
"""Inputs of a probe; wider ones are projected at random, which nearly keeps what is linear."""


class Remembering(Evaluated, Protocol):
    """A driver that shows the memory state it carries."""

    @property
    def state(self) -> dict[str, Any]:
        """Tensors or arrays (N, ...), after the last decision; {} without memory."""
        ...


class Watcher(Protocol):
    """What else wants to know of every decision, such as attention and saliency."""

    def see(
        self, observation: Any, actions: NDArray[Any], moment: Moment, masks: NDArray[Any] | None
    ) -> None:
        """Take note of one decision of N worlds."""


@dataclass(frozen=True)
class Moment:
    """Where N worlds are at one decision."""

    episode: NDArray[np.int64]
    """Number in the suite; beyond its end for idle worlds."""
    step: NDArray[np.int64]
    hidden: Hidden
    cue_age_s: NDArray[np.float64]
    """Since a cue was last shown, s; without a cue, since the episode began."""


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


def collect_traces(
    env: Any, driver: Remembering, suite: Suite, seeds: SuiteSeeds, bar: Progress,
    *, frames: int = 4, watchers: tuple[Watcher, ...] = (),
) -> Traces:  # fmt: skip
    """Drive all episodes of a suite and keep what probes need.

    Args:
        env: worlds whose episode seeds are the suite's.
        driver: who drives.
        suite: the episodes.
        seeds: the rule that gives them to the worlds.
        bar: where progress is shown.
        frames: depth of the frame stack, the present one included.
        watchers: told of every decision.
    """
    worlds, wanted = env.num_envs, len(suite.seeds)
    observation, _ = env.reset()
    driver.begin(worlds)
    starts = np.ones(worlds, dtype=bool)
    count, step = np.zeros(worlds, dtype=np.int64), np.zeros(worlds, dtype=np.int64)
    number = np.array([seeds.index(world, 0) for world in range(worlds)])
    shown_at = np.zeros(worlds, dtype=np.int64)
    masked = hasattr(env.single_action_space, "n")
    stack: NDArray[np.float32] | None = None
    rows: list[dict[str, NDArray[Any]]] = []
    projections: dict[str, NDArray[np.float32]] = {}
    done = 0
    while done < wanted:
        seen = flat_rows(observation)
        stack = seen[:, None].repeat(frames, axis=1) * 0 if stack is None else stack
        stack = np.concatenate([np.where(starts[:, None, None], 0, stack)[:, 1:], seen[:, None]], 1)
        shown_at = np.where(_cue_shown(observation, starts), step, shown_at)
        hidden = nearest_hidden(env.truth())
        moment = Moment(number.copy(), step.copy(), hidden, (step - shown_at) * env.decision_s)
        latent = np.asarray(env.latent(), dtype=np.float64)
        masks = env.action_masks() if masked else None
        decision = driver.decide(observation, starts, masks)
        for watcher in watchers:
            watcher.see(observation, decision.actions, moment, masks)
        inputs = {"observation": seen, "frame stack": stack.reshape(worlds, -1)}
        if driver.state:
            inputs["memory"] = flat_rows(driver.state)
        kept = np.flatnonzero(number < wanted)
        rows.append(_row(moment, inputs, latent, kept, projections))
        observation, _, terminated, truncated, _ = env.step(decision.actions)
        starts = terminated | truncated
        done += int((starts & (number < wanted)).sum())
        count += starts
        step = np.where(starts, 0, step + 1)
        shown_at = np.where(starts, 0, shown_at)
        number = np.array([seeds.index(world, int(count[world])) for world in range(worlds)])
        bar.update(done)
    return _joined(rows, env.decision_s)


def flat_rows(parts: Any) -> NDArray[np.float32]:
    """All numbers of a batch, (N, D): of an array, or of a dict of arrays or tensors."""
    values = [parts[key] for key in sorted(parts)] if isinstance(parts, dict) else [parts]
    arrays = [np.asarray(value.cpu() if hasattr(value, "cpu") else value) for value in values]
    return np.concatenate(
        [array.reshape(len(array), -1).astype(np.float32) for array in arrays], axis=1
    )


def _cue_shown(observation: Any, starts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a cue is seen now; a scenario without one counts from the episode's start."""
    if isinstance(observation, dict) and "cue" in observation:
        shown: NDArray[np.bool_] = (np.asarray(observation["cue"]) != 0).reshape(len(starts), -1)
        return np.asarray(shown.any(axis=1), dtype=bool)
    return starts


def _row(
    moment: Moment, inputs: dict[str, NDArray[np.float32]], latent: NDArray[np.float64],
    kept: NDArray[np.int64], projections: dict[str, NDArray[np.float32]],
) -> dict[str, NDArray[Any]]:  # fmt: skip
    row: dict[str, NDArray[Any]] = {
        "episode": moment.episode[kept], "step": moment.step[kept], "latent": latent[kept],
        "cue_age_s": moment.cue_age_s[kept],
    }  # fmt: skip
    for name, values in inputs.items():
        if values.shape[1] > WIDEST:
            if name not in projections:
                generator = np.random.default_rng(0)
                drawn = generator.standard_normal((values.shape[1], WIDEST), dtype=np.float32)
                projections[name] = drawn / np.float32(np.sqrt(WIDEST))
            values = values @ projections[name]
        row[f"input {name}"] = values[kept]
    for name, column in vars(moment.hidden).items():
        row[f"hidden {name}"] = column[kept]
    return row


def _joined(rows: list[dict[str, NDArray[Any]]], decision_s: float) -> Traces:
    columns = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    order = np.lexsort((columns["step"], columns["episode"]))
    columns = {name: column[order] for name, column in columns.items()}

    def part(prefix: str) -> dict[str, NDArray[Any]]:
        return {k.removeprefix(prefix): v for k, v in columns.items() if k.startswith(prefix)}

    return Traces(
        decision_s, columns["episode"], columns["step"], part("input "), columns["latent"],
        columns["cue_age_s"], Hidden(**part("hidden ")),
    )  # fmt: skip
