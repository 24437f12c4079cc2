"""The scene bank: scenes that highway-env's own reset made, kept in memory and on disk.

For worlds whose reset is not compiled. A scene is made once for each seed and version.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem_envs.batch_task import TaskWorld
from drivemem_envs.compiled.export.network import fingerprint
from drivemem_envs.compiled.export.scene import Scene, export
from drivemem_envs.compiled.export.supported import CompiledUnsupported, refuse
from drivemem_envs.compiled.families import family_of, most_spawned, spawns
from drivemem_envs.compiled.records import Worlds
from drivemem_envs.compiled.scenes.make_template import make_template
from drivemem_envs.compiled.scenes.scene_files import (
    TABLES,
    InitialScene,
    SceneFiles,
    initial_scene,
    scene_folder,
)
from drivemem_envs.compiled.worlds import put, scratch_for, stack
from drivemem_envs.reference.environment import make_reference
from drivemem_envs.sensing import layout

# Not from `_jit`: what imports that is taken for a source of kernels.
Ints = NDArray[np.int64]

_KEPT = 4096
"""Scenes kept in memory; a scene is some 10 kB."""
_PROBES = 8
"""Episodes that are looked at when a bank is made."""
_SPARE = 2
"""Room for so many times what they show: what is not used costs memory alone."""
_COUNTS = ("vehicles_count", "other_vehicles", "initial_vehicle_count", "trucks_count")
"""Dials that count a world's vehicles, the ego not counted."""


class SceneBank:
    """A `scene_source.SceneSource` whose scenes the reference environment makes.

    Args:
        scenario: any that compiles.
        count: worlds.
        threads: threads that share the stepping.
        folder: where scenes are kept; None: in the user's cache folder.

    Raises:
        CompiledUnsupported: the world does not compile, or its roads or, without a declared
            `max_actors`, the number of its actors differ from seed to seed.
    """

    compiled = False

    def __init__(
        self, scenario: Any, count: int, threads: int = 1, folder: Path | None = None
    ) -> None:
        self.env = make_reference(scenario)
        self._family = family_of(scenario)
        self._files = SceneFiles(scene_folder(scenario) if folder is None else folder)
        self._kept: OrderedDict[int, InitialScene] = OrderedDict()
        scenes = []
        for seed in range(_PROBES):
            self.env.reset_scene(seed)
            scenes.append(export(self.env, own_time=True))
        self.scene = scenes[-1]
        keys = {scene.network.key() for scene in scenes}
        refuse(len(keys) > 1, f"the roads of {scenario.name} differ from seed to seed")
        self._network_key, self._roads = keys.pop(), fingerprint(self.env.road.network)
        self.template = make_template(self.scene, self.env, None)
        most, objects = _room(scenario, self.env.config, scenes)
        if spawns(scenario.world_class()):
            most += most_spawned(self.env)
        worlds = stack([self.scene] * count, vehicles=most, objects=objects)
        self.worlds = _grown(worlds, scenes, self.template)
        self.scratch = scratch_for(self.worlds, threads)
        initial = self._initial(self.scene)
        self.sensor_seed = np.zeros(count, np.uint64)
        self.slots = np.zeros((count, len(initial.slots)), np.int64)
        self.cue = np.zeros((count, len(initial.cue)), np.float32)
        self.latent = np.zeros((count, len(initial.latent)))
        self.task_state = np.zeros((count, len(initial.task_state)), np.int64)
        self.drawn = np.zeros((count, len(initial.drawn)))
        self.occluders = np.zeros((count, max(len(initial.occluders), 1), layout.OCCLUDER_COLUMNS))
        self.first_road_lanes = np.zeros(count, np.int64)

    def fill(self, rows: Ints, seeds: Ints) -> None:
        """Begin the episodes of seeds (n,) in worlds (n,)."""
        for row, seed in zip(np.asarray(rows).tolist(), np.asarray(seeds).tolist(), strict=True):
            initial = self._of(seed)
            part = initial.worlds(self.scene.worlds)
            try:
                put(self.worlds, row, Scene(part, self.scene.network, {}), 0)
            except ValueError as error:
                raise ValueError(
                    f"the scene of seed {seed} of {self.env.scenario.name} does not fit: {error}; "
                    "let the world's class declare a larger max_actors, or use backend='reference'"
                ) from error
            self.sensor_seed[row], self.slots[row] = initial.sensor_seed, initial.slots
            self.cue[row], self.latent[row] = initial.cue, initial.latent
            self.task_state[row] = initial.task_state
            self.drawn[row] = initial.drawn
            known, room = len(initial.occluders), self.occluders.shape[1]
            if known > room:
                more = np.zeros((len(self.occluders), known - room, layout.OCCLUDER_COLUMNS))
                self.occluders = np.concatenate([self.occluders, more], axis=1)
            self.occluders[row] = 0.0  # what an earlier episode had
            self.occluders[row, :known] = initial.occluders
            self.first_road_lanes[row] = initial.first_road_lanes

    def close(self) -> None:
        """Close the live environment."""
        self.env.close()

    def _of(self, seed: int) -> InitialScene:
        """How the episode of a seed begins: from memory, from disk, or made now."""
        initial = self._kept.get(seed)
        if initial is None:
            initial = self._files.load(seed)
        if initial is None:
            initial = self._initial(self._made(seed))
            self._files.save(seed, initial)
        self._kept[seed] = initial
        self._kept.move_to_end(seed)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return initial

    def _made(self, seed: int) -> Scene:
        """The scene of a seed by highway-env; tables of roads that are the same are not read."""
        self.env.reset_scene(seed)
        roads = fingerprint(self.env.road.network)
        is_known = roads is not None and roads == self._roads
        scene = export(self.env, own_time=True, network=self.scene.network if is_known else None)
        refuse(
            not is_known and scene.network.key() != self._network_key,
            f"the roads of {self.env.scenario.name} differ from seed to seed",
        )
        return scene

    def _initial(self, scene: Scene) -> InitialScene:
        env = self.env
        cue = env.cue()
        return initial_scene(
            **{name: getattr(scene.worlds, name) for name in TABLES},
            sensor_seed=env.perception.seed,
            slots=env._slots,
            cue=np.zeros(0) if cue is None else cue,
            latent=env.latent(),
            task_state=self._family.task_state(env),
            drawn=env._drawn[0] if isinstance(env, TaskWorld) else np.zeros(0),
            occluders=env.occluders(),
            first_road_lanes=env.first_road_lanes,
        )


