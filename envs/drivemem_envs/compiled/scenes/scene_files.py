"""Scenes on disk: one small file for each seed, in a folder of all that scenes depend on."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import os
import tempfile
import zlib
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from drivemem_envs import _jit
from drivemem_envs.compiled import records
from drivemem_envs.compiled.records import Worlds

_MOST_FILES = 20_000
"""A folder grows no further: training draws new seeds without end, evaluation the same again."""
_PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True)
class InitialScene:
    """How one episode begins; arrays of which only the shapes differ from scene to scene."""

    world: Any
    """This and the next five: of `Worlds`, with N = 1. The rest of `Worlds` is the network's."""
    actors: Any
    routes: Any
    drivers: Any
    speeds: Any
    streams: Any
    sensor_seed: Any
    slots: Any
    cue: Any
    latent: Any
    task_state: Any
    drawn: Any
    occluders: Any
    first_road_lanes: Any

    def worlds(self, network: Worlds) -> Worlds:
        """The scene on a network."""
        return network._replace(**{name: getattr(self, name) for name in TABLES})


TABLES = ("world", "actors", "routes", "drivers", "speeds", "streams")
"""What of `Worlds` differs from seed to seed."""

_TYPES = {
    "world": records.WORLD, "actors": records.ACTOR, "routes": np.dtype(np.int16),
    "drivers": records.DRIVER, "speeds": np.dtype(np.float64), "streams": np.dtype(np.int64),
    "sensor_seed": np.dtype(np.uint64), "slots": np.dtype(np.int64), "cue": np.dtype(np.float32),
    "latent": np.dtype(np.float64), "task_state": np.dtype(np.int64),
    "drawn": np.dtype(np.float64), "occluders": np.dtype(np.float64),
    "first_road_lanes": np.dtype(np.int64),
}  # fmt: skip


def initial_scene(**given: Any) -> InitialScene:
    """A scene of arrays in the types that are kept."""
    return InitialScene(**{name: np.asarray(part, _TYPES[name]) for name, part in given.items()})


class SceneFiles:
    """Scenes of one scenario by seed.

    Args:
        folder: where they are kept; None: nowhere.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._count: int | None = None

    def load(self, seed: int) -> InitialScene | None:
        """The scene of a seed; None: it is not there, or broken, to be made anew."""
        if self._folder is None:
            return None
        try:
            head, _, body = (self._folder / f"{seed}.scene").read_bytes().partition(b"\n")
            told = json.loads(head)
            if told["crc"] != zlib.crc32(body):
                return None
            parts, start = {}, 0
            for name, kind in _TYPES.items():
                size = int(np.prod(told["shapes"][name], dtype=int))
                part = np.frombuffer(body, kind, size, start)
                parts[name] = part.reshape(told["shapes"][name])
                start += part.nbytes
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return InitialScene(**parts) if start == len(body) else None

    def save(self, seed: int, scene: InitialScene) -> None:
        """Write a file, whole or not at all; a full or read-only disk is no error."""
        if self._folder is None:
            return
        parts = {each.name: getattr(scene, each.name) for each in fields(scene)}
        body = b"".join(part.tobytes() for part in parts.values())
        told = {"crc": zlib.crc32(body), "shapes": {name: it.shape for name, it in parts.items()}}
        with contextlib.suppress(OSError):
            if self._count is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._count = len(os.listdir(self._folder))
            if self._count >= _MOST_FILES:
                return
            file, part = tempfile.mkstemp(dir=self._folder, suffix=".part")
            with open(file, "wb") as written:
                written.write(json.dumps(told).encode() + b"\n" + body)
            os.replace(part, self._folder / f"{seed}.scene")
            self._count += 1


def scene_folder(scenario: Any) -> Path | None:
    """Where a scenario's scenes are kept: by its hash and all that a scene depends on.

    None: nothing can be written (see `_jit.cache_folder`).
    """
    base = _jit.cache_folder()
    if base is None:
        return None
    parts = [scenario.hash(), _sources()]
    for package in ("highway-env", "numpy", "gymnasium", "drivemem"):
        with contextlib.suppress(PackageNotFoundError):
            parts.append(version(package))
    # With NumPy's vector code switched off, scenes may differ in last bits.
    parts.append(os.environ.get("NPY_DISABLE_CPU_FEATURES", ""))
    digest = hashlib.sha256("\0".join(parts).encode())
    for source in _own_sources(scenario.world_class()):
        digest.update(b"\0" + source)
    return base.parent / "scenes" / digest.hexdigest()[:24]


@cache
def _sources() -> str:
    """Hash of every file of this package."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _own_sources(world: type[Any]) -> list[bytes]:
    """The files in which a world's classes are written, so that a changed world is reset anew."""
    found = []
    for base in world.__mro__:
        with contextlib.suppress(OSError, TypeError):  # a class of Python's own, or of no file
            found.append(Path(inspect.getfile(base)).read_bytes())
    return found
