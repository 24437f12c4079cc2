"""Training that starts from another run's weights, and what holds them where they were."""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file

from drivemem.errors import DrivememError
from drivemem.runs import Run
from drivemem_agents import CheckpointError, MemoryPPO
from drivemem_agents.checksums import BLANK, has_changed, seal
from drivemem_agents.consolidation import Consolidation, fisher_information
from drivemem_agents.files import atomic_file


def start_from(model: MemoryPPO, other: Run, consolidation_coef: float = 0.0) -> None:
    """Take over another run's weights; the optimiser starts afresh.

    Args:
        model: the agent to be trained; changed in place.
        other: the run whose agent it starts as.
        consolidation_coef: how strongly the weights that it relies on are held.

    Raises:
        DrivememError: no trained agent there, one of another shape, or, where weights are to be
            held, a run that was trained before their importance was kept.
    """
    try:
        weights = MemoryPPO.load(other.model, device="cpu").policy.state_dict()
    except CheckpointError as error:
        raise DrivememError(f"--start-from: {error}") from error
    own = model.policy.state_dict()
    for name in sorted({*weights, *own}):
        mine, theirs = own.get(name), weights.get(name)
        if mine is None or theirs is None or mine.shape != theirs.shape:
            shapes = [None if part is None else tuple(part.shape) for part in (mine, theirs)]
            raise DrivememError(
                f"--start-from {other.folder}: its {name} is {shapes[1]}, here it is {shapes[0]}: "
                "memory, sizes, observation and actions must be the same"
            )
    model.policy.load_state_dict(weights)
    if consolidation_coef > 0.0:
        model.consolidation = _consolidation(model, other, consolidation_coef)


def write_importance(model: MemoryPPO, run: Run) -> None:
    """Keep how much each weight of a trained agent matters, measured on its last rollout.

    The file is what `--consolidation-coef` of a later run holds the weights by.
    """
    if not model.rollout.states:  # nothing was driven: resumed after its last update
        return
    with torch.random.fork_rng():
        torch.manual_seed(0)
        importance = fisher_information(model.policy, model.rollout)
    tensors = {name: value.cpu().contiguous() for name, value in importance.items()}
    with atomic_file(run.importance) as temporary:
        save_file(tensors, temporary, {"checksum": BLANK})
        seal(temporary)


def _consolidation(model: MemoryPPO, other: Run, coef: float) -> Consolidation:
    path = other.importance
    try:
        data = path.read_bytes()
        if has_changed(data):
            raise ValueError("it has changed since it was written: its checksum differs")
        return Consolidation(model.policy, load(data), coef)
    except (OSError, SafetensorError, ValueError) as error:
        raise DrivememError(
            f"--consolidation-coef: {path} cannot be used ({error}): train {other.folder} again, "
            "or leave the penalty off"
        ) from error