def _room(scenario: Any, config: Any, scenes: Sequence[Scene]) -> tuple[int, int]:
    """For how many vehicles, and how many objects, the begin of an episode needs room at most.

    A world's class declares it as `max_actors`; else its configuration bounds the vehicles.

    Raises:
        CompiledUnsupported: nothing bounds a number that differs from seed to seed, or the class
            declares fewer than there are.
    """
    name = scenario.world_class().__name__
    declared = int(getattr(scenario.world_class(), "max_actors", 0))
    vehicles = {int(scene.world.vehicles) for scene in scenes}
    objects = {int(scene.world.objects) for scene in scenes}
    most = max(*vehicles, *objects)
    if declared:
        if declared < most:
            raise CompiledUnsupported(
                f"{name} declares max_actors = {declared}, but begins an episode with {most}: "
                f"declare at least {most}, or use backend='reference'"
            )
        return declared, declared
    bound = 1 + sum(int(config.get(dial) or 0) for dial in _COUNTS)
    if spawns(scenario.world_class()):  # for which there is other room
        bound += max(vehicles)
    for what, seen, known in (("vehicles", vehicles, bound), ("objects", objects, 0)):
        if len(seen) > 1 and max(seen) > known:
            raise CompiledUnsupported(
                f"the number of {what} of {scenario.name} differs from seed to seed (such as "
                f"{' and '.join(map(str, sorted(seen)))}): let {name} declare the most of either, "
                f"such as max_actors = {2 * most}, or use backend='reference'"
            )
    return max(bound, _SPARE * max(vehicles)), _SPARE * max(objects)


def _grown(worlds: Worlds, scenes: Sequence[Scene], template: Any) -> Worlds:
    """Room for a driver for each actor, and for longer routes than any probe has."""
    drivers = max(scene.worlds.drivers.shape[1] for scene in scenes)
    steps = _SPARE * max(
        *(scene.worlds.routes.shape[2] for scene in scenes), template.routes.shape[2]
    )
    grown = np.zeros(
        (len(worlds.world), max(drivers, worlds.actors.shape[1])), worlds.drivers.dtype
    )
    grown[:, : worlds.drivers.shape[1]] = worlds.drivers
    routes = np.full((*worlds.routes.shape[:2], steps, 2), -1, np.int16)
    routes[:, :, : worlds.routes.shape[2]] = worlds.routes
    return worlds._replace(drivers=grown, routes=routes)
