"""The scene bank: scenes that highway-env's own reset made, kept in memory and on disk.

For worlds whose reset is not compiled. A scene is made once for each seed and version.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem_envs import _jit
from drivemem_envs.batch_task import TaskWorld
from drivemem_envs.compiled.export.scene import Scene, export
from drivemem_envs.compiled.export.supported import CompiledUnsupported, refuse
from drivemem_envs.compiled.families import family_of, most_spawned, spawns
from drivemem_envs.compiled.records import Worlds
from drivemem_envs.compiled.scenes.make_template import make_template
from drivemem_envs.compiled.worlds import put, scratch_for, stack
from drivemem_envs.reference.environment import make_reference

# Not from `_jit`: what imports that is taken for a source of kernels.
Ints = NDArray[np.int64]

_KEPT = 4096
"""Scenes kept in memory; a scene is some 10 kB."""
_MOST_FILES = 20_000
"""A folder grows no further: training draws new seeds without end, evaluation the same again."""
_PROBES = 3
_SPARE_VEHICLES = 4
_COUNTS = ("vehicles_count", "other_vehicles", "initial_vehicle_count", "trucks_count")
"""Dials that count a world's vehicles, the ego not counted."""
# What of a scene differs from seed to seed; the rest is the bank's first scene's.
_TABLES = ("world", "actors", "routes", "drivers", "speeds", "streams")


@dataclass(frozen=True)
class InitialScene:
    """How one episode begins."""

    tables: dict[str, Any]
    """Of `Worlds`, with N = 1."""
    sensor_seed: int
    slots: Ints
    cue: Any
    latent: Any
    task_state: Ints
    drawn: Any
    occluders: Any
    first_road_lanes: int

    def arrays(self) -> dict[str, Any]:
        """What goes into a file."""
        return {
            **self.tables,
            "sensor_seed": np.array(self.sensor_seed, np.uint64),
            "slots": self.slots,
            "cue": self.cue,
            "latent": self.latent,
            "task_state": self.task_state,
            "drawn": self.drawn,
            "occluders": self.occluders,
            "first_road_lanes": np.array(self.first_road_lanes),
        }


def bank_folder(scenario: Any) -> Path | None:
    """Where a scenario's scenes are kept: by its hash and every version that a scene depends on.

    None: nothing can be written (see `_jit.cache_folder`).
    """
    base = _jit.cache_folder()
    if base is None:
        return None
    parts = [scenario.hash(), _jit.source_hash()]
    for package in ("highway-env", "numpy", "gymnasium", "drivemem"):
        with contextlib.suppress(PackageNotFoundError):
            parts.append(version(package))
    # With NumPy's vector code switched off, scenes may differ in last bits.
    parts.append(os.environ.get("NPY_DISABLE_CPU_FEATURES", ""))
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    return base.parent / "scenes" / key


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
        self._folder = bank_folder(scenario) if folder is None else folder
        self._kept: OrderedDict[int, InitialScene] = OrderedDict()
        scenes = []
        for seed in range(_PROBES):
            self.env.reset(seed=seed)
            scenes.append(export(self.env, own_time=True))
        self.scene = scenes[-1]
        keys = {scene.network.key() for scene in scenes}
        refuse(len(keys) > 1, f"the roads of {scenario.name} differ from seed to seed")
        self._network_key = keys.pop()
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
        self.occluders = np.zeros((count, max(len(initial.occluders), 1), 5))
        self.first_road_lanes = np.zeros(count, np.int64)

    def fill(self, rows: Ints, seeds: Ints) -> None:
        """Begin the episodes of seeds (n,) in worlds (n,)."""
        for row, seed in zip(np.asarray(rows).tolist(), np.asarray(seeds).tolist(), strict=True):
            initial = self._of(seed)
            part = Worlds(
                *(initial.tables[name] for name in _TABLES),
                *(getattr(self.scene.worlds, name)[:1] for name in Worlds._fields[len(_TABLES) :]),
            )
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
                raise ValueError(
                    f"the scene of seed {seed} of {self.env.scenario.name} has {known} occluders, "
                    f"where there is room for {room}: let its world give equally many in every "
                    "episode (of no size where there is none), or use backend='reference'"
                )
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
            initial = self._load(seed)
        if initial is None:
            self.env.reset(seed=seed)
            scene = export(self.env, own_time=True)
            refuse(
                scene.network.key() != self._network_key,
                f"the roads of {self.env.scenario.name} differ from seed to seed",
            )
            initial = self._initial(scene)
            self._save(seed, initial)
        self._kept[seed] = initial
        self._kept.move_to_end(seed)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return initial

    def _initial(self, scene: Scene) -> InitialScene:
        env = self.env
        cue = env.cue()
        return InitialScene(
            {name: getattr(scene.worlds, name) for name in _TABLES},
            env.perception.seed,
            np.asarray(env._slots, np.int64),
            np.zeros(0, np.float32) if cue is None else np.asarray(cue, np.float32),
            np.asarray(env.latent(), np.float64),
            np.array(self._family.task_state(env), dtype=np.int64),
            env._drawn[0] if isinstance(env, TaskWorld) else np.zeros(0),
            env.occluders(),
            env.first_road_lanes,
        )

    def _load(self, seed: int) -> InitialScene | None:
        if self._folder is None:
            return None
        try:
            with np.load(self._folder / f"{seed}.npz", allow_pickle=False) as held:
                arrays = dict(held.items())
            tables = {
                name: arrays.pop(name).view(getattr(self.scene.worlds, name).dtype)
                for name in _TABLES
            }
            return InitialScene(
                tables,
                int(arrays["sensor_seed"]),
                arrays["slots"],
                arrays["cue"],
                arrays["latent"],
                arrays["task_state"],
                arrays["drawn"],
                arrays["occluders"],
                int(arrays["first_road_lanes"]),
            )
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None  # not there, or broken: made anew

    def _save(self, seed: int, initial: InitialScene) -> None:
        """Write a file, whole or not at all; a full or read-only disk is no error."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            if len(os.listdir(self._folder)) >= _MOST_FILES:
                return
            with tempfile.NamedTemporaryFile(
                dir=self._folder, suffix=".part", delete=False
            ) as part:
                np.savez(part, **initial.arrays())
            os.replace(part.name, self._folder / f"{seed}.npz")


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
    return max(bound, max(vehicles) + _SPARE_VEHICLES), max(objects)


def _grown(worlds: Worlds, scenes: Sequence[Scene], template: Any) -> Worlds:
    """Room for the drivers and route steps of every probe and some more."""
    drivers = max(scene.worlds.drivers.shape[1] for scene in scenes) + 2
    steps = max(*(scene.worlds.routes.shape[2] for scene in scenes), template.routes.shape[2])
    grown = np.zeros(
        (len(worlds.world), max(drivers, worlds.actors.shape[1])), worlds.drivers.dtype
    )
    grown[:, : worlds.drivers.shape[1]] = worlds.drivers
    routes = np.full((*worlds.routes.shape[:2], steps + 2, 2), -1, np.int16)
    routes[:, :, : worlds.routes.shape[2]] = worlds.routes
    return worlds._replace(drivers=grown, routes=routes)
