"""Scenes that kernels make: the same draws as highway-env's `reset(seed)`, so the same scenes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem_envs.batch_task import TaskWorld, episode_generator
from drivemem_envs.compiled.export.scene import export
from drivemem_envs.compiled.export.supported import CompiledUnsupported
from drivemem_envs.compiled.families import family_of, reset_of
from drivemem_envs.compiled.scenes.dispatch import reset_worlds
from drivemem_envs.compiled.scenes.make_template import make_template
from drivemem_envs.compiled.worlds import scratch_for, stack
from drivemem_envs.reference.environment import make_reference

# Not from `_jit`: what imports that is taken for a source of kernels, and compiles them anew.
Ints = NDArray[np.int64]


class CompiledResets:
    """A `scene_source.SceneSource` whose scenes are made by kernels.

    Args:
        scenario: one with a compiled reset.
        count: worlds.
        threads: threads that share the work.

    Raises:
        CompiledUnsupported: the world has something that does not compile.
    """

    compiled = True

    def __init__(self, scenario: Any, count: int, threads: int = 1) -> None:
        found = reset_of(scenario)
        if isinstance(found, str):
            raise CompiledUnsupported(f"{found}: use the scene bank or backend='reference'")
        self.env = make_reference(scenario)
        self.env.reset_scene(0)
        self.scene = export(self.env, own_time=True)
        self.template = make_template(self.scene, self.env, found)
        most = found.most_vehicles(self.env) if found.most_vehicles else 0
        self.worlds = stack(
            [self.scene] * count, vehicles=most, route_steps=self.template.routes.shape[2]
        )
        self.scratch = scratch_for(self.worlds, threads)
        cue, latent = self.env.cue(), self.env.latent()
        # A task in NumPy says what is announced and hidden when its episodes begin.
        self._hides = cue is not None and not isinstance(self.env, TaskWorld)
        self.latent = np.zeros((count, len(latent)))
        self.cue = np.zeros((count, 0 if cue is None else len(cue)), np.float32)
        self._task_state_of = family_of(scenario).state_from_latent
        self._draws = isinstance(self.env, TaskWorld)
        self.drawn = np.zeros((count, len(self.env.drawn()) if self._draws else 0))
        self.task_state = self._task_state_of(self.latent)
        self._seeds = np.zeros(count, np.int64)
        self.sensor_seed = self._seeds.view(np.uint64)
        self.slots = np.zeros((count, scenario.observation.vehicles_count - 1), np.int64)
        self.occluders = np.repeat(self.env.occluders()[None], count, axis=0)
        self.first_road_lanes = np.zeros(count, np.int64)

    def fill(self, rows: Ints, seeds: Ints) -> None:
        """Begin the episodes of seeds (n,) in worlds (n,)."""
        rows, seeds = np.asarray(rows, np.int64), np.asarray(seeds, np.int64)
        reset_worlds(
            self.worlds, self.scratch, self.template, rows, seeds, self.latent, self._seeds,
            self.slots,
        )  # fmt: skip
        if self._hides:
            self.cue[rows] = self.latent[rows]
        if self._draws and self.drawn.shape[1]:
            for row in rows.tolist():
                generator = episode_generator(int(self.sensor_seed[row]))
                self.drawn[row] = self.env.draw(self.env.config, generator)
        self.task_state[rows] = self._task_state_of(self.latent[rows])
        egos = self.worlds.actors[rows, self.worlds.world["ego"][rows]]
        road = self.worlds.lanes["road"][0, egos["lane"]]
        self.first_road_lanes[rows] = self.worlds.roads["lanes"][0, road]

    def close(self) -> None:
        """Close the live environment."""
        self.env.close()
