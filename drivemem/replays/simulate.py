"""Driving a recorded episode again from its scenario, sensors, seed and actions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from drivemem.errors import DrivememError, one_line
from drivemem.replays.load import EpisodeRow, Trace
from drivemem_envs.cue_meaning import CueMeaning, plain_meaning

Truth = dict[str, Any]


def scenario_of(row: EpisodeRow) -> Any:
    """The scenario that an episode was recorded in.

    Raises:
        DrivememError: this installation does not know it, or not in this form.
    """
    import drivemem_envs
    from drivemem_envs.making import resolve

    try:
        return resolve(
            row.scenario, sensors=drivemem_envs.Sensors(**row.sensors), slots=row.slots,
            tracker=row.tracker, config=row.config,
        )  # fmt: skip
    except (ValueError, LookupError, TypeError) as error:
        raise DrivememError(
            f"episode {row.episode} was recorded in {row.scenario}: {error}"
        ) from error


class Told(NamedTuple):
    """What a world says of itself."""

    decision_time_s: float | None
    """When the one choice that counts is made, s from the start; None where every one counts."""
    meaning: CueMeaning
    """What its cue says, in its own words or by number."""


def told_by(row: EpisodeRow) -> Told:
    """What the world of an episode says of itself.

    Raises:
        DrivememError: what it says of its cue does not fit.
    """
    return _told(row.scenario, json.dumps(row.config, sort_keys=True))


@lru_cache(maxsize=64)
def _told(name: str, config: str) -> Told:
    import drivemem_envs

    scenario = drivemem_envs.scenario(name).with_(config=json.loads(config) or None)
    world: Any = drivemem_envs.make(scenario).unwrapped
    try:
        seconds = float(world.decision_time_s()) if hasattr(world, "decision_time_s") else None
        with one_line(ValueError):
            return Told(seconds, world.cue_meaning() or plain_meaning(len(world.latent())))
    finally:
        world.close()


def other_backend(row: EpisodeRow) -> str | None:
    """The backend that an episode was not recorded on, if it can drive the scenario."""
    from drivemem_envs.making import compiles

    if row.backend == "compiled":
        return "reference"
    return "compiled" if compiles(scenario_of(row)) is None else None


def truths(trace: Trace, backend: str) -> Iterator[Truth]:
    """The truth at decisions 0, 1, … of an episode driven again; the last state included.

    Args:
        trace: what was recorded.
        backend: what simulates: "reference" or "compiled".

    Raises:
        DrivememError: the backend cannot drive the scenario.
    """
    import drivemem_envs

    try:
        worlds: Any = drivemem_envs.make_vec(
            scenario_of(trace.row),
            1,
            backend=backend,  # type: ignore[arg-type]
            seeds=lambda world, episode: trace.row.seed,
            num_workers=1,
        )
    except (ImportError, ValueError) as error:
        raise DrivememError(
            f"{trace.row.scenario} cannot be driven on the {backend} backend: {error}"
        ) from error
    try:
        worlds.keep_final_truth()
        worlds.reset()
        yield _first_world(worlds.truth())
        for action in trace.actions:
            _, _, terminated, truncated, _ = worlds.step(np.asarray(action)[None])
            if terminated[0] or truncated[0]:
                yield worlds.final_truths()[0]
                return
            yield _first_world(worlds.truth())
    finally:
        worlds.close()


def _first_world(truth: Truth) -> Truth:
    present = truth["present"][0]
    return {name: column[0][present] for name, column in truth.items() if name != "present"}
