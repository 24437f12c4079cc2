"""A driver's state of any nesting as plain arrays and back, so that checkpoints can hold it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def flattened(value: Any, arrays: Arrays) -> Any:
    """A state as JSON in which arrays are named.

    Args:
        value: arrays, tensors, numbers, text and None, in dicts, lists and tuples.
        arrays: gets the arrays by name.

    Raises:
        TypeError: it holds something else.
    """
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        name = f"{len(arrays)}"
        arrays[name] = np.ascontiguousarray(value)
        return {"array": name}
    if isinstance(value, dict):
        return {"dict": {key: flattened(part, arrays) for key, part in value.items()}}
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [flattened(part, arrays) for part in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return {"plain": value}
    raise TypeError(f"a {type(value).__name__} in it cannot be kept")


def restored(described: Any, arrays: Arrays) -> Any:
    """Undo `flattened`; tensors come back as arrays.

    Raises:
        KeyError: what is described is not among the arrays.
    """
    ((kind, value),) = described.items()
    if kind == "array":
        return arrays[value]
    if kind == "dict":
        return {key: restored(part, arrays) for key, part in value.items()}
    if kind in ("list", "tuple"):
        parts = [restored(part, arrays) for part in value]
        return tuple(parts) if kind == "tuple" else parts
    return value
