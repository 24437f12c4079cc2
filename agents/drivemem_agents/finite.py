"""Training stops where a number is no longer finite, and says which and where it was."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from drivemem_agents.rollout import Rollout


class NonFiniteError(ValueError):
    """Something that training depends on became nan or infinite; the agent is as it was before."""


def first_non_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """Name of the first tensor that holds nan or infinity."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            return name
    return None


def check_rollout(rollout: Rollout, last_values: NDArray[np.float32], steps: int) -> None:
    """Refuse a rollout that holds nan or infinity, before anything learns from it.

    Args:
        rollout: full, advantages apart.
        last_values: (B,) values of the observations after the last step.
        steps: of all worlds so far.

    Raises:
        NonFiniteError: what, where in the rollout, and in which world.
    """
    columns = {
        **{name: value for name, value in rollout.columns.items() if name != "actions"},
        "reward": torch.from_numpy(rollout.rewards),
        "actions": rollout.columns["actions"],
        "value": rollout.values,
        "log-probability": rollout.log_prob,
        "value of the final observation": torch.from_numpy(rollout.bootstraps),
        "value of the last observation": torch.from_numpy(last_values)[None],
    }
    name = first_non_finite(columns)
    if name is None:
        return
    wrong = (~columns[name].isfinite()).nonzero()[0].tolist()
    seen = float(columns[name][tuple(wrong)])
    step, world = wrong[:2]
    what = name.replace("observation.", "observation ", 1)
    raise NonFiniteError(
        f"training stopped after {steps} steps: the {what} is {seen} in world {world}, "
        f"{step} decisions into this rollout; the weights are those before it. Mend the "
        "environment (SB3's VecCheckNan finds the step), or clip what it gives"
    )


def check_actions(actions: NDArray[Any], steps: int) -> None:
    """Refuse continuous actions (B, ...) that no environment can take.

    Raises:
        NonFiniteError: in which world.
    """
    if actions.dtype.kind == "f" and not np.isfinite(actions).all():
        worlds = ~np.isfinite(actions).reshape(len(actions), -1).all(1)
        raise NonFiniteError(
            f"training stopped after {steps} steps: the action for world "
            f"{int(np.flatnonzero(worlds)[0])} is not finite; the weights are those before this "
            "rollout. Mend the observation or the reward that the environment gave it"
        )


_WAY_OUT = "Lower learning_rate or max_grad_norm, or set normalize_rewards"


def check_loss(terms: Mapping[str, float], update: int, steps: int) -> None:
    """Refuse a loss that is not finite, before it moves a weight.

    Raises:
        NonFiniteError: which of the loss's terms are not.
    """
    if math.isfinite(terms["loss"]):
        return
    wrong = [
        name for name, value in terms.items() if name != "loss" and not math.isfinite(value)
    ] or ["loss"]
    raise NonFiniteError(
        f"training stopped in update {update} (after {steps} steps): {', '.join(wrong)} is "
        f"{terms[wrong[0]]}. {_WAY_OUT}"
    )


def check_gradients(
    norm: Tensor, parameters: Iterable[tuple[str, nn.Parameter]], update: int, steps: int
) -> None:
    """Refuse gradients that are not finite, before they move a weight.

    Raises:
        NonFiniteError: the first weight whose gradient is not.
    """
    if math.isfinite(float(norm)):
        return
    gradients = {name: weight.grad for name, weight in parameters if weight.grad is not None}
    name = first_non_finite(gradients)
    what = "norm of the gradient" if name is None else f"gradient of {name}"
    raise NonFiniteError(
        f"training stopped in update {update} (after {steps} steps): the {what} is not finite. "
        f"{_WAY_OUT}"
    )


def check_weights(policy: nn.Module, update: int, steps: int) -> None:
    """Refuse to go on with weights that are not finite.

    Raises:
        NonFiniteError: the first that is not.
    """
    name = first_non_finite(policy.state_dict())
    if name is not None:
        raise NonFiniteError(
            f"training stopped in update {update} (after {steps} steps): {name} is no longer "
            f"finite. {_WAY_OUT}"
        )
