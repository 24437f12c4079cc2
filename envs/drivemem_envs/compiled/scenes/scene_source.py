"""Where the scenes of a batch of worlds come from: compiled resets, or highway-env itself.

One interface for both, so that whoever steps worlds need not know.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from drivemem_envs.compiled.export.supported import refuse
from drivemem_envs.compiled.families import why_no_reset
from drivemem_envs.compiled.records import Scratch, Worlds
from drivemem_envs.compiled.scenes.compiled_resets import CompiledResets
from drivemem_envs.compiled.scenes.scene_bank import SceneBank
from drivemem_envs.compiled.template import Template

# Not from `_jit`: what imports that is taken for a source of kernels.
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SceneSource(Protocol):
    """N worlds and the scenes to begin their episodes with; `fill` writes every array in place."""

    worlds: Worlds
    """The batch, with room for whatever an episode may add. Its streams are the generators'."""
    template: Template
    """For `spawn.clear_and_spawn`, after each decision."""
    scratch: Scratch
    """Working memory for as many threads as were asked for."""
    scene: Any
    """The `Scene` exported from a live reset of the scenario (network, controls, live objects)."""
    env: Any
    """The live reference environment that it was exported from."""
    compiled: bool
    """Whether scenes are made by kernels (else by highway-env, ahead of time)."""
    sensor_seed: NDArray[np.uint64]
    """(N,) as `Perception.reset` derives it."""
    slots: Ints
    """(N, vehicles_count - 1) the permutation of rows in `ReferenceEnvironment._slots`."""
    cue: NDArray[np.float32]
    """(N, K) `cue()` as the episode begins; K = 0 without one."""
    latent: Floats
    """(N, H) `latent()` as the episode begins."""
    task_state: Ints
    """(N, H) what a world with a task of its own remembers as the episode begins; H = 0 else."""
    drawn: Floats
    """(N, D) `TaskWorld.drawn()` of the episode; D = 0 in other worlds."""
    occluders: Floats
    """(N, C, 5) static occluders, padded with those of no size."""
    first_road_lanes: Ints
    """(N,) lanes of the road on which the ego begins."""

    def fill(self, rows: Ints, seeds: Ints) -> None:
        """Begin the episodes of the given seeds in the given worlds (n,)."""

    def close(self) -> None:
        """End processes, if any."""


def scene_source(
    scenario: Any, count: int, threads: int = 1, *, compiled: bool | None = None
) -> SceneSource:
    """A source of scenes for a scenario.

    Args:
        scenario: a resolved `Scenario`.
        count: N, worlds.
        threads: threads that share the work.
        compiled: True: kernels or an error; False: highway-env; None: kernels where there are.

    Raises:
        CompiledUnsupported: the world does not compile, or its reset where that is demanded.
    """
    reason = why_no_reset(scenario)
    refuse(compiled is True and reason is not None, f"the reset of {scenario.name}: {reason}")
    if compiled is False or (compiled is None and reason is not None):
        return SceneBank(scenario, count, threads)
    return CompiledResets(scenario, count, threads)
