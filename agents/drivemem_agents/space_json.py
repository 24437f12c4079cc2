"""Gymnasium spaces as JSON, so that an agent's files need no pickle."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces


def space_to_json(space: spaces.Space[Any]) -> dict[str, Any]:
    """Describe a space.

    Raises:
        ValueError: a kind of space that agents do not use.
    """
    if isinstance(space, spaces.Box):
        return {
            "type": "Box",
            "shape": list(space.shape),
            "dtype": str(space.dtype),
            "low": _bounds(space.low),
            "high": _bounds(space.high),
        }
    if isinstance(space, spaces.Discrete):
        return {"type": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"type": "MultiDiscrete", "nvec": space.nvec.tolist(), "start": space.start.tolist()}
    if isinstance(space, spaces.MultiBinary):
        return {"type": "MultiBinary", "shape": list(space.shape)}
    if isinstance(space, spaces.Dict):
        return {
            "type": "Dict",
            "spaces": {key: space_to_json(part) for key, part in space.spaces.items()},
        }
    raise ValueError(f"a {type(space).__name__} space cannot be stored; flatten it first")


def space_from_json(value: dict[str, Any]) -> spaces.Space[Any]:
    """Build the space that `space_to_json` described.

    Raises:
        ValueError: an unknown type, or parts that are none.
        KeyError: a missing field.
    """
    kind = value["type"]
    if kind == "Box":
        shape, dtype = tuple(value["shape"]), np.dtype(value["dtype"])
        low, high = (_array(value[name], shape, dtype) for name in ("low", "high"))
        return spaces.Box(low, high, shape, dtype.type)
    if kind == "Discrete":
        return spaces.Discrete(int(value["n"]), start=int(value["start"]))
    if kind == "MultiDiscrete":
        return spaces.MultiDiscrete(value["nvec"], start=value["start"])
    if kind == "MultiBinary":
        return spaces.MultiBinary(value["shape"])
    if kind == "Dict":
        if not isinstance(value["spaces"], dict):
            raise ValueError(f"'spaces' is {value['spaces']!r:.60}, not the parts of a space")
        return spaces.Dict({key: space_from_json(part) for key, part in value["spaces"].items()})
    raise ValueError(f"unknown space type {kind!r}")


def _bounds(bound: np.ndarray[Any, Any]) -> Any:
    """One number if all are equal, else the flat list; infinities as strings."""
    flat = [_number(x) for x in bound.ravel().tolist()]
    return flat[0] if flat and all(x == flat[0] for x in flat) else flat


def _number(x: float) -> float | str:
    return x if np.isfinite(x) else str(x)


def _array(bound: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if not isinstance(bound, list):
        return np.full(shape, float(bound)).astype(dtype)
    return np.array([float(x) for x in bound]).reshape(shape).astype(dtype)
