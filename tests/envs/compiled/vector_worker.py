"""Steps the reference and the compiled vector environment side by side, with exact arithmetic.

Reads one request a line (JSON) and answers each with one line; run by `test_vector_parity`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import task_worlds
from serving import both_backends, serve


def difference(a: Any, b: Any, path: str) -> str | None:
    """The first place where two nested results differ, or None."""
    if isinstance(a, dict):
        if set(a) != set(b):
            return f"{path}: keys {sorted(set(a) ^ set(b))}"
        found = (_of_key(a, b, key, path) for key in a)
        return next((each for each in found if each is not None), None)
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype == object:
        return next(
            (
                f"{path}[{world}]: {x} against {y}"
                for world, (x, y) in enumerate(zip(a, b, strict=True))
                if not _same_object(x, y)
            ),
            None,
        )
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"{path}: {a.shape} {a.dtype} against {b.shape} {b.dtype}"
    equal = (a == b) | ((a != a) & (b != b))
    if equal.all():
        return None
    place = tuple(int(index) for index in np.argwhere(~equal)[0])
    return f"{path}{list(place)}: {a[place]!r} against {b[place]!r}"


def _of_key(a: dict[str, Any], b: dict[str, Any], key: str, path: str) -> str | None:
    return difference(a[key], b[key], f"{path}/{key}")


def _same_object(x: Any, y: Any) -> bool:
    if isinstance(x, dict):
        return difference(x, y, "") is None
    return (x is None and y is None) or np.array_equal(x, y)


def choose(space: Any, worlds: int, step: int, mode: str, draw: np.random.Generator) -> Any:
    """Actions of all worlds: random, full brake to standstill, or never keeping a lane."""
    if hasattr(space, "n"):
        slower = 0 if space.n == 3 else space.n - 1
        if mode == "brake":
            return np.full(worlds, slower)
        if mode == "weave":
            return np.full(worlds, 0 if step % 4 < 2 else min(2, space.n - 1))
        return draw.integers(space.n, size=worlds)
    actions = draw.uniform(-1, 1, (worlds, *space.shape)).astype(np.float32)
    if mode == "brake":
        actions[:] = 0.0
        actions[:, 0] = -1.0
    return actions


def compare(request: dict[str, Any]) -> dict[str, Any]:
    """Compare everything that a learner or recorder can see, over many episodes."""
    worlds, first = request["worlds"], request["first_seed"]

    made = both_backends(request, apart=1000)
    draw = np.random.default_rng(first)
    space, ended = made[0].single_action_space, 0
    results: list[Any] = [env.reset()[0] for env in made]
    for step in range(request["steps"] + 1):
        found = difference(*results, f"step {step} ")
        found = found or difference(*(env.truth() for env in made), f"step {step} truth")
        found = found or difference(*(env.latent() for env in made), f"step {step} latent")
        if found is None and hasattr(space, "n"):
            found = difference(*(env.action_masks() for env in made), f"step {step} masks")
        if found is not None:
            return {"difference": found}
        actions = choose(space, worlds, step, request["mode"], draw)
        stepped = [env.step(actions) for env in made]
        names = ("observation", "reward", "terminated", "truncated", "info")
        results = [dict(zip(names, each, strict=True)) for each in stepped]
        ended += int((stepped[0][2] | stepped[0][3]).sum())
    for env in made:
        env.close()
    return {"difference": None, "ended": ended}


if __name__ == "__main__":
    task_worlds.register()
    serve(compare)
