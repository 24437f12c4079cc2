"""Scenes from highway-env's own `reset(seed)`: exact for every world, but at highway-env's pace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, Ints
from drivemem_envs.compiled import exit_recall, lane_keeping, parking, tasks
from drivemem_envs.compiled.scene import Scene, export
from drivemem_envs.reference.environment import make_reference
from drivemem_envs.reference.observation import features_range
from drivemem_envs.scenarios.base import Scenario


@dataclass(frozen=True)
class Start:
    """All that an episode begins with."""

    scene: Scene
    sensor_seed: int
    occluders: Floats
    """(K, 5)"""
    slots: Ints
    """(V - 1,)"""
    cue: Floats
    """(K,), empty without one."""
    latent: Floats
    """(L,)"""
    ranges: Floats
    """(F, 2); nan where a feature is not scaled."""
    hidden: Ints
    """(H,) what a world of drivemem's own remembers."""


class LiveScenes:
    """Makes the starts of a scenario's episodes, one after the other.

    Args:
        scenario: the resolved scenario.
        family: its task's code.
    """

    def __init__(self, scenario: Scenario, family: float) -> None:
        self.scenario, self.family = scenario, family
        self.env: Any = make_reference(scenario)

    def start(self, seed: int) -> Start:
        """The start of the episode with this seed.

        Raises:
            CompiledUnsupported: the world has something that the kernels do not reproduce.
        """
        env = self.env
        env.reset(seed=seed)
        cue = env.cue()
        own = self.family == tasks.EXIT_RECALL
        return Start(
            scene=export(env, own_time=own),
            sensor_seed=int(np.uint64(env.perception.seed).astype(np.int64)),
            occluders=env.occluders(),
            slots=np.asarray(env.slot_of(np.arange(env.scenario.observation.vehicles_count - 1))),
            cue=np.zeros(0) if cue is None else np.asarray(cue, dtype=np.float64),
            latent=env.latent(),
            ranges=ranges_of(scenario=self.scenario, lanes=env.first_road_lanes),
            hidden=np.array(_hidden_of(env, self.family), dtype=np.int64),
        )

    def close(self) -> None:
        """Close the live environment."""
        self.env.close()


def _hidden_of(env: Any, family: float) -> list[int]:
    """What a world remembers in an episode; see its family's file."""
    if family == tasks.EXIT_RECALL:
        return exit_recall.hidden_of(env)
    if family == tasks.PARKING:
        return parking.hidden_of(env)
    return lane_keeping.hidden_of(env) if family == tasks.KEEPING else []


def ranges_of(scenario: Scenario, lanes: int) -> NDArray[np.float64]:
    """What is scaled to [-1, 1] (F, 2), nan for features that are not."""
    spec = scenario.observation
    known = features_range(spec, lanes) if spec.normalize else {}
    pairs = [known.get(feature, (np.nan, np.nan)) for feature in spec.features]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)
