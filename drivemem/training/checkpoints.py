"""Checkpoints of a run: written between updates; training goes on from the newest whole one."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from drivemem.errors import DrivememError
from drivemem.runs import Run, read_json, saving, write_json_file
from drivemem.training.metrics import count_lines
from drivemem.training.vec_env import WorldsVecEnv
from drivemem_agents import MemoryPPO
from drivemem_agents.checkpoint import CheckpointError, load_training, write_training
from drivemem_agents.files import atomic_folder

KEPT = 2
"""How many checkpoints stay, the newest."""
AGENT_KINDS = (".json", ".safetensors")
"""Kinds of files in a checkpoint's or an agent's folder."""


def save_checkpoint(run: Run, model: MemoryPPO, env: WorldsVecEnv) -> Path:
    """Write a checkpoint, atomically, and drop the oldest.

    Raises:
        DrivememError: it cannot be written.
    """
    folder = run.checkpoints / str(model.num_timesteps)
    if folder.exists():
        return folder
    with saving(folder), atomic_folder(folder) as temporary:
        _write_worlds(temporary / "worlds.safetensors", env)
        env.save_more(temporary)
        write_json_file(temporary / "run.json", _log_position(run, model))
        write_training(model, temporary)  # last: it knows the checksums of all
    for old in run.all_checkpoints()[KEPT:]:
        for file in old.iterdir():
            if file.suffix in AGENT_KINDS:
                file.unlink()
        with contextlib.suppress(OSError):  # what else is there is somebody's own
            old.rmdir()
    return folder


def restore_newest(run: Run, model: MemoryPPO, env: WorldsVecEnv) -> dict[str, Any]:
    """Bring agent and worlds to where the newest checkpoint was that is whole.

    Damaged ones that are newer are moved aside, and that is said.

    Returns:
        `metrics_lines`, how many lines of metrics there were, and `pending`, what was to be
        recorded with the next.

    Raises:
        DrivememError: there are checkpoints, and none can be used.
    """
    damaged: dict[Path, CheckpointError] = {}
    for checkpoint in run.all_checkpoints():
        try:
            position = _restore(checkpoint, model, env)
        except CheckpointError as error:
            damaged[checkpoint] = error
            continue
        for folder, why in damaged.items():
            _move_aside(folder, why, checkpoint)
        return position
    if damaged:
        newest, why = next(iter(damaged.items()))
        older = f", nor any older one of {run.folder}" if len(damaged) > 1 else ""
        raise DrivememError(
            f"checkpoint {newest} cannot be used ({why}){older}: delete {run.checkpoints} to train "
            "from the beginning, or choose another --out"
        )
    return {"metrics_lines": 0, "pending": {}}


def _write_worlds(path: Path, env: WorldsVecEnv) -> None:
    """Which episodes run in the worlds, and what was done in them so far."""
    episodes, taken, returns = env.position()
    some = [actions for actions in taken if len(actions)]
    tensors = {
        "episodes": episodes,
        "returns": returns,
        "lengths": np.array([len(actions) for actions in taken]),
        "actions": np.concatenate(some) if some else np.zeros(0),
    }
    save_file(tensors, path)


def _log_position(run: Run, model: MemoryPPO) -> dict[str, Any]:
    """Lines of metrics so far, and what is recorded for the next.

    SB3 writes an update's losses together with the next rollout's returns.
    """
    logger = model.logger
    return {
        "metrics_lines": count_lines(run.metrics_file),
        "pending": {
            name: [float(value), list(logger.name_to_excluded[name])]
            for name, value in logger.name_to_value.items()
            if isinstance(value, int | float | np.integer | np.floating)
        },
    }


def _restore(checkpoint: Path, model: MemoryPPO, env: WorldsVecEnv) -> dict[str, Any]:
    """Bring agent and worlds to where a checkpoint was; returns its `_log_position`.

    Raises:
        CheckpointError: it is damaged, or another agent's.
    """
    try:
        load_training(model, checkpoint)
        tensors = load_file(checkpoint / "worlds.safetensors")
        position = read_json(checkpoint / "run.json")
        position = {key: position[key] for key in ("metrics_lines", "pending")}
        cuts = np.cumsum(tensors["lengths"])[:-1]
        taken = np.split(tensors["actions"], cuts)
        env.restore(tensors["episodes"], taken, tensors["returns"])
        env.restore_more(checkpoint)
    except CheckpointError:
        raise
    except (DrivememError, SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(str(error)) from error
    return position


def _move_aside(folder: Path, why: CheckpointError, used: Path) -> None:
    """Give a damaged checkpoint another name, under which nothing takes it for one."""
    number, aside = 1, folder.with_name(f"{folder.name}-damaged")
    while aside.exists():
        number += 1
        aside = folder.with_name(f"{folder.name}-damaged-{number}")
    with saving(folder):
        folder.rename(aside)
    print(f"drivemem: {why}; going on from {used}, with {aside} kept aside", file=sys.stderr)
